import numpy as np
import pytest
from factories import make_landmarks
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asl.core.features import SCHEMAS, compute_features
from asl.core.geometry import N_GEOMETRY

GEO = "asl-geo-v1"
_RIGHT = [False] * 3

_hands = hnp.arrays(np.float32, (3, 21, 3), elements=st.floats(-1, 1, width=32)).filter(
    lambda hands: (np.linalg.norm(hands - hands[:, :1], axis=2).max(axis=1) > 0.1).all()
)


def geometry(hands, is_left=None, size=(1, 1)):
    count = len(hands)
    return compute_features(hands, [False] * count if is_left is None else is_left, np.tile(size, (count, 1)), GEO)


@given(_hands)
def test_every_hand_has_finite_numbers_of_about_one(hands):
    features = geometry(hands)
    assert features.shape == (3, N_GEOMETRY) == (3, SCHEMAS[GEO])
    assert features.dtype == np.float32
    assert np.abs(features).max() <= 10


@given(_hands)
def test_a_mirrored_left_hand_equals_the_right_one(hands):
    mirrored = hands * np.array([-1, 1, 1], np.float32)
    np.testing.assert_array_equal(geometry(mirrored, [True] * 3), geometry(hands))


def test_unchanged_by_translation_scale_and_the_pictures_shape():
    hands = make_landmarks([0, 1, 2])
    expected = geometry(hands)
    np.testing.assert_allclose(geometry(hands * 3 + 0.25), expected, atol=2e-5)
    np.testing.assert_allclose(geometry(hands * np.float32([0.75, 1, 0.75]), size=(640, 480)), expected, atol=2e-5)
    assert not np.allclose(geometry(hands, size=(640, 480)), expected, atol=0.05)


def test_an_unknown_picture_counts_as_four_to_three():
    hands = make_landmarks([0, 1, 2])
    expected = geometry(hands, size=(640, 480))
    np.testing.assert_array_equal(geometry(hands, size=(0, 0)), expected)
    np.testing.assert_array_equal(compute_features(hands, _RIGHT, schema=GEO), expected)


def test_a_turn_in_space_changes_only_what_tells_the_view():
    hands = make_landmarks([0, 1, 2])
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0].astype(np.float32)
    turn *= np.sign(np.linalg.det(turn))
    changed = np.abs(geometry(hands @ turn) - geometry(hands)).max(axis=0) > 1e-3
    # Landmarks as the picture has them, and the palm's frame, which is what tells how the hand is turned.
    assert changed[:60].all()
    assert not changed[60:214].any()
    assert changed[214:223].all()
    assert not changed[223:].any()


def test_one_finger_by_hand():
    hand = np.zeros((1, 21, 3), np.float32)
    hand[0, [5, 9, 13, 17]] = [(-0.2, -1, 0), (0, -1, 0), (0.2, -1, 0), (0.4, -1, 0)]
    hand[0, 6] = hand[0, 5] + (0, -0.5, 0)
    hand[0, 7] = hand[0, 6] + (0, 0, -0.5)  # the index finger's middle joint is bent by a right angle
    hand[0, 8] = hand[0, 7] + (0, 0, -0.5)
    features = geometry(hand)[0]
    angles = features[141:156] * 1.5
    assert angles[4] == pytest.approx(np.pi / 2, abs=1e-3)
    assert angles[5] == pytest.approx(0, abs=0.02)
    across, along, out = features[214:223].reshape(3, 3)
    np.testing.assert_allclose(along, [0.05, -1, 0] / np.linalg.norm([0.05, -1, 0]), atol=1e-3)
    np.testing.assert_allclose(np.cross(across, along), out, atol=1e-6)
    assert abs(out[2]) == pytest.approx(1, abs=1e-6)


def test_no_hands_give_no_rows():
    assert compute_features(np.empty((0, 21, 3)), [], schema=GEO).shape == (0, N_GEOMETRY)
