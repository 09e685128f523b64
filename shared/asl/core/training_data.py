"""A data set to the rows that train and those that validate, checked before any work starts."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl.contracts import TrainingOptions
from asl.core.dataset import Dataset, concatenate, with_schema
from asl.core.splits import Rows, Split, find_clusters, rank_in_class, split_rows
from asl.errors import DatasetInvalid


@dataclass(frozen=True)
class TrainingData:
    """Rows for training and validation, with all that may make training refuse them checked."""

    train: Dataset
    validation: Dataset
    split: Split
    options: TrainingOptions
    """As given, without augmentation where there are no landmarks to alter."""
    notices: tuple[str, ...]
    """What the user must know."""
    data_digest: str
    split_digest: str


def prepare(dataset: Dataset, options: TrainingOptions, extra: Dataset | None = None) -> TrainingData:
    """Divide a data set and check that it can be trained on.

    Args:
        dataset: What is divided into training and validation.
        options: How to train.
        extra: Rows for training only; those of a validating group or photograph are left out.

    Raises:
        DatasetInvalid: Features of another schema without landmarks, fewer than two classes, or too few rows.
    """
    dataset = with_schema(dataset, options.feature_schema.value)
    extra = None if extra is None else with_schema(extra, options.feature_schema.value)
    if (n_classes := len(np.unique(dataset.labels))) < 2:
        raise DatasetInvalid(f"expected at least two classes, found {n_classes}", hint="Add other letters.")
    split = split_rows(dataset, options)
    joined = concatenate([dataset] if extra is None else [dataset, extra])
    validation = joined.take(split.val_rows)
    candidates = np.concatenate([split.train_rows, np.arange(len(dataset), len(joined))])
    train_rows = _unseen_in_validation(joined, candidates, split)
    n_left_out = len(candidates) - len(train_rows)
    if options.train_rows_per_class:
        rank = rank_in_class(joined.take(train_rows), options.seed)
        train_rows = train_rows[rank < options.train_rows_per_class]
    if len(train_rows) < 2:
        raise DatasetInvalid(f"expected at least two rows to train on, found {len(train_rows)}", hint="Add rows.")
    notices = [split.notice] if split.notice else []
    if n_left_out:
        notices.append(f"{n_left_out:,} rows that were to train are left out: their signer or photograph validates")
    if joined.landmarks is None and (options.augment or options.non_letter_share):
        options = without_landmarks(options)
        notices.append("some data has features only, no landmarks: trained without augmentation")
    return TrainingData(
        train=joined.take(train_rows),
        validation=validation,
        split=split,
        options=options,
        notices=tuple(notices),
        data_digest=_digest(joined.letters, joined.features, joined.is_left, joined.sample_sha256),
        split_digest=_digest(train_rows, split.val_rows),
    )


def without_landmarks(options: TrainingOptions) -> TrainingOptions:
    """Return options without what needs landmarks."""
    return options.model_copy(update={"augment": False, "non_letter_share": 0.0})


def _unseen_in_validation(joined: Dataset, rows: Rows, split: Split) -> Rows:
    """Leave out rows of a validating group, and of a photograph or an original that validates.

    Rows of `extra` can also tie one that trains to one that validates, which neither tells alone.
    """
    if not len(split.val_rows):
        return rows
    clusters = find_clusters(joined)
    is_known = np.isin(joined.group, split.val_groups) | np.isin(clusters, clusters[split.val_rows])
    return rows[~is_known[rows]]


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
