"""The folds of commands that leave out each group in turn."""

from collections.abc import Sequence
from pathlib import Path

from asl.cli import console
from asl.contracts import TrainingOptions
from asl.core import cross_validation, dataset
from asl.core.cross_validation import Trial


def plan_folds(
    data_files: Sequence[Path],
    train_only_files: Sequence[Path] | None,
    options: TrainingOptions,
    *,
    exclude_labels: Sequence[str],
    test_rows_per_class: int | None,
    n_seeds: int,
) -> tuple[Trial, ...]:
    """Plan a training without each group of data sets, and say where none can have altered hands.

    Args:
        data_files: With groups; taken together.
        train_only_files: Only train, and are never tested on.
        options: How to train.
        exclude_labels: Letters to leave out.
        test_rows_per_class: At most so many rows of a letter and group are tested.
        n_seeds: Each training is done so often, with other seeds.

    Raises:
        NotFound, DatasetInvalid: As `dataset.load` and `cross_validation.plan`.
    """
    folds = cross_validation.plan(
        _load(data_files),
        options,
        extra=_load(train_only_files) if train_only_files else None,
        exclude_labels=exclude_labels,
        test_rows_per_class=test_rows_per_class,
        n_seeds=n_seeds,
    )
    if options.augment and not folds[0].options.augment:
        console.err.print("note:  some data has features only, no landmarks: trained without augmentation")
    return folds


def _load(paths: Sequence[Path]) -> dataset.Dataset:
    return dataset.concatenate([dataset.load(path) for path in paths])
