import json
from dataclasses import replace

import pytest
import torch
from factories import make_dataset
from trainings import GROUPS, QUICK, command

from asl.contracts import TrainingOptions
from asl.core import cross_validation, dataset
from asl.core.held_out import HeldOut, summarise


def test_cross_validation_scores_each_group_worst_first(hands):
    options = TrainingOptions(**{**QUICK, "learning_rate": 0.01, "train_rows_per_class": 5})
    trials = cross_validation.plan(hands, options, exclude_labels=["B"], n_seeds=2)
    assert len(trials) == 6
    report = summarise([cross_validation.run(trial, "cpu") for trial in trials], 2)
    assert sorted(score.group for score in report.groups) == list(GROUPS)
    assert [score.accuracy for score in report.groups] == sorted(score.accuracy for score in report.groups)
    assert {(score.n_train, score.n_test) for score in report.groups} == {(30, 30)}
    assert report.mean_accuracy > 0.7
    assert report.worst == report.groups[0]
    assert all(0 < score.calibration_error < 1 for score in report.groups)
    assert 0.05 < report.temperature < 20


def test_a_groups_calibration_never_uses_its_own_answers():
    sure, unsure = torch.tensor([[8.0, 0.0]]).repeat(40, 1), torch.tensor([[0.5, 0.0]]).repeat(40, 1)
    right, often_wrong = torch.zeros(40, dtype=torch.int64), torch.tensor([0, 1] * 20)
    parts = [HeldOut("a", 9, sure, often_wrong, ("A", "J")), HeldOut("b", 9, unsure, right, ("A", "J"))]
    first, second = summarise(parts, 1).groups
    # Alone, b asks for more confidence than it has, which makes a, overconfident as it is, no better; and a for less.
    assert (first.group, first.calibration_error) == ("a", pytest.approx(0.5, abs=0.01))
    assert first.tempered_calibration_error == pytest.approx(0.5, abs=0.01)
    assert (first.accuracy, first.still_accuracy) == (0.5, 1)
    assert second.tempered_calibration_error > second.calibration_error + 0.1


def test_a_group_of_movements_alone_has_no_figure_without_them(tmp_path, capsys):
    still, moving = make_dataset(letters="AJ", groups=("ann", "bob")), make_dataset(letters="JZ", groups=("cid",))
    path = tmp_path / "hands.npz"
    dataset.save(dataset.concatenate([still, moving]), path)
    words = ["cross-validate", "--data-file", path, "--epochs", 1, "--hidden-sizes", 8, "--seeds", 2]
    assert command(*words, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    figures = {group["group"]: group["still_accuracy"] for group in report["groups"]}
    assert figures["cid"] is None
    assert report["mean_still_accuracy"] == pytest.approx((figures["ann"] + figures["bob"]) / 2)
    assert command(*words) == 0
    assert next(line for line in capsys.readouterr().out.splitlines() if "cid" in line).count("-") == 1


def test_movements_alone_have_no_mean_without_them():
    right = torch.zeros(4, dtype=torch.int64)
    part = HeldOut("a", 9, torch.tensor([[8.0, 0.0]]).repeat(4, 1), right, ("J", "Z"))
    assert summarise([part, replace(part, group="b")], 1).mean_still_accuracy is None


def test_each_letter_counts_every_group_the_same_and_names_what_it_is_taken_for():
    names = ("A", "B", "C")
    scores = torch.eye(3) * 8
    first = HeldOut("a", 9, scores[torch.tensor([0, 1, 1, 1])], torch.tensor([0, 0, 0, 0]), names)
    second = HeldOut("b", 9, scores[torch.tensor([0, 1])], torch.tensor([0, 1]), names)
    letters = summarise([first, second], 1).letters
    assert [(score.letter, score.accuracy, score.n_groups, score.taken_for) for score in letters] == [
        ("A", pytest.approx((0.25 + 1) / 2), 2, "B"),
        ("B", 1, 1, None),
    ]


def test_the_spread_is_that_over_the_seeds():
    names, right = ("A", "B"), torch.eye(2)[torch.tensor([0, 1])]
    parts = [HeldOut(group, 9, right, torch.tensor([0, 1]), names) for group in "ab"]
    parts += [HeldOut(group, 9, right, torch.tensor([0, 0]), names) for group in "ab"]
    report = summarise(parts, 2)
    assert [score.accuracy_spread for score in report.groups] == [0.25, 0.25]
    assert summarise(parts[:2], 1).groups[0].accuracy_spread == 0
