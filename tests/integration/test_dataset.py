import numpy as np
import pytest

from asl.core import dataset as core_dataset
from asl.core.dataset import Dataset, concatenate, from_landmarks, label_of, relabel
from asl.core.landmark_files import read_landmarks
from asl.errors import DatasetInvalid, LandmarksInvalid, OptionsInvalid


def _hands(letters, group="anna", seed=0) -> Dataset:
    rng = np.random.default_rng(seed)
    count = len(letters)
    return from_landmarks(
        landmarks=rng.random((count, 21, 3), np.float32),
        letters=list(letters),
        handedness=np.array(["left", "right"] * count)[:count],
        group=np.full(count, group),
    )


def test_round_trip(tmp_path):
    dataset = _hands("ABCA")
    core_dataset.save(dataset, tmp_path / "deep" / "f.npz")
    loaded = core_dataset.load(tmp_path / "deep" / "f.npz")
    for name in ("features", "labels", "landmarks", "handedness", "group", "original", "sample_sha256", "image_size"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(dataset, name), err_msg=name)
    assert loaded.label_names == ("A", "B", "C")
    assert loaded.feature_schema == "asl84-v1"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["f.npz"]


def test_the_file_has_the_keys_of_the_guide(tmp_path):
    core_dataset.save(_hands("BA"), tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz") as arrays:
        assert arrays["features"].shape == (2, 84)
        assert arrays["features"].dtype == np.float32
        assert arrays["labels"].tolist() == [1, 0]
        assert arrays["label_names"].tolist() == ["A", "B"]


def test_a_file_of_only_three_arrays_is_read(tmp_path):
    rows = np.random.default_rng(0).random((4, 84))
    np.savez(tmp_path / "f.npz", features=rows, labels=[0, 1, 0, 1], label_names=["A", "B"])
    dataset = core_dataset.load(tmp_path / "f.npz")
    assert dataset.landmarks is None
    assert dataset.groups == ()
    assert len(set(dataset.sample_sha256)) == 4


def test_concatenate_matches_labels_by_name():
    joined = concatenate([_hands("BC", "anna"), _hands("AC", "ben", seed=1)])
    assert joined.label_names == ("A", "B", "C")
    assert joined.letters.tolist() == ["B", "C", "A", "C"]
    assert joined.group.tolist() == ["anna", "anna", "ben", "ben"]
    assert joined.landmarks is not None


def test_take_keeps_rows_together():
    taken = _hands("ABCA").take(np.array([2, 0]))
    assert taken.letters.tolist() == ["C", "A"]
    assert taken.landmarks is not None
    assert taken.landmarks.shape == (2, 21, 3)
    assert taken.handedness.tolist() == ["left", "left"]


def test_relabel_refuses_labels_that_are_not_there():
    with pytest.raises(DatasetInvalid, match="found also B, C"):
        relabel(_hands("ABC"), ("A", "Z"))


def test_relabel_ignores_names_without_rows():
    dataset = _hands("AB").take(np.array([0]))
    assert relabel(dataset, ("Z", "A")).tolist() == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((2, 83))}, r"expected features of shape \(2, 84\)"),
        ({"labels": [0, 2]}, "expected labels from 0 to 1"),
        ({"labels": [0, -1]}, "expected labels from 0 to 1"),
        ({"labels": [], "features": np.zeros((0, 84))}, "empty data set"),
        ({"features": np.full((2, 84), np.nan)}, "expected finite features"),
        ({"features": np.full((2, 84), 1e300)}, "expected finite features"),
        ({"features": np.full((2, 84), "x")}, r"expected features of shape \(2, m\) that holds numbers, found .* <U1"),
        ({"group": ["one"]}, r"expected group of shape \(2,\) that holds text or integers, found shape \(1,\)"),
        ({"labels": ["A", "B"]}, r"expected labels of shape \(2,\) that holds integers, found shape \(2,\) of <U1"),
        ({"labels": [0.7, 1]}, "expected labels .* integers, found .* float64"),
        ({"labels": 0}, r"expected labels of shape \(n,\) that holds integers, found shape \(\)"),
        ({"labels": [[0], [1]]}, r"expected labels of shape \(2,\) that holds integers, found shape \(2, 1\)"),
        ({"label_names": "A"}, r"expected label_names of shape \(m,\) that holds text, found shape \(\)"),
        ({"label_names": [b"A", b"B"]}, r"expected label_names .* text, found .* \|S1"),
        ({"landmarks": np.ones((2, 63))}, r"expected landmarks of shape \(2, 21, 3\).*, found shape \(2, 63\)"),
        ({"landmarks": np.full((2, 21, 3), "x")}, "expected landmarks .* numbers, found .* <U1"),
        ({"world_landmarks": np.ones((1, 21, 3))}, "expected world_landmarks"),
        ({"handedness": [0, 1]}, "expected handedness .* text"),
        ({"original": ["one"]}, "expected original"),
        ({"sample_sha256": "one"}, "expected sample_sha256"),
        ({"image_size": [640, 480]}, r"expected image_size of shape \(2, 2\) that holds integers, found shape \(2,\)"),
        ({"feature_schema": ["asl84-v1"]}, "expected feature_schema"),
        ({"labels": np.array([{}, {}], object)}, "plain arrays"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, change, message):
    arrays = {"features": np.zeros((2, 84)), "labels": [0, 1], "label_names": ["A", "B"], **change}
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(DatasetInvalid, match=message):
        core_dataset.load(tmp_path / "f.npz")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_of_any_integers_are_read(tmp_path, dtype):
    np.savez(tmp_path / "f.npz", features=np.zeros((2, 84)), labels=np.array([1, 0], dtype), label_names=["A", "B"])
    dataset = core_dataset.load(tmp_path / "f.npz")
    assert dataset.labels.dtype == np.int64
    assert dataset.letters.tolist() == ["B", "A"]


