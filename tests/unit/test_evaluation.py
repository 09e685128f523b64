"""Figures of tiny cases that were computed by hand; the fake network answers with the first features."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from asl.core.calibration import expected_calibration_error
from asl.core.checkpoint import TrainedModel
from asl.core.dataset import Dataset
from asl.core.evaluation import evaluate
from asl.core.features import N_FEATURES, SCHEMA
from asl.core.model import ASLClassifier
from asl.core.sample_hashes import row_hashes
from asl.errors import DatasetInvalid, ModelInvalid, OptionsInvalid


class Echo(ASLClassifier):
    """Takes its first features for the logits."""

    def forward(self, features):
        return features[:, : self.num_classes]


def trained_on(names="ABC", hashes=(), temperature=1.0, val_hashes=(), val_accuracy=0.5):
    return TrainedModel(
        model=Echo(hidden_sizes=(2,), num_classes=len(names)),
        label_names=tuple(names),
        feature_schema=SCHEMA,
        temperature=temperature,
        train_row_hashes=np.sort(row_hashes(np.array(hashes, np.str_))),
        epoch=1,
        val_accuracy=val_accuracy,
        sha256="0" * 64,
        name="echo",
        val_row_hashes=np.sort(row_hashes(np.array(val_hashes, np.str_))),
    )


def rows_of(logits, letters, label_names=None, group=None):
    """Rows whose samples are named 0, 1, 2, ..."""
    names = tuple(label_names or sorted(set(letters)))
    features = np.zeros((len(letters), N_FEATURES), np.float32)
    logits = np.array(logits, np.float32).reshape(len(letters), -1)
    features[:, : logits.shape[1]] = logits
    blank = np.full(len(letters), "", np.str_)
    return Dataset(
        features=features,
        labels=np.array([names.index(letter) for letter in letters], np.int64),
        label_names=names,
        landmarks=None,
        world_landmarks=None,
        handedness=blank,
        group=blank if group is None else np.array(group, np.str_),
        original=blank,
        sample_sha256=np.array([str(row) for row in range(len(letters))], np.str_),
        image_size=np.zeros((len(letters), 2), np.int32),
    )


def answering(answers, letters, names="ABC", **options):
    """Rows to which a model with these names gives these answers, certain of each."""
    return rows_of([[9.0 * (name == answer) for name in names] for answer in answers], letters, **options)


def test_figures_of_each_letter_and_their_averages():
    report = evaluate(trained_on(), answering("AABBCC", "AAABBC"))

    scores = report.all_rows
    assert scores.n_rows == 6
    assert scores.accuracy == pytest.approx(4 / 6)
    found = {entry.letter: (entry.precision, entry.recall, entry.f1, entry.support) for entry in scores.letters}
    assert found == {
        "A": pytest.approx((1, 2 / 3, 0.8, 3)),
        "B": pytest.approx((1 / 2, 1 / 2, 0.5, 2)),
        "C": pytest.approx((1 / 2, 1, 2 / 3, 1)),
    }
    assert scores.macro.f1 == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert scores.weighted.f1 == pytest.approx((3 * 0.8 + 2 * 0.5 + 2 / 3) / 6)
    assert scores.weighted.recall == pytest.approx(scores.accuracy)
    assert report.confusion_matrix == ((2, 1, 0), (0, 1, 1), (0, 0, 1))
    assert [(c.letter, c.answer, c.n_rows, c.share) for c in report.confusions] == [
        ("A", "B", 1, pytest.approx(1 / 3)),
        ("B", "C", 1, pytest.approx(1 / 2)),
    ]


def test_labels_are_matched_by_name_not_by_index():
    rows = answering("ABCC", "ABCC", label_names=("C", "unused", "A", "B"))

    report = evaluate(trained_on("ABC"), rows)

    assert report.all_rows.accuracy == 1
    assert report.confusion_matrix == ((1, 0, 0), (0, 1, 0), (0, 0, 2))


def test_letters_that_do_not_occur_stay_out_of_the_averages():
    report = evaluate(trained_on(), answering("AB", "AB"))

    assert report.all_rows.macro.f1 == 1
    assert any("No row shows C" in notice for notice in report.notices)


def test_top_3_counts_the_third_but_not_the_fourth():
    logits = [[9, 8, 7, 6, 5]] * 5

    assert evaluate(trained_on("ABCDE"), rows_of(logits, "ABCDE")).all_rows.top3_accuracy == pytest.approx(3 / 5)


def test_groups_and_the_worst_of_them():
    rows = answering("AABBBC", "AABABB", group=("ann", "ann", "ann", "bob", "bob", ""))

    report = evaluate(trained_on(hashes=("0", "4")), rows)

    assert [(g.group, g.n_rows, g.accuracy, g.n_rows_trained_on) for g in report.all_rows.groups] == [
        ("ann", 3, 1.0, 1),
        ("bob", 2, 0.5, 1),
    ]
    assert report.all_rows.worst_group.group == "bob"
    assert any("1 rows belong to no group" in notice for notice in report.notices)
    assert any("rows of ann, bob" in notice for notice in report.notices)


def test_without_groups_the_report_says_that_it_is_not_about_new_signers():
    report = evaluate(trained_on(), answering("AB", "AB"))

    assert report.all_rows.groups == ()
    assert report.all_rows.worst_group is None
    assert any("not one on new signers" in notice for notice in report.notices)


def test_j_and_z_are_reported_apart_by_what_the_rows_show():
    # The A that is taken for a J stays, and stays a mistake.
    rows = answering("AJJZA", "AAJZZ", names="AJZ", group=("ann", "ann", "ann", "bob", "bob"))

    report = evaluate(trained_on("AJZ"), rows)

    assert report.all_rows.accuracy == pytest.approx(3 / 5)
    assert report.without_motion.n_rows == 2
    assert report.without_motion.accuracy == pytest.approx(1 / 2)
    assert [entry.letter for entry in report.without_motion.letters] == ["A"]
    assert [entry.group for entry in report.without_motion.groups] == ["ann"]


def test_only_motion_letters_leave_nothing_without_them():
    assert evaluate(trained_on("JZ"), answering("JZ", "JZ", names="JZ")).without_motion is None


def test_rows_of_the_training_set_are_counted_and_left_out_once():
    trained = trained_on(hashes=("0", "1", "another"), val_hashes=("yet another",))
    report = evaluate(trained, answering("ABAA", "ABAB"))

    assert report.n_rows_trained_on == 2
    assert report.n_rows_validated_on == 0
    assert report.all_rows.accuracy == pytest.approx(3 / 4)
    assert report.not_trained_on.n_rows == 2
    assert report.not_trained_on.accuracy == pytest.approx(1 / 2)
    assert report.notices[0].startswith("2 of 4 rows (50%) were in the training set")
    assert "50.0%" in report.notices[0]


def test_rows_that_are_all_from_the_training_set():
    report = evaluate(trained_on(hashes=("0", "1")), answering("AB", "AB"))

    assert report.n_rows_trained_on == 2
    assert report.not_trained_on is None
    assert "learnt by heart" in report.notices[0]


def test_rows_that_chose_the_epoch_are_not_called_unseen():
    trained = trained_on(hashes=("0", "1"), val_hashes=("2", "another"))
    report = evaluate(trained, answering("ABAAB", "ABABB", group=("ann", "ann", "bob", "bob", "cid")))

    assert (report.n_rows_trained_on, report.n_rows_validated_on) == (2, 1)
    assert report.not_trained_on.n_rows == 3
    assert report.unseen.n_rows == 2
    assert report.unseen.accuracy == pytest.approx(1 / 2)
    assert "1 of 5 rows chose the model's epoch and temperature" in report.notices[0]
    assert "on the other 2, by file hash unseen, it is 50.0%" in report.notices[0]
    assert [entry.n_rows_validated_on for entry in report.all_rows.groups] == [0, 1, 0]
    assert any("The model's epoch and temperature were chosen on rows of bob" in notice for notice in report.notices)


def test_rows_that_only_chose_the_epoch_are_told_too():
    report = evaluate(trained_on(hashes=("another",), val_hashes=("0", "1")), answering("AB", "AB"))

    assert (report.n_rows_trained_on, report.n_rows_validated_on) == (0, 2)
    assert report.unseen is None
    assert report.notices[0].startswith("2 of 2 rows chose the model's epoch and temperature")
    assert "no row is really unseen" in report.notices[0]


def test_a_file_that_does_not_list_its_validation_leaves_open_what_is_unseen():
    report = evaluate(trained_on(hashes=("0",)), answering("ABA", "ABB"))

    assert (report.n_rows_trained_on, report.n_rows_validated_on, report.unseen) == (1, None, None)
    assert any("does not list the rows that chose its epoch" in notice for notice in report.notices)


def test_a_model_that_nothing_validated_needs_no_list():
    report = evaluate(trained_on(hashes=("0",), val_accuracy=float("nan")), answering("ABA", "ABB"))

    assert report.n_rows_validated_on == 0
    assert report.unseen == report.not_trained_on


def test_no_known_row_of_the_training_set_is_no_proof_of_none():
    report = evaluate(trained_on(hashes=("another",), val_hashes=("yet another",)), answering("AB", "AB"))

    assert (report.n_rows_trained_on, report.n_rows_validated_on) == (0, 0)
    assert report.unseen == report.not_trained_on == report.all_rows
    assert "recognised by file hash only" in report.notices[0]
    assert "landmarks imported from elsewhere cannot be compared with photographs" in report.notices[0]


def test_a_model_that_does_not_list_its_rows_is_not_called_clean():
    report = evaluate(trained_on(hashes=()), answering("AB", "AB"))

    assert report.n_rows_trained_on is None
    assert report.not_trained_on is None
    assert "unknown" in report.notices[0]


def test_the_calibration_error_is_that_of_the_model_with_its_temperature():
    logits = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32) * 4
    letters = np.random.default_rng(1).choice(list("ABC"), 200)
    rows = rows_of(logits, letters.tolist())

    report = evaluate(trained_on(temperature=2.0), rows)

    probabilities = torch.softmax(torch.from_numpy(logits) / 2.0, dim=1).numpy()
    assert report.all_rows.calibration_error == pytest.approx(expected_calibration_error(probabilities, rows.labels))
    assert report.all_rows.calibration_error != evaluate(trained_on(), rows).all_rows.calibration_error


def test_the_bins_of_the_reliability_add_up_to_the_calibration_error():
    logits = np.random.default_rng(0).normal(size=(200, 3)) * 4
    report = evaluate(trained_on(), rows_of(logits, ("A", "B") * 100))

    gaps = [entry.n_rows * abs(entry.accuracy - entry.confidence) for entry in report.reliability]
    assert sum(entry.n_rows for entry in report.reliability) == 200
    assert sum(gaps) / 200 == pytest.approx(report.all_rows.calibration_error)
    assert all(entry.lower < entry.confidence <= entry.upper for entry in report.reliability)


def test_letters_that_the_model_does_not_know_are_refused():
    with pytest.raises(DatasetInvalid, match="found also space") as caught:
        evaluate(trained_on("AB"), answering("AB", ("A", "space"), names="AB"))

    assert "--allow-unknown-labels" in caught.value.hint


def test_letters_that_the_model_does_not_know_count_as_mistakes_where_allowed():
    rows = answering("ABA", ("A", "B", "space"), names="AB")

    report = evaluate(trained_on("AB"), rows, allow_unknown_labels=True)

    assert report.label_names == ("A", "B", "space")
    assert report.all_rows.accuracy == pytest.approx(2 / 3)
    assert report.all_rows.top3_accuracy == pytest.approx(2 / 3)
    assert report.confusion_matrix == ((1, 0, 0), (0, 1, 0), (1, 0, 0))
    assert any("1 rows show space" in notice for notice in report.notices)


def test_features_of_another_schema_are_refused():
    rows = replace(answering("AB", "AB"), feature_schema="asl63-v0")

    with pytest.raises(ModelInvalid, match="asl63-v0, found one for asl84-v1"):
        evaluate(trained_on(), rows)


def test_an_empty_data_set_is_refused():
    with pytest.raises(DatasetInvalid, match="empty"):
        evaluate(trained_on(), answering("AB", "AB").take(np.array([], np.int64)))


def test_one_row_is_enough():
    assert evaluate(trained_on(), answering("B", "B")).all_rows.accuracy == 1


@pytest.mark.parametrize("batch_size", [1, 4, 6, 100])
def test_the_batch_size_changes_nothing(batch_size):
    rows = answering("AABBCC", "AAABBC")

    assert evaluate(trained_on(), rows, batch_size=batch_size) == evaluate(trained_on(), rows)


def test_a_batch_size_of_nothing_is_refused():
    with pytest.raises(OptionsInvalid, match="found 0"):
        evaluate(trained_on(), answering("AB", "AB"), batch_size=0)


def test_the_report_survives_json():
    report = evaluate(trained_on(), answering("AB", "AA", group=("ann", "bob")))

    read = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert read["all_rows"]["worst_group"]["group"] == "bob"
    assert read["confusion_matrix"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_what_is_read_badly_is_advised_on():
    logits = [[9, 0, 0]] * 6 + [[0, 9, 0]] * 6 + [[9, 0, 0]] * 5 + [[0, 0, 9]]
    group = ["ann"] * 12 + ["bob"] * 6
    report = evaluate(trained_on("ABC"), rows_of(logits, "A" * 6 + "B" * 6 + "C" * 6, group=group))
    advice = {entry.code.value: str(entry) for entry in report.advice}
    assert set(advice) == {"rarely_read", "weak_group", "overconfident"}
    assert "C (17%, taken for A)." in advice["rarely_read"]
    assert "bob is read at 17%, the others at 100% on average." in advice["weak_group"]
    assert json.loads(json.dumps(report.to_dict()))["advice"][0]["code"] == "rarely_read"


def test_of_a_model_that_reads_all_nothing_is_advised():
    report = evaluate(trained_on("AB"), rows_of([[9, 0]] * 6 + [[0, 9]] * 6, "A" * 6 + "B" * 6))
    assert report.advice == ()
    assert (report.coverage.aurc, report.coverage.points[-1].accuracy) == (0, 1)
