import csv
import json
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pace import wait_until

from asl.core import dataset as core_dataset

pytestmark = pytest.mark.usefixtures("landmarker_path")

_ASL = [sys.executable, "-m", "asl.cli.main"]


def _prepare(folder, output, *options, **popen):
    command = [*_ASL, "prepare-dataset", "--input-dir", str(folder), "--output-file", str(output), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, **popen)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory, hand_jpeg):
    """Two signers with A, B and L; one file is cut off, one shows no hand, one is no photograph."""
    folder = tmp_path_factory.mktemp("photographs")
    for seed, (signer, letter) in enumerate((s, c) for s in ("anna", "ben") for c in "ABL" for _ in range(2)):
        path = folder / signer / letter / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hand_jpeg(letter, seed))
    (folder / "ben" / "L" / "cut.jpg").write_bytes(hand_jpeg("L")[:2000])
    (folder / "ben" / "L" / "notes.txt").write_text("hello")
    (folder / "ben" / "A" / "wall.jpg").write_bytes(_wall())
    return folder


def _wall():
    return cv2.imencode(".jpg", np.full((240, 320, 3), 120, np.uint8))[1].tobytes()


def test_a_folder_becomes_a_data_set(photographs, tmp_path):
    output = tmp_path / "f.npz"
    done = _prepare(photographs, output, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    dataset = core_dataset.load(output)
    assert report["rows"] == len(dataset) >= 10
    assert report["classes"]["A"]["images"] == 5
    assert report["classes"]["A"]["no_hand"] >= 1
    assert report["classes"]["L"]["unreadable"] == 1
    assert dataset.groups == ("anna", "ben")
    assert {entry["code"] for entry in report["advice"]} == {"few_rows"}
    assert dataset.image_size[0].tolist() == [480, 480]
    assert np.isfinite(dataset.world_landmarks).all()
    with output.with_suffix(".skipped.csv").open() as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons["ben/L/cut.jpg"] == "unreadable"
    assert reasons["ben/L/notes.txt"] == "not_a_photograph"
    assert reasons["ben/A/wall.jpg"] == "no_hand"
    assert str(output) in done.stderr.splitlines()[-1]
    assert "asl train-model" in done.stderr.splitlines()[-1]


def test_threads_do_not_change_the_rows(photographs, tmp_path):
    for threads in ("1", "3"):
        assert _prepare(photographs, tmp_path / f"{threads}.npz", "--threads", threads).returncode == 0
    one, three = (core_dataset.load(tmp_path / f"{threads}.npz") for threads in ("1", "3"))
    np.testing.assert_array_equal(one.features, three.features)
    np.testing.assert_array_equal(one.sample_sha256, three.sample_sha256)


def test_altered_copies_stay_with_their_original(photographs, tmp_path):
    assert _prepare(photographs, tmp_path / "f.npz", "--augment-images", "2").returncode == 0
    dataset = core_dataset.load(tmp_path / "f.npz")
    names, counts = np.unique(dataset.original, return_counts=True)
    assert len(dataset) > 20
    assert counts.max() == 3
    for name in names:
        rows = dataset.take(dataset.original == name)
        assert len(set(rows.group)) == len(set(rows.sample_sha256)) == len(set(rows.labels)) == 1
    assert {"left", "right"} == set(dataset.handedness)
    _check_sides(dataset)


def _check_sides(dataset):
    """Turned to a right hand, copies look like their original; with the wrong side they would look like its mirror."""
    mirror = np.tile(np.float32([-1, 1, 1]), 21)
    for name in np.unique(dataset.original):
        first, *copies = dataset.features[dataset.original == name][:, :63]
        for copy in copies:
            assert np.linalg.norm(copy - first) < np.linalg.norm(copy * mirror - first), name


def _kill_at_work(photographs, output, journal):
    """Kill a run with some of its photographs done; returns its options.

    Altered copies give it more to do; a machine that stands still may need more of them to be in time.
    """
    for n_copies in (6, 30, 150):
        options = ["--augment-images", str(n_copies), "--threads", "1"]
        command = [*_ASL, "prepare-dataset", "--input-dir", str(photographs), "--output-file", str(output), *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda run=process: run.poll() is not None or _n_lines(journal) >= 4, 180)
        finally:
            process.send_signal(signal.SIGKILL)
            ended = process.wait()
        if ended:
            return options
        output.unlink()
    return pytest.fail("no kill came in time")


def _n_lines(journal):
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def test_a_killed_run_goes_on_where_it_was(photographs, tmp_path):
    output, journal = tmp_path / "f.npz", tmp_path / "f.npz.unfinished.jsonl"
    options = _kill_at_work(photographs, output, journal)
    assert not output.exists()

    refused = _prepare(photographs, output, *options)
    assert refused.returncode == 5
    assert "--resume" in refused.stderr
    other = _prepare(photographs, output, "--resume", "--augment-images", "1")
    assert other.returncode == 5
    assert "other options" in other.stderr

    with journal.open("a") as file:
        file.write('{"name": "cut o')  # what a kill in the middle of a line leaves
    resumed = _prepare(photographs, output, *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "going on: " in resumed.stderr
    assert not journal.exists()
    fresh = _prepare(photographs, tmp_path / "fresh.npz", *options)
    assert fresh.returncode == 0
    ours, theirs = core_dataset.load(output), core_dataset.load(tmp_path / "fresh.npz")
    np.testing.assert_array_equal(ours.features, theirs.features)


@pytest.mark.parametrize(
    ("make", "options", "code", "message"),
    [
        (lambda root: root / "nowhere", (), 3, "no folder at"),
        (lambda root: root, (), 1, "expected class folders"),
        (lambda root: root, ("--min-detection-confidence", "1.5"), 2, "less than or equal to 1"),
        (lambda root: root, ("--augment-images", "-1"), 2, "greater than or equal to 0"),
    ],
)
def test_bad_input_is_told_before_any_work(tmp_path, make, options, code, message):
    done = _prepare(make(tmp_path), tmp_path / "f.npz", *options)
    assert done.returncode == code
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_output_that_is_no_npz_is_a_usage_error(photographs, tmp_path):
    done = _prepare(photographs, tmp_path / "f.csv")
    assert done.returncode == 2
    assert "ends in .npz" in done.stderr


def test_no_hand_at_all_is_an_error_that_keeps_the_list(tmp_path):
    (tmp_path / "in" / "A").mkdir(parents=True)
    (tmp_path / "in" / "A" / "wall.jpg").write_bytes(_wall())
    done = _prepare(tmp_path / "in", tmp_path / "f.npz")
    assert done.returncode == 1
    assert "min-detection-confidence" in done.stderr
    assert "wall.jpg" in (tmp_path / "f.skipped.csv").read_text()
    assert not (tmp_path / "f.npz").exists()


def test_real_photographs(real_data, tmp_path):
    """Landmarks equal those that were found before, with the same networks, on the same files."""
    source = real_data / "images" / "washed"
    folder = tmp_path / "in"
    for letter in "ABLY":
        (folder / letter).mkdir(parents=True)
        for path in sorted((source / letter).iterdir())[:5]:
            (folder / letter / path.name).write_bytes(path.read_bytes())
    assert _prepare(folder, tmp_path / "f.npz").returncode == 0
    dataset = core_dataset.load(tmp_path / "f.npz")
    assert len(dataset) == 20
    known = np.load(real_data / "landmarks" / "washed.npz")
    for letter in "ABLY":
        ours = dataset.landmarks[dataset.letters == letter]
        theirs = known["landmarks"][known["labels"] == letter]
        nearest = np.abs(ours[:, None] - theirs[None]).max(axis=(2, 3)).min(axis=1)
        assert np.median(nearest) < 0.005
