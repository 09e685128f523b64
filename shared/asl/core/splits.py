"""A data set's rows to those that train and those that judge, with nothing of the one in the other.

Near-duplicate frames of one signer make a random split worthless, so whole groups (signers or sources) change sides
where there are groups. In every case rows of one photograph (the same `sample_sha256`) and copies of one original (the
same `original` in the same `group`) stay together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl.contracts import SplitBy, TrainingOptions
from asl.core.dataset import Dataset
from asl.errors import DatasetInvalid

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Rows for training and for validation."""

    train_rows: Rows
    """Sorted indices."""
    val_rows: Rows
    """Sorted indices."""
    by: str
    """What stayed together: 'groups', 'originals', or 'rows'; 'nothing' where all rows train."""
    val_groups: tuple[str, ...]
    """The groups that validation consists of; empty unless `by` is 'groups'."""
    notice: str
    """What must be known of the validation figure; empty where there is nothing to say."""


@dataclass(frozen=True)
class Fold:
    """One group to test on, the others to train on."""

    group: str
    train_rows: Rows
    """Sorted indices."""
    test_rows: Rows
    """Sorted indices."""


def split_rows(dataset: Dataset, options: TrainingOptions) -> Split:
    """Divide a data set by `options.split`, `options.val_split` and `options.seed`.

    Raises:
        DatasetInvalid: There are too few rows or originals for both sides.
    """
    if not options.val_split:
        return _without_validation(dataset)
    clusters = find_clusters(dataset)
    generator = np.random.default_rng(options.seed)
    if options.split is SplitBy.GROUPS and len(units := _group_units(dataset, clusters)) > 1:
        return _split_groups(dataset, clusters, units, options.val_split, generator)
    is_val = _draw_stratified(dataset, clusters, options.val_split, generator)
    if not is_val.any():
        raise DatasetInvalid(
            f"expected at least two different originals of a class, found none in {len(dataset)} rows",
            hint="Add rows; validation needs some of its own.",
        )
    by = "originals" if np.any(dataset.original != "") else "rows"
    return Split(np.flatnonzero(~is_val), np.flatnonzero(is_val), by, (), _random_notice(dataset, options))


def leave_one_group_out(
    dataset: Dataset,
    *,
    seed: int,
    only_train: NDArray[np.bool_] | None = None,
    train_rows_per_class: int | None = None,
    test_rows_per_class: int | None = None,
) -> tuple[Fold, ...]:
    """Make one fold for each group; rows without a group only train.

    Args:
        dataset: At least two groups.
        seed: Of the choice under the caps.
        only_train: (n,) bool, true for rows that are never tested; None for no such rows.
        train_rows_per_class: At most so many rows of a class and group train; None for all.
        test_rows_per_class: At most so many rows of a class are tested; None for all.

    Raises:
        DatasetInvalid: There are fewer than two groups.
    """
    is_tested = dataset.group != "" if only_train is None else (dataset.group != "") & ~only_train
    groups = np.unique(dataset.group[is_tested])
    if len(groups) < 2:
        raise DatasetInvalid(
            f"expected at least two groups (signers or sources), found {len(groups)}",
            hint="Give the data sets of several signers, or prepare them with `--groups`.",
        )
    clusters, rank = find_clusters(dataset), rank_in_class(dataset, seed)
    may_train = rank < (train_rows_per_class or len(dataset))
    may_test = rank < (test_rows_per_class or len(dataset))
    folds = []
    for group in groups:
        inside = dataset.group == group
        is_known = np.isin(clusters, clusters[inside])
        test_rows = np.flatnonzero(may_test & inside & is_tested)
        folds.append(Fold(str(group), np.flatnonzero(may_train & ~is_known), test_rows))
    return tuple(folds)


def find_clusters(dataset: Dataset) -> Rows:
    """Number what must stay together: rows of one photograph, and copies of one original.

    Returns:
        (n,) int64, the number of each row's cluster, from 0.
    """
    rows = np.arange(len(dataset))
    original = np.where(dataset.original == "", rows.astype(np.str_), np.char.add("of ", dataset.original))
    keys = [_numbers(dataset.sample_sha256), _numbers(_numbers(dataset.group) * len(dataset) + _numbers(original))]
    cluster, before = rows, np.full_like(rows, -1)
    # Lowest row number over each key in turn until nothing moves: the two ways of belonging together may form chains.
    while not np.array_equal(cluster, before):
        before = cluster
        for key in keys:
            lowest = np.full(len(dataset), len(dataset))
            np.minimum.at(lowest, key, cluster)
            cluster = lowest[key]
    return _numbers(cluster)