def test_numbers_of_any_kind_become_float32(tmp_path):
    arrays = {"labels": [0, 1], "label_names": ["A", "B"], "group": [7, 8]}
    hands = np.ones((2, 21, 3))
    np.savez(tmp_path / "f.npz", features=np.zeros((2, 84)), landmarks=hands, world_landmarks=hands, **arrays)
    dataset = core_dataset.load(tmp_path / "f.npz")
    assert dataset.landmarks is not None
    assert dataset.world_landmarks is not None
    assert dataset.landmarks.dtype == dataset.world_landmarks.dtype == np.float32
    assert dataset.groups == ("7", "8")


def test_landmarks_with_arrays_that_do_not_fit_are_refused():
    hands = np.random.default_rng(0).random((2, 21, 3), np.float32)
    sides = np.array(["left", "right"])
    with pytest.raises(DatasetInvalid, match=r"expected world_landmarks of shape \(2, 21, 3\)"):
        from_landmarks(landmarks=hands, letters=["A", "B"], handedness=sides, world_landmarks=hands[:1])
    with pytest.raises(DatasetInvalid, match=r"expected features of shape \(3, m\)"):
        from_landmarks(landmarks=hands, letters=["A", "B", "C"], handedness=sides)


def test_a_folder_is_no_file_to_save_to(tmp_path):
    with pytest.raises(OptionsInvalid, match="found the folder"):
        core_dataset.save(_hands("AB"), tmp_path)


def test_single_letters_are_in_upper_case_and_other_labels_stay():
    assert [label_of(text) for text in ("a", "A", "space", "del", "5")] == ["A", "A", "space", "del", "5"]


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / "f.npz", features=np.zeros((2, 84)))
    with pytest.raises(DatasetInvalid, match="found no labels, label_names"):
        core_dataset.load(tmp_path / "f.npz")


def test_landmark_files_are_imported(tmp_path):
    hands = np.random.default_rng(0).random((3, 21, 3), np.float32)
    path = tmp_path / "room.npz"
    np.savez(
        path,
        landmarks=hands,
        labels=["a", "B", "space"],
        handedness=["Left", "Right", "Left"],
        original=["p1", "", "p1"],
        image_width=[640, 640, 0],
        image_height=[480, 480, 0],
    )
    dataset = read_landmarks(path, "file")
    assert dataset.letters.tolist() == ["A", "B", "space"]
    assert dataset.is_left.tolist() == [True, False, True]
    assert dataset.group.tolist() == ["room"] * 3
    assert dataset.original.tolist() == ["A/p1", "", "space/p1"]
    assert dataset.image_size.tolist() == [[640, 480], [640, 480], [0, 0]]
    assert read_landmarks(path, "original").group.tolist() == ["room/p1", "room", "room/p1"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"landmarks": np.zeros((2, 20, 3))}, DatasetInvalid, r"expected landmarks of shape \(2, 21, 3\)"),
        ({"landmarks": np.ones((2, 63))}, DatasetInvalid, r"found shape \(2, 63\)"),
        ({"landmarks": np.full((2, 21, 3), "x")}, DatasetInvalid, "expected landmarks .* numbers"),
        ({"landmarks": np.full((2, 21, 3), 1e300)}, LandmarksInvalid, "row 0"),
        ({"labels": "A"}, DatasetInvalid, "expected labels"),
        ({"labels": [0, 1]}, DatasetInvalid, "expected labels .* text"),
        ({"labels": []}, DatasetInvalid, "empty data set"),
        ({"handedness": ["Left"]}, DatasetInvalid, "expected handedness"),
        ({"handedness": [0, 1]}, DatasetInvalid, "expected handedness .* text"),
        ({"world_landmarks": np.ones((1, 21, 3))}, DatasetInvalid, "expected world_landmarks"),
        ({"image_width": 640}, DatasetInvalid, "expected image_width"),
        ({"image_height": [480.5, 480]}, DatasetInvalid, "expected image_height .* integers"),
        ({"original": ["one"]}, DatasetInvalid, "expected original"),
        ({"handedness": ["Left", "both"]}, DatasetInvalid, "found both"),
        ({"landmarks": np.zeros((2, 21, 3))}, LandmarksInvalid, "row 0"),
    ],
)
def test_landmark_files_that_do_not_fit_are_refused(tmp_path, change, error, message):
    arrays = {"landmarks": np.ones((2, 21, 3)), "labels": ["A", "B"], "handedness": ["Left", "Right"], **change}
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(error, match=message):
        read_landmarks(tmp_path / "f.npz", "file")
