"""The figure that counts: how well letters are read for a signer or source that training never saw."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score
from torch import Tensor

from asl.contracts import TrainingOptions
from asl.core.calibration import expected_calibration_error, fit_temperature
from asl.core.dataset import Dataset, concatenate, relabel, with_schema
from asl.core.fitting import Fitting, compute_logits, reproducible
from asl.core.hand import MOTION_LETTERS
from asl.core.splits import Fold, leave_one_group_out
from asl.errors import DatasetInvalid


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
            "n_seeds": self.n_seeds,
            "groups": [asdict(score) for score in self.groups],
            "letters": [asdict(score) for score in self.letters],
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


@dataclass(frozen=True)
class Trial:
    """One fold with one seed, and the rows that it takes."""

    fold: Fold
    options: TrainingOptions
    data: Dataset

    @property
    def train(self) -> Dataset:
        """What is trained on."""
        return self.data.take(self.fold.train_rows)

    @property
    def test(self) -> Dataset:
        """What is tested on."""
        return self.data.take(self.fold.test_rows)


def plan(
    dataset: Dataset,
    options: TrainingOptions,
    *,
    extra: Dataset | None = None,
    exclude_labels: Sequence[str] = (),
    test_rows_per_class: int | None = None,
    n_seeds: int = 1,
) -> tuple[Trial, ...]:
    """Lay out every training of a leave-one-group-out cross-validation, and check that all can run.

    Args:
        dataset: At least two groups.
        options: How to train; all epochs are done, since a test that decides when to stop is none.
        extra: Rows that only train.
        exclude_labels: Letters left out.
        test_rows_per_class: At most so many rows of a letter are tested.
        n_seeds: How often each fold is trained, each time with another seed and other rows under the caps.

    Raises:
        DatasetInvalid: Features of another schema without landmarks, fewer than two groups, or a fold without two
            letters to train or a row to test.
    """
    joined = _without(concatenate([dataset] if extra is None else [dataset, extra]), exclude_labels)
    joined = with_schema(joined, options.feature_schema.value)
    n_tested = int(np.isin(dataset.letters, list(exclude_labels), invert=True).sum())
    is_extra = np.arange(len(joined)) >= n_tested
    if joined.landmarks is None:
        options = options.model_copy(update={"augment": False})
    trials = tuple(
        Trial(fold, options.model_copy(update={"seed": seed}), joined)
        for seed in range(options.seed, options.seed + n_seeds)
        for fold in leave_one_group_out(
            joined,
            seed=seed,
            only_train=is_extra,
            train_rows_per_class=options.train_rows_per_class,
            test_rows_per_class=test_rows_per_class,
        )
    )
    for fold in (trial.fold for trial in trials):
        n_classes = len(np.unique(joined.labels[fold.train_rows]))
        if n_classes < 2:
            raise DatasetInvalid(f"expected at least two classes beside group {fold.group}, found {n_classes}")
    return trials


def run(trial: Trial, device: str, on_epoch: Callable[[], None] = lambda: None) -> HeldOut:
    """Train on the other groups and test on the one left out.

    Raises:
        OutOfMemory: The device ran out of memory.
    """
    with reproducible(trial.options, device):
        fitting = Fitting(trial.train, trial.options, device)
        for epoch in range(1, trial.options.epochs + 1):
            fitting.run_epoch(epoch)
            on_epoch()
        logits = compute_logits(fitting.model, trial.test.features)
    labels = torch.from_numpy(trial.test.labels)
    return HeldOut(trial.fold.group, len(trial.fold.train_rows), logits, labels, trial.data.label_names)


def summarise(answers: Sequence[HeldOut], n_seeds: int) -> CrossValidation:
    """Score each group, average over the seeds, and put the worst group first."""
    temperature_without = {
        group: _temperature([part for part in answers if part.group != group])
        for group in dict.fromkeys(part.group for part in answers)
    }
    scores = [_score(part, temperature_without[part.group]) for part in answers]
    means = (_mean([score for score in scores if score.group == group]) for group in temperature_without)
    ordered = sorted(means, key=lambda score: score.accuracy)
    return CrossValidation(tuple(ordered), _temperature(answers), n_seeds, _letter_scores(answers))


def _without(dataset: Dataset, labels: Sequence[str]) -> Dataset:
    if unknown := sorted(set(labels) - set(dataset.label_names)):
        raise DatasetInvalid(f"expected labels to exclude among {', '.join(dataset.label_names)}, found {unknown[0]}")
    kept = dataset.take(np.isin(dataset.letters, list(labels), invert=True))
    names = tuple(name for name in dataset.label_names if name not in labels)
    return replace(kept, labels=relabel(kept, names), label_names=names)


def _temperature(answers: Sequence[HeldOut]) -> float:
    return fit_temperature(torch.cat([part.logits for part in answers]), torch.cat([part.labels for part in answers]))


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
    names = [field.name for field in fields(GroupScore) if field.name != "group"]
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
