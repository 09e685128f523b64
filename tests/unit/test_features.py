import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asl.core.features import N_FEATURES, compute_features
from asl.core.hand import CONNECTIONS
from asl.errors import LandmarksInvalid

_hands = hnp.arrays(np.float32, (3, 21, 3), elements=st.floats(-1, 1, width=32)).filter(
    lambda hands: (np.linalg.norm(hands - hands[:, :1], axis=2).max(axis=1) > 0.1).all()
)
_RIGHT = [False] * 3


def test_one_hand_by_hand():
    hand = np.zeros((1, 21, 3), np.float32)
    hand[0] += (0.5, 0.5, 0)
    hand[0, 4] += (0.3, 0, 0.4)  # the farthest point: its distance 0.5 becomes 1
    hand[0, 8] += (0, -0.25, 0)
    features = compute_features(hand, [False])[0]
    assert features.shape == (84,)
    np.testing.assert_allclose(features[12:15], [0.6, 0, 0.8], atol=1e-6)
    np.testing.assert_allclose(features[24:27], [0, -0.5, 0], atol=1e-6)
    distances = dict(zip(CONNECTIONS, features[63:], strict=True))
    assert distances[3, 4] == pytest.approx(1, abs=1e-6)
    assert distances[7, 8] == pytest.approx(0.5, abs=1e-6)
    assert distances[0, 5] == 0


@given(_hands, st.floats(-2, 2, width=32), st.floats(0.25, 4, width=32))
def test_unchanged_by_translation_and_uniform_scale(hands, shift, scale):
    moved = compute_features(hands * np.float32(scale) + np.float32(shift), _RIGHT)
    np.testing.assert_allclose(moved, compute_features(hands, _RIGHT), atol=2e-4)


@given(_hands)
def test_a_mirrored_left_hand_equals_the_right_one(hands):
    mirrored = hands * np.array([-1, 1, 1], np.float32)
    np.testing.assert_allclose(compute_features(mirrored, [True] * 3), compute_features(hands, _RIGHT), atol=1e-6)


@given(_hands)
def test_largest_distance_from_the_wrist_is_one(hands):
    points = compute_features(hands, _RIGHT)[:, :63].reshape(-1, 21, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=2).max(axis=1), 1, atol=1e-5)


def test_no_hands_give_no_rows():
    assert compute_features(np.empty((0, 21, 3)), []).shape == (0, N_FEATURES)


@pytest.mark.parametrize("shape", [(21, 3), (1, 20, 3), (1, 21, 2), (0,)])
def test_wrong_shapes_are_named(shape):
    with pytest.raises(LandmarksInvalid, match=r"expected landmarks of shape \(n, 21, 3\), found"):
        compute_features(np.ones(shape), [False])


def test_sides_must_match_the_hands():
    with pytest.raises(LandmarksInvalid, match="one side for each of 2 hands"):
        compute_features(np.random.default_rng(0).random((2, 21, 3)), [False])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named_by_row(value):
    hands = np.random.default_rng(0).random((3, 21, 3))
    hands[1, 7, 2] = value
    with pytest.raises(LandmarksInvalid, match="row 1"):
        compute_features(hands, _RIGHT)


@pytest.mark.parametrize("value", [1e25, 3e38, -3e38, 1e300])
def test_a_hand_too_large_to_measure_is_named_by_row(value):
    hands = np.random.default_rng(0).random((3, 21, 3))
    hands[1, 7] = value
    hands[1, 0] = -value
    with pytest.raises(LandmarksInvalid, match="row 1"):
        compute_features(hands, _RIGHT)


def test_a_hand_without_size_is_named_by_row():
    hands = np.random.default_rng(0).random((3, 21, 3))
    hands[2] = 0.5
    with pytest.raises(LandmarksInvalid, match="row 2"):
        compute_features(hands, _RIGHT)