def rank_in_class(dataset: Dataset, seed: int) -> Rows:
    """Number the rows of each class and group from 0 in random order, so that a cap keeps the lowest.

    Returns:
        (n,) int64.
    """
    order = np.random.default_rng(seed).permutation(len(dataset))
    key = (_numbers(dataset.group) * len(dataset.label_names) + dataset.labels)[order]
    by_key = np.argsort(key, kind="stable")
    starts = np.searchsorted(key[by_key], key[by_key])
    rank = np.empty(len(dataset), np.int64)
    rank[order[by_key]] = np.arange(len(dataset)) - starts
    return rank


def _numbers(values: NDArray[Any]) -> Rows:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _without_validation(dataset: Dataset) -> Split:
    notice = "all rows train: nothing tells how well the model reads; see `asl cross-validate` for that"
    return Split(np.arange(len(dataset)), np.empty(0, np.int64), "nothing", (), notice)


def _group_units(dataset: Dataset, clusters: Rows) -> list[tuple[str, ...]]:
    """Join groups that share photographs, since neither can be judged by a model that saw the other."""
    units: list[tuple[set[str], set[int]]] = []
    for group in dataset.groups:
        names, members = {group}, set(np.unique(clusters[dataset.group == group]).tolist())
        for unit in [unit for unit in units if unit[1] & members]:
            units.remove(unit)
            names, members = names | unit[0], members | unit[1]
        units.append((names, members))
    return [tuple(sorted(names)) for names, _ in units]


def _split_groups(
    dataset: Dataset, clusters: Rows, units: list[tuple[str, ...]], val_split: float, generator: np.random.Generator
) -> Split:
    order = [np.isin(dataset.group, units[index]) for index in generator.permutation(len(units))]
    wanted = val_split * len(dataset)

    def may_train(is_val: NDArray[np.bool_]) -> NDArray[np.bool_]:
        # Rows without a group belong to no unit, and may show a photograph that validates.
        return ~np.isin(clusters, clusters[is_val])

    def lost(is_val: NDArray[np.bool_]) -> int:
        return len(np.unique(dataset.labels)) - len(np.unique(dataset.labels[may_train(is_val)]))

    is_val = np.zeros(len(dataset), np.bool_)
    for inside in order:
        more = is_val | inside
        if not lost(more) and abs(more.sum() - wanted) < abs(is_val.sum() - wanted):
            is_val = more
    if not is_val.any():  # every group alone is far too large, or has letters that no other has
        is_val = min(order, key=lambda inside: (lost(inside), abs(inside.sum() - wanted)))
    val_groups = tuple(str(name) for name in np.unique(dataset.group[is_val]))
    is_train, notices = may_train(is_val), []
    if missing := sorted(set(dataset.letters) - set(dataset.letters[is_train])):
        notices.append(f"{', '.join(missing)} occur in one group only, which validates: the model never learns them")
    if n_left_out := int((~is_val & ~is_train).sum()):
        notices.append(f"{n_left_out:,} rows without a group are left out: their photographs validate")
    return Split(np.flatnonzero(is_train), np.flatnonzero(is_val), "groups", val_groups, "; ".join(notices))


def _draw_stratified(
    dataset: Dataset, clusters: Rows, val_split: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Take whole clusters of each class at random up to its share; one stays in training."""
    _, first_rows, sizes = np.unique(clusters, return_index=True, return_counts=True)
    order = generator.permutation(len(sizes))
    classes = dataset.labels[first_rows][order]
    is_val = np.zeros(len(sizes), np.bool_)
    for label in np.unique(classes):
        candidates = order[classes == label][:-1]
        wanted = val_split * sizes[order[classes == label]].sum()
        # To the nearest: the last cluster is taken if more than half of it is still wanted, the first one always.
        is_wanted = np.cumsum(sizes[candidates]) - sizes[candidates] / 2 <= wanted
        is_wanted[:1] = True
        is_val[candidates[is_wanted]] = True
    return is_val[clusters]


def _random_notice(dataset: Dataset, options: TrainingOptions) -> str:
    reason = {
        SplitBy.RANDOM: "rows were divided at random as asked",
        SplitBy.GROUPS: "the data set has no groups" if not dataset.groups else "the data set's groups are all one",
    }[options.split]
    return f"{reason}: the validation figure is not about new signers, on whom the model will do worse"
