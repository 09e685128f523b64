from dataclasses import replace

import numpy as np
import pytest
from factories import make_dataset

from asl.contracts import TrainingOptions
from asl.core.dataset import concatenate
from asl.core.splits import find_clusters, leave_one_group_out, split_rows
from asl.errors import DatasetInvalid

FIVE = ("ann", "bob", "cid", "dan", "eve")


def options(**changes):
    return TrainingOptions(**changes)


def assert_partition(split, dataset):
    assert sorted([*split.train_rows, *split.val_rows]) == list(range(len(dataset)))


@pytest.mark.parametrize("seed", range(5))
def test_whole_groups_validate(seed):
    dataset = make_dataset(groups=FIVE)
    split = split_rows(dataset, options(seed=seed))
    assert_partition(split, dataset)
    assert split.by == "groups"
    assert len(split.val_groups) == 1
    assert set(dataset.group[split.val_rows]) == set(split.val_groups)
    assert not set(dataset.group[split.train_rows]) & set(split.val_groups)
    assert split.notice == ""


def test_the_seed_decides_which_groups():
    dataset = make_dataset(groups=FIVE)
    chosen = {split_rows(dataset, options(seed=seed)).val_groups for seed in range(20)}
    assert len(chosen) == 5
    again = split_rows(dataset, options(seed=3))
    np.testing.assert_array_equal(again.val_rows, split_rows(dataset, options(seed=3)).val_rows)


def test_as_many_groups_as_come_nearest_to_the_share():
    assert len(split_rows(make_dataset(groups=FIVE), options(val_split=0.6)).val_groups) == 3


def test_a_group_with_the_only_rows_of_a_letter_stays_in_training():
    dataset = concatenate(
        [make_dataset(letters="ABCZ", groups=("ann",)), make_dataset(letters="ABC", groups=FIVE[1:], seed=1)]
    )
    for seed in range(10):
        assert "ann" not in split_rows(dataset, options(seed=seed)).val_groups


def test_letters_that_no_training_row_has_are_told():
    dataset = concatenate(
        [make_dataset(letters="ABY", groups=("ann",)), make_dataset(letters="ABZ", groups=("bob",), seed=1)]
    )
    split = split_rows(dataset, options())
    assert ("Y" if split.val_groups == ("ann",) else "Z") in split.notice


def test_two_groups_of_very_different_size_are_still_divided():
    dataset = concatenate(
        [make_dataset(groups=("ann",), rows_per_letter=50), make_dataset(groups=("bob",), rows_per_letter=40, seed=1)]
    )
    split = split_rows(dataset, options(val_split=0.1))
    assert split.val_groups == ("bob",)


def test_groups_that_share_a_photograph_stay_together():
    dataset = make_dataset(groups=("ann", "bob", "cid"))
    shared = dataset.sample_sha256.copy()
    shared[np.flatnonzero(dataset.group == "bob")[0]] = shared[np.flatnonzero(dataset.group == "ann")[0]]
    dataset = replace(dataset, sample_sha256=shared)
    for seed in range(10):
        assert split_rows(dataset, options(seed=seed)).val_groups in {("cid",), ("ann", "bob")}


def test_rows_without_a_group_train():
    dataset = make_dataset(groups=("", "ann", "bob", "cid"))
    split = split_rows(dataset, options())
    assert set(np.flatnonzero(dataset.group == "")) <= set(split.train_rows)


@pytest.mark.parametrize("seed", range(5))
def test_a_row_without_a_group_that_shows_a_validating_photograph_never_trains(seed):
    dataset = make_dataset(groups=("", "ann", "bob", "cid"))
    hashes = dataset.sample_sha256.copy()
    for row, group in enumerate(("ann", "bob", "cid")):
        hashes[row] = hashes[np.flatnonzero(dataset.group == group)[5]]
    split = split_rows(replace(dataset, sample_sha256=hashes), options(seed=seed))
    assert not set(hashes[split.train_rows]) & set(hashes[split.val_rows])
    assert len(split.train_rows) + len(split.val_rows) == len(dataset) - len(split.val_groups)
    assert "rows without a group are left out" in split.notice


