"""Answers on signers or sources that training never saw, and what they come to: by group, by letter, refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score
from torch import Tensor

from asl.core.calibration import expected_calibration_error, fit_temperature
from asl.core.hand import MOTION_LETTERS
from asl.core.refusal import RefusalScore, Thresholds, fit_thresholds, score


@dataclass(frozen=True)
class GroupScore:
    """How a group was read by models trained on the others; means over the seeds."""

    group: str
    n_train: int
    n_test: int
    accuracy: float
    """In [0, 1]."""
    still_accuracy: float | None
    """The same without J and Z, which are movements; None where the group has no other letters."""
    macro_f1: float
    """Mean over the letters that the group has, in [0, 1]."""
    calibration_error: float
    """ECE of the scores as they are, in [0, 1]."""
    tempered_calibration_error: float
    """ECE with a temperature fitted to the held-out scores of all other groups."""
    accuracy_spread: float = 0.0
    """Standard deviation of the accuracy over the seeds; 0 for one seed."""


@dataclass(frozen=True)
class LetterScore:
    """How a letter was read by models that never saw the signer."""

    letter: str
    accuracy: float
    """Mean over the groups that have the letter, each counting the same, in [0, 1]."""
    n_groups: int
    taken_for: str | None
    """The letter that it was most often mistaken for; None where it never was."""


@dataclass(frozen=True)
class CrossValidation:
    """The scores of all groups, worst first."""

    groups: tuple[GroupScore, ...]
    temperature: float
    """Fitted to all held-out scores: what a model trained on all groups had best use."""
    n_seeds: int
    letters: tuple[LetterScore, ...] = ()
    """Worst first."""
    thresholds: Thresholds = field(default_factory=lambda: Thresholds(0.0, 0.0))
    """Fitted to all held-out scores, as the temperature is."""
    refusals: tuple[RefusalScore, ...] = ()
    """Of each group, by thresholds and a temperature of the others; means over the seeds."""

    @property
    def mean_accuracy(self) -> float:
        """Mean over the groups, each counting the same."""
        return float(np.mean([score.accuracy for score in self.groups]))

    @property
    def mean_still_accuracy(self) -> float | None:
        """Mean over the groups that have letters other than J and Z, without these; None where there are none."""
        return _mean_of_known([score.still_accuracy for score in self.groups])

    @property
    def mean_macro_f1(self) -> float:
        """Mean over the groups, each counting the same."""
        return float(np.mean([score.macro_f1 for score in self.groups]))

    @property
    def worst(self) -> GroupScore:
        """The group with the lowest accuracy."""
        return self.groups[0]

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as plain values."""
        return {
            "mean_accuracy": self.mean_accuracy,
            "mean_still_accuracy": self.mean_still_accuracy,
            "worst_accuracy": self.worst.accuracy,
            "worst_group": self.worst.group,
            "mean_macro_f1": self.mean_macro_f1,
            "temperature": self.temperature,
            **asdict(self.thresholds),
            "n_seeds": self.n_seeds,
            "groups": [asdict(score) for score in self.groups],
            "letters": [asdict(score) for score in self.letters],
            "refusals": [asdict(score) for score in self.refusals],
        }


@dataclass(frozen=True)
class HeldOut:
    """What a model answered on the group that it never saw."""

    group: str
    n_train: int
    logits: Tensor
    """(n, classes) float32."""
    labels: Tensor
    """(n,) int64, indices into `label_names`."""
    label_names: tuple[str, ...]
    non_letters: Mapping[str, Tensor] = field(default_factory=dict)
    """For each kind of hands that are no letters, (n, classes) float32 logits."""


def summarise(answers: Sequence[HeldOut], n_seeds: int) -> CrossValidation:
    """Score each group, average over the seeds, and put the worst group first."""
    temperature_without = {
        group: _temperature([part for part in answers if part.group != group])
        for group in dict.fromkeys(part.group for part in answers)
    }
    scores = [_score(part, temperature_without[part.group]) for part in answers]
    means = (_mean([score for score in scores if score.group == group]) for group in temperature_without)
    ordered = sorted(means, key=lambda score: score.accuracy)
    temperature = _temperature(answers)
    thresholds = _thresholds(answers, temperature)
    refusals = _refusals(answers, temperature_without)
    return CrossValidation(tuple(ordered), temperature, n_seeds, _letter_scores(answers), thresholds, refusals)


