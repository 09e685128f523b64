"""What is advised of data sets, curves and reports, and when nothing is."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_dataset

from asl.core import dataset as core_dataset
from asl.core.advice import FEW_ROWS, AdviceCode, of_dataset, of_hands_found
from asl.core.fitting import EpochMetrics
from asl.core.hand import LETTERS
from asl.core.training_advice import of_training

TWO = ("ann", "bob")


def _codes(advice):
    return {entry.code for entry in advice}


@pytest.fixture(scope="module")
def good():
    return make_dataset(groups=TWO, rows_per_letter=FEW_ROWS)


def test_of_good_data_nothing_is_advised(good):
    assert of_dataset(good) == ()


def test_unbalanced_letters_and_few_rows_are_named(good):
    few = good.take((good.letters != "C") | (np.arange(len(good)) % 10 == 0))
    found = {entry.code: entry for entry in of_dataset(few)}
    assert set(found) == {AdviceCode.UNBALANCED, AdviceCode.FEW_ROWS}
    assert "C 6." in found[AdviceCode.UNBALANCED].found
    assert "--use-class-weights" in found[AdviceCode.UNBALANCED].remedy
    assert str(found[AdviceCode.FEW_ROWS]).startswith("Fewer than 30 rows show C. ")


def test_one_signer_and_none_are_told_apart(good):
    assert _codes(of_dataset(good.take(good.group == "ann"))) == {AdviceCode.ONE_SIGNER}
    assert _codes(of_dataset(replace(good, group=np.full(len(good), "")))) == {AdviceCode.NO_SIGNERS}


def test_letters_of_one_signer_alone_are_named(good):
    (advice,) = of_dataset(good.take((good.letters != "B") | (good.group == "ann")))
    assert (advice.code, "shows B." in advice.found) == (AdviceCode.ONE_SIGNERS_LETTERS, True)


def test_missing_letters_are_named_where_most_are_there():
    most = make_dataset(letters="".join(LETTERS[:24]), groups=TWO, rows_per_letter=FEW_ROWS)
    (advice,) = of_dataset(most)
    assert (advice.code, advice.found) == (AdviceCode.MISSING_LETTERS, "No row shows Y, Z.")


def test_frames_of_a_film_are_nearly_the_same_and_known_copies_are_not_counted(good):
    again = replace(good, landmarks=good.landmarks + np.float32(1e-4))
    both = core_dataset.from_landmarks(
        landmarks=np.concatenate([good.landmarks, again.landmarks]),
        letters=np.tile(good.letters, 2),
        handedness=np.tile(good.handedness, 2),
        group=np.tile(good.group, 2),
    )
    (advice,) = of_dataset(both)
    assert (advice.code, advice.found[:4]) == (AdviceCode.NEAR_DUPLICATES, "100%")
    names = np.arange(len(good)).astype(str)
    assert of_dataset(replace(both, original=np.tile(names, 2))) == ()
    assert of_dataset(replace(both, sample_sha256=np.tile(good.sample_sha256, 2))) == ()
    assert of_dataset(replace(both, landmarks=None, features=np.ones((len(both), 7)), feature_schema="other")) == ()


def test_letters_whose_hands_are_rarely_found_are_named_worst_first():
    (advice,) = of_hands_found({"A": (10, 9), "B": (10, 3), "C": (100, 70), "D": (4, 0)})
    assert "B (30%), C (70%)." in advice.found
    assert of_hands_found({"A": (10, 8)}) == ()


def _metrics(train, val, val_losses=None):
    losses = val_losses or [1 / epoch for epoch in range(1, len(val) + 1)]
    return [
        EpochMetrics(epoch, 1 / epoch, train_accuracy, loss, val_accuracy, 1e-3, 1.0)
        for epoch, (train_accuracy, val_accuracy, loss) in enumerate(zip(train, val, losses, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("metrics", "best", "n_epochs", "codes"),
    [
        (_metrics([0.8, 0.97], [0.7, 0.96]), 2, 20, set()),
        (_metrics([0.8, 0.99], [0.7, 0.8]), 2, 20, {AdviceCode.OVERFITTING}),
        (_metrics([0.8, 0.9, 0.95], [0.9, 0.9, 0.9], [0.3, 0.2, 0.4]), 2, 20, {AdviceCode.OVERFITTING}),
        (_metrics([0.3, 0.5], [0.3, 0.5]), 2, 2, {AdviceCode.UNDERFITTING}),
        (_metrics([0.8, 0.9], [0.8, 0.9]), 2, 2, {AdviceCode.UNFINISHED}),
        (_metrics([0.8, 0.9], [0.8, 0.9]), 2, 3, set()),
        (_metrics([0.4, 0.5], [None, None], [None, None]), 2, 2, {AdviceCode.UNDERFITTING}),
        (_metrics([0.8, 0.99], [None, None], [None, None]), 2, 2, set()),
        ([], 0, 2, set()),
    ],
)
def test_curves_tell_of_over_and_underfitting(metrics, best, n_epochs, codes):
    assert _codes(of_training(metrics, best, n_epochs)) == codes