@pytest.mark.parametrize(
    ("groups", "changes", "words"),
    [(("",), {}, "no groups"), (("ann",), {}, "all one"), (FIVE, {"split": "random"}, "as asked")],
)
def test_a_random_split_is_stratified_and_says_what_it_is_worth(groups, changes, words):
    dataset = make_dataset(groups=groups, rows_per_letter=20)
    split = split_rows(dataset, options(**changes))
    assert_partition(split, dataset)
    assert split.by == "rows"
    counts = np.bincount(dataset.labels[split.val_rows], minlength=4)
    assert counts.tolist() == [4 * len(groups)] * 4
    assert words in split.notice
    assert "not about new signers" in split.notice


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_an_original_and_of_a_photograph_are_never_parted(seed):
    dataset = make_dataset(rows_per_letter=30)
    rows = np.arange(len(dataset))
    dataset = replace(
        dataset,
        original=np.where(rows % 2 == 0, (rows // 6).astype(str), ""),
        sample_sha256=np.array([f"{row // 4}" for row in rows]),
    )
    split = split_rows(dataset, options(seed=seed))
    assert split.by == "originals"
    for key in (dataset.original, dataset.sample_sha256):
        shared = set(key[split.train_rows]) & set(key[split.val_rows])
        assert shared <= {""}


def test_clusters_follow_chains_and_originals_count_within_their_group():
    dataset = make_dataset(letters="AB", rows_per_letter=3)
    dataset = replace(
        dataset,
        sample_sha256=np.array(["a", "a", "b", "b", "c", "d"]),
        original=np.array(["", "1", "1", "", "1", ""]),
        group=np.array(["x", "x", "x", "x", "y", "y"]),
    )
    assert find_clusters(dataset).tolist() == [0, 0, 0, 0, 1, 2]


def test_too_little_to_divide_is_an_error():
    with pytest.raises(DatasetInvalid, match="at least two different originals"):
        split_rows(make_dataset(rows_per_letter=1), options())


def test_each_group_is_left_out_once():
    dataset = make_dataset(groups=("bob", "ann", ""))
    folds = leave_one_group_out(dataset, seed=0)
    assert [fold.group for fold in folds] == ["ann", "bob"]
    for fold in folds:
        assert set(dataset.group[fold.test_rows]) == {fold.group}
        assert set(dataset.group[fold.train_rows]) == {"ann", "bob", ""} - {fold.group}


def test_caps_hold_per_letter_and_group_and_follow_the_seed():
    dataset = make_dataset(groups=("ann", "bob", "cid"))
    folds = leave_one_group_out(dataset, seed=0, train_rows_per_class=6, test_rows_per_class=3)
    for fold in folds:
        assert np.bincount(dataset.labels[fold.train_rows]).tolist() == [12] * 4
        assert np.bincount(dataset.labels[fold.test_rows]).tolist() == [3] * 4
    other = leave_one_group_out(dataset, seed=1, train_rows_per_class=6, test_rows_per_class=3)
    assert not np.array_equal(other[0].train_rows, folds[0].train_rows)


def test_a_photograph_of_the_tested_group_never_trains_even_under_another_name():
    dataset = make_dataset(groups=("ann", "bob"))
    hashes = dataset.sample_sha256.copy()
    hashes[-1] = hashes[0]
    folds = leave_one_group_out(replace(dataset, sample_sha256=hashes), seed=0, test_rows_per_class=1)
    assert len(dataset) - 1 not in folds[0].train_rows
    assert 0 not in folds[1].train_rows


def test_rows_that_only_train_are_never_tested():
    dataset = make_dataset(groups=("ann", "bob", "cid"))
    folds = leave_one_group_out(dataset, seed=0, only_train=dataset.group == "cid")
    assert [fold.group for fold in folds] == ["ann", "bob"]
    assert all("cid" in dataset.group[fold.train_rows] for fold in folds)


def test_one_group_cannot_be_left_out():
    with pytest.raises(DatasetInvalid, match=r"at least two groups.*found 1"):
        leave_one_group_out(make_dataset(groups=("ann", "")), seed=0)