def _temperature(answers: Sequence[HeldOut]) -> float:
    return fit_temperature(torch.cat([part.logits for part in answers]), torch.cat([part.labels for part in answers]))


def _thresholds(answers: Sequence[HeldOut], temperature: float) -> Thresholds:
    groups = dict.fromkeys(part.group for part in answers)
    of_group = ([part.logits for part in answers if part.group == group] for group in groups)
    return fit_thresholds([_confidences(torch.cat(parts), temperature) for parts in of_group])


def _refusals(answers: Sequence[HeldOut], temperature_without: Mapping[str, float]) -> tuple[RefusalScore, ...]:
    scores = []
    for group, temperature in temperature_without.items():
        own = [part for part in answers if part.group == group]
        thresholds = _thresholds([part for part in answers if part.group != group], temperature)
        logits, labels = torch.cat([part.logits for part in own]), torch.cat([part.labels for part in own])
        others = {
            name: _confidences(torch.cat([part.non_letters[name] for part in own]), temperature)
            for name in own[0].non_letters
        }
        is_right = (logits.argmax(dim=1) == labels).numpy()
        scores.append(score(group, _confidences(logits, temperature), is_right, others, thresholds))
    return tuple(scores)


def _confidences(logits: Tensor, temperature: float) -> NDArray[np.float32]:
    confidences: NDArray[np.float32] = (logits / temperature).softmax(dim=1).amax(dim=1).numpy()
    return confidences


def _score(part: HeldOut, temperature: float) -> GroupScore:
    labels, answers = part.labels.numpy(), part.logits.argmax(dim=1).numpy()
    is_still = ~np.isin(np.array(part.label_names)[labels], sorted(MOTION_LETTERS))
    return GroupScore(
        group=part.group,
        n_train=part.n_train,
        n_test=len(labels),
        accuracy=float((answers == labels).mean()),
        still_accuracy=float((answers == labels)[is_still].mean()) if is_still.any() else None,
        macro_f1=float(f1_score(labels, answers, labels=np.unique(labels), average="macro", zero_division=0)),
        calibration_error=expected_calibration_error(part.logits.softmax(dim=1).numpy(), labels),
        tempered_calibration_error=expected_calibration_error(
            (part.logits / temperature).softmax(dim=1).numpy(), labels
        ),
    )


def _mean(scores: Sequence[GroupScore]) -> GroupScore:
    """Average the numbers of one group's scores."""
    names = [entry.name for entry in fields(GroupScore) if entry.name != "group"]
    means: dict[str, Any] = {name: _mean_of_known([getattr(score, name) for score in scores]) for name in names}
    counts = {name: round(mean) for name, mean in means.items() if name.startswith("n_")}
    spread = float(np.std([score.accuracy for score in scores]))
    return GroupScore(group=scores[0].group, **{**means, **counts, "accuracy_spread": spread})


def _letter_scores(answers: Sequence[HeldOut]) -> tuple[LetterScore, ...]:
    names = answers[0].label_names
    counts: dict[str, NDArray[np.int64]] = {}
    for part in answers:
        matrix = confusion_matrix(part.labels.numpy(), part.logits.argmax(dim=1).numpy(), labels=range(len(names)))
        counts[part.group] = counts.get(part.group, np.zeros_like(matrix)) + matrix
    scores = []
    for index in range(len(names)):
        rows = [matrix[index] for matrix in counts.values() if matrix[index].sum()]
        if rows:
            wrong = np.sum(rows, axis=0)
            wrong[index] = 0
            accuracy = float(np.mean([row[index] / row.sum() for row in rows]))
            taken_for = names[int(wrong.argmax())] if wrong.any() else None
            scores.append(LetterScore(names[index], accuracy, len(rows), taken_for))
    return tuple(sorted(scores, key=lambda score: score.accuracy))


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
