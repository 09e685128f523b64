import numpy as np
import pytest
from factories import make_landmarks

from asl.core.augmentation import DEFAULT_STRENGTHS, Strengths, augment
from asl.core.features import compute_features

NONE = Strengths(0, 0, 0, 0, 0)


@pytest.fixture
def landmarks():
    return make_landmarks([0, 1, 2, 3] * 25)


def alter(landmarks, seed, strengths=DEFAULT_STRENGTHS, size=(0, 0)):
    return augment(landmarks, np.tile(np.int32(size), (len(landmarks), 1)), np.random.default_rng(seed), strengths)


def features(landmarks):
    return compute_features(landmarks, np.zeros(len(landmarks), bool))


def test_no_strength_changes_no_feature(landmarks):
    altered = alter(landmarks, 0, NONE)
    np.testing.assert_allclose(features(altered), features(landmarks), atol=1e-5)


def test_the_generators_state_decides(landmarks):
    first = alter(landmarks, 5)
    np.testing.assert_array_equal(alter(landmarks, 5), first)
    assert not np.array_equal(alter(landmarks, 6), first)


def test_turning_alone_keeps_all_distances_and_stays_within_the_angle(landmarks):
    altered = alter(landmarks, 0, Strengths(25, 25, 0, 0, 0))
    still = alter(landmarks, 0, NONE)
    np.testing.assert_allclose(np.linalg.norm(altered, axis=2), np.linalg.norm(still, axis=2), atol=1e-5)
    cosines = (altered * still).sum(2)[:, 1:] / np.linalg.norm(altered, axis=2)[:, 1:] ** 2
    angles = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    assert 15 < angles.max() < 3 * 25
    # A mirrored hand is another hand: a turn never mirrors.
    turns = np.linalg.lstsq(still[0], altered[0], rcond=None)[0]
    assert np.linalg.det(turns) == pytest.approx(1, abs=1e-3)


def test_each_hand_is_altered_in_its_own_way():
    same = np.repeat(make_landmarks([0]), 50, axis=0)
    altered = alter(same, 0, Strengths(25, 25, 0.12, 0, 0))
    assert np.unique(altered.round(5), axis=0).shape[0] == 50


def test_scale_and_jitter_are_as_strong_as_told():
    same = np.repeat(make_landmarks([0]), 4000, axis=0)
    still = alter(same[:1], 0, NONE)[0]
    scaled = alter(same, 1, Strengths(0, 0, 0.12, 0, 0))
    assert np.log(scaled[:, 8] / still[8]).std(axis=0) == pytest.approx(0.12, abs=0.006)
    jittered = alter(same, 1, Strengths(0, 0, 0, 0, 0.015))
    assert (jittered - still).std() == pytest.approx(0.015, abs=0.0005)


def test_the_input_stays_as_it_is_and_no_hand_is_fine(landmarks):
    before = landmarks.copy()
    altered = alter(landmarks, 0)
    np.testing.assert_array_equal(landmarks, before)
    assert altered.dtype == np.float32
    assert alter(landmarks[:0], 0).shape == (0, 21, 3)


def test_a_hand_without_size_raises_no_warning():
    assert np.isfinite(alter(np.zeros((2, 21, 3), np.float32), 0)).all()


def test_a_turn_in_a_wide_picture_keeps_lengths_in_pixels(landmarks):
    pixels = np.float32([640, 480, 640])
    altered = alter(landmarks, 0, Strengths(35, 25, 0, 0, 0), size=(640, 480)) * pixels
    still = alter(landmarks, 0, NONE, size=(640, 480)) * pixels
    np.testing.assert_allclose(np.linalg.norm(altered, axis=2), np.linalg.norm(still, axis=2), rtol=1e-4)
    assert not np.allclose(altered, still, rtol=0.05)


def test_shear_is_as_strong_as_told_and_leaves_the_axes_scale():
    unit = np.zeros((4000, 21, 3), np.float32)
    unit[:, 1:] = np.float32([1, 0, 0])
    sheared = alter(unit, 1, Strengths(0, 0, 0, 0.1, 0))
    np.testing.assert_allclose(sheared[:, 8, 0], 1, atol=1e-6)
    assert sheared[:, 8, 1:].std(axis=0) == pytest.approx(0.1, abs=0.006)
