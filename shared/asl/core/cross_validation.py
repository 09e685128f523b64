"""The figure that counts: how well letters are read for a signer or source that training never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from asl.contracts import TrainingOptions
from asl.core.dataset import Dataset, concatenate, relabel, with_schema
from asl.core.features import compute_features
from asl.core.fitting import Fitting, compute_logits, reproducible
from asl.core.held_out import HeldOut
from asl.core.model import ASLClassifier
from asl.core.non_letters import hands_to_refuse
from asl.core.splits import Fold, leave_one_group_out
from asl.core.training_data import without_landmarks
from asl.errors import DatasetInvalid


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
        options = without_landmarks(options)
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
        non_letters = _answers_on_non_letters(fitting.model, trial.test) if trial.options.non_letter_share else {}
    labels = torch.from_numpy(trial.test.labels)
    n_train, names = len(trial.fold.train_rows), trial.data.label_names
    return HeldOut(trial.fold.group, n_train, logits, labels, names, non_letters)


def _without(dataset: Dataset, labels: Sequence[str]) -> Dataset:
    if unknown := sorted(set(labels) - set(dataset.label_names)):
        raise DatasetInvalid(f"expected labels to exclude among {', '.join(dataset.label_names)}, found {unknown[0]}")
    kept = dataset.take(np.isin(dataset.letters, list(labels), invert=True))
    names = tuple(name for name in dataset.label_names if name not in labels)
    return replace(kept, labels=relabel(kept, names), label_names=names)


def _answers_on_non_letters(model: ASLClassifier, test: Dataset) -> dict[str, Tensor]:
    answers = {}
    for name, hands in hands_to_refuse(test).items():
        sides, size = np.zeros(len(hands), np.bool_), np.ones((len(hands), 2), np.int32)
        answers[name] = compute_logits(model, compute_features(hands, sides, size, test.feature_schema))
    return answers
