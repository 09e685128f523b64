"""The figure that counts: how well letters are read for a signer or source that training never saw."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from asl.contracts import TrainingOptions
from asl.core.dataset import Dataset, concatenate, relabel
from asl.core.fitting import Fitting, compute_logits, reproducible
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
    macro_f1: float
    """Mean over the letters that the group has, in [0, 1]."""


@dataclass(frozen=True)
class CrossValidation:
    """The scores of all groups, worst first."""

    groups: tuple[GroupScore, ...]
    n_seeds: int

    @property
    def mean_accuracy(self) -> float:
        """Mean over the groups, each counting the same."""
        return float(np.mean([score.accuracy for score in self.groups]))

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
            "worst_accuracy": self.worst.accuracy,
            "worst_group": self.worst.group,
            "mean_macro_f1": self.mean_macro_f1,
            "n_seeds": self.n_seeds,
            "groups": [asdict(score) for score in self.groups],
        }


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
    train_rows_per_class: int | None = None,
    test_rows_per_class: int | None = None,
    n_seeds: int = 1,
) -> tuple[Trial, ...]:
    """Lay out every training of a leave-one-group-out cross-validation, and check that all can run.

    Args:
        dataset: At least two groups.
        options: How to train; all epochs are done, since a test that decides when to stop is none.
        extra: Rows that only train.
        exclude_labels: Letters left out.
        train_rows_per_class: At most so many rows of a letter and group train.
        test_rows_per_class: At most so many rows of a letter are tested.
        n_seeds: How often each fold is trained, each time with another seed and other rows under the caps.

    Raises:
        DatasetInvalid: Fewer than two groups, or a fold without two letters to train or a row to test.
    """
    joined = _without(concatenate([dataset] if extra is None else [dataset, extra]), exclude_labels)
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
            train_rows_per_class=train_rows_per_class,
            test_rows_per_class=test_rows_per_class,
        )
    )
    for fold in (trial.fold for trial in trials):
        n_classes = len(np.unique(joined.labels[fold.train_rows]))
        if n_classes < 2:
            raise DatasetInvalid(f"expected at least two classes beside group {fold.group}, found {n_classes}")
    return trials


def run(trial: Trial, device: str, on_epoch: Callable[[], None] = lambda: None) -> GroupScore:
    """Train on the other groups and test on the one left out.

    Raises:
        OutOfMemory: The device ran out of memory.
    """
    with reproducible(trial.options, device):
        fitting = Fitting(trial.train, trial.options, device)
        for epoch in range(1, trial.options.epochs + 1):
            fitting.run_epoch(epoch)
            on_epoch()
        test = trial.test
        answers = compute_logits(fitting.model, test.features).argmax(dim=1).numpy()
    return GroupScore(
        group=trial.fold.group,
        n_train=len(trial.fold.train_rows),
        n_test=len(test),
        accuracy=float((answers == test.labels).mean()),
        macro_f1=_macro_f1(test.labels, answers),
    )


def summarise(scores: Sequence[GroupScore], n_seeds: int) -> CrossValidation:
    """Average the scores of each group over the seeds, and put the worst group first."""
    means = (_mean([score for score in scores if score.group == group]) for group in _groups(scores))
    return CrossValidation(tuple(sorted(means, key=lambda score: score.accuracy)), n_seeds)


def _without(dataset: Dataset, labels: Sequence[str]) -> Dataset:
    if unknown := sorted(set(labels) - set(dataset.label_names)):
        raise DatasetInvalid(f"expected labels to exclude among {', '.join(dataset.label_names)}, found {unknown[0]}")
    kept = dataset.take(np.isin(dataset.letters, list(labels), invert=True))
    names = tuple(name for name in dataset.label_names if name not in labels)
    return replace(kept, labels=relabel(kept, names), label_names=names)


def _macro_f1(labels: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    return float(f1_score(labels, answers, labels=np.unique(labels), average="macro", zero_division=0))


def _groups(scores: Sequence[GroupScore]) -> Iterator[str]:
    yield from dict.fromkeys(score.group for score in scores)


def _mean(scores: Sequence[GroupScore]) -> GroupScore:
    return replace(
        scores[0],
        n_train=round(np.mean([score.n_train for score in scores])),
        n_test=round(np.mean([score.n_test for score in scores])),
        accuracy=float(np.mean([score.accuracy for score in scores])),
        macro_f1=float(np.mean([score.macro_f1 for score in scores])),
    )
