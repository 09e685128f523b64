import numpy as np
import pytest

from asl.core.refusal import NOT_A_LETTER_SHARE, UNSURE_SHARE, Thresholds, fit_thresholds, score


def test_thresholds_refuse_the_share_of_letters_that_they_are_meant_to():
    confidences = np.linspace(0, 1, 10_001)
    found = fit_thresholds([confidences])
    assert np.mean(confidences < found.unsure_below) == pytest.approx(UNSURE_SHARE, abs=1e-3)
    assert np.mean(confidences < found.not_a_letter_below) == pytest.approx(NOT_A_LETTER_SHARE, abs=1e-3)


def test_groups_count_the_same_whatever_their_size():
    large, small = np.linspace(0.5, 1, 5_000), np.linspace(0, 0.4, 50)
    found = fit_thresholds([large, small])
    # Half of the weight is the small group's: a tenth of it makes up the 5 % of all.
    assert found.unsure_below == pytest.approx(0.04, abs=0.01)


def test_without_answers_nothing_is_refused():
    assert fit_thresholds([np.empty(0)]) == Thresholds(0.0, 0.0)


def test_what_is_kept_and_refused_is_counted_on_either_side_of_the_threshold():
    letters, right = np.array([0.9, 0.8, 0.5, 0.2]), np.array([True, False, True, False])
    others = {"claw": np.array([0.1, 0.49, 0.5, 0.9])}
    found = score("ann", letters, right, others, Thresholds(0.5, 0.2))
    assert (found.kept, found.right_of_kept) == (0.75, pytest.approx(2 / 3))
    assert found.refused == {"claw": 0.5}
    assert score("ann", letters, right, {}, Thresholds(1.0, 0.2)).right_of_kept == 0
