"""Coverage curves of tiny cases that were computed by hand, and what must hold of every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asl.core.coverage import measure_coverage

ROWS = st.integers(1, 300)


def test_the_least_confident_are_refused_first():
    coverage = measure_coverage(np.array([0.5, 0.9, 0.6, 0.8]), np.array([False, True, True, False]))
    told = [(point.unsure_below, point.coverage, point.accuracy) for point in coverage.points]
    assert told == [(0.9, 0.25, 1), (0.8, 0.5, 0.5), (0.6, 0.75, pytest.approx(2 / 3)), (0.5, 1, 0.5)]
    assert coverage.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert coverage.least_aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_rows_of_one_confidence_are_kept_or_refused_together():
    coverage = measure_coverage(np.full(4, 0.7), np.array([True, False, False, False]))
    assert [(point.coverage, point.accuracy) for point in coverage.points] == [(1, 0.25)]
    assert coverage.aurc == 0.75


def test_the_models_own_threshold_is_a_point_of_its_own():
    confidences, is_right = np.array([0.5, 0.9, 0.6, 0.8]), np.array([False, True, True, False])
    as_set = measure_coverage(confidences, is_right, 0.6).as_set
    assert (as_set.unsure_below, as_set.coverage, as_set.accuracy) == (0.6, 0.75, pytest.approx(2 / 3))
    none_left = measure_coverage(confidences, is_right, 0.95).as_set
    assert (none_left.coverage, none_left.accuracy) == (0, 0)
    assert measure_coverage(confidences, is_right).as_set is None


@given(st.data())
def test_the_curve_ends_at_the_accuracy_and_no_order_beats_the_best(data):
    n = data.draw(ROWS)
    confidences = data.draw(hnp.arrays(np.float32, n, elements=st.floats(0, 1, width=32)))
    is_right = data.draw(hnp.arrays(np.bool_, n))
    coverage = measure_coverage(confidences, is_right)
    shares = [point.coverage for point in coverage.points]
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert coverage.points[-1].accuracy == pytest.approx(is_right.mean())
    assert -1e-9 <= coverage.least_aurc <= coverage.aurc + 1e-9 <= 1 + 2e-9
    for point in coverage.points:
        kept = confidences >= np.float32(point.unsure_below)
        assert (point.coverage, point.accuracy) == pytest.approx((kept.mean(), is_right[kept].mean()))
