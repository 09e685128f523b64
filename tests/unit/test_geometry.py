from itertools import combinations, pairwise

import numpy as np
import pytest
from factories import make_landmarks
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asl.core.features import SCHEMAS, compute_features
from asl.core.geometry import N_GEOMETRY, measure
from asl.core.hand import CONNECTIONS

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


def test_all_numbers_of_a_hand_one_by_one():
    hand = make_landmarks([0])[0].astype(np.float64)
    hand = (hand - hand[0]) / np.linalg.norm(hand - hand[0], axis=1).max()
    np.testing.assert_allclose(measure(hand[None].astype(np.float32))[0], _one_by_one(hand), atol=2e-6)


def _one_by_one(hand: np.ndarray) -> list[float]:
    """Compute the schema's numbers as its description has them, in 64 bits."""
    fingers = [(0, *range(root, root + 4)) for root in (1, 5, 9, 13, 17)]
    bones = [_unit(hand[to] - hand[start]) for finger in fingers for start, to in pairwise(finger)]
    joints = [(bone, bone + 1) for bone in range(19) if bone % 4 != 3]
    along = _unit(2 * hand[9] + hand[5] + hand[17])
    out = _unit(np.cross(hand[5] - hand[17], along))
    frame = np.array([np.cross(along, out), along, out])
    palm = np.mean([np.linalg.norm(hand[knuckle]) for knuckle in (5, 9, 13, 17)])
    first_bones = [_unit(hand[root + 1] - hand[root]) for root in (5, 9, 13, 17)]
    digits = [_unit(hand[end] - hand[start]) for start, end in [(2, 4), (5, 8), (9, 12), (13, 16), (17, 20)]]
    between = [first @ second for part in (first_bones, digits) for first, second in pairwise(part)]
    pairs = [*combinations((4, 8, 12, 16, 20), 2), *((0, tip) for tip in (4, 8, 12, 16, 20))]
    pairs += [(thumb, joint) for thumb in (4, 3) for joint in range(5, 21)] + [(5, 8), (9, 12), (13, 16), (17, 20)]
    return [
        *hand[1:].ravel(),
        *(np.linalg.norm(hand[second] - hand[first]) for first, second in CONNECTIONS),
        *(hand[1:] @ frame.T / palm / 2).ravel(),
        *(np.arccos(bones[first] @ bones[second]) / 1.5 for first, second in joints),
        *between,
        *(np.linalg.norm(hand[second] - hand[first]) / palm / 2 for first, second in pairs),
        *frame.ravel(),
        *(np.array(bones) @ frame.T).ravel(),
    ]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
