from dataclasses import replace

import numpy as np
import pytest
from factories import make_landmarks

from asl.core.augmentation import DEFAULT_STRENGTHS, Strengths, augment, blend, mistake_sides
from asl.core.features import compute_features

NONE = Strengths(*[0] * 11)


@pytest.fixture
def landmarks():
    return make_landmarks([0, 1, 2, 3] * 25)


def alter(landmarks, seed, strengths=DEFAULT_STRENGTHS, size=(1, 1)):
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
    altered = alter(landmarks, 0, replace(NONE, tilt_deg=25, roll_deg=25))
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
    altered = alter(same, 0, Strengths(25, 25, 0.12, 0, 0, *[0] * 6))
    assert np.unique(altered.round(5), axis=0).shape[0] == 50


def test_scale_and_jitter_are_as_strong_as_told():
    same = np.repeat(make_landmarks([0]), 4000, axis=0)
    still = alter(same[:1], 0, NONE)[0]
    scaled = alter(same, 1, Strengths(0, 0, 0.12, 0, 0, *[0] * 6))
    assert np.log(scaled[:, 8] / still[8]).std(axis=0) == pytest.approx(0.12, abs=0.006)
    jittered = alter(same, 1, Strengths(0, 0, 0, 0, 0.015, *[0] * 6))
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
    altered = alter(landmarks, 0, Strengths(35, 25, 0, 0, 0, *[0] * 6), size=(640, 480)) * pixels
    still = alter(landmarks, 0, NONE, size=(640, 480)) * pixels
    np.testing.assert_allclose(np.linalg.norm(altered, axis=2), np.linalg.norm(still, axis=2), rtol=1e-4)
    assert not np.allclose(altered, still, rtol=0.05)


def test_shear_is_as_strong_as_told_and_leaves_the_axes_scale():
    unit = np.zeros((4000, 21, 3), np.float32)
    unit[:, 1:] = np.float32([1, 0, 0])
    sheared = alter(unit, 1, Strengths(0, 0, 0, 0.1, 0, *[0] * 6))
    np.testing.assert_allclose(sheared[:, 8, 0], 1, atol=1e-6)
    assert sheared[:, 8, 1:].std(axis=0) == pytest.approx(0.1, abs=0.006)


def test_depth_is_scaled_and_shifted_alone():
    same = np.repeat(make_landmarks([0]), 4000, axis=0)
    still = alter(same[:1], 0, NONE)[0]
    scaled = alter(same, 1, replace(NONE, depth_sigma=0.4))
    np.testing.assert_allclose(scaled[..., :2], np.broadcast_to(still[:, :2], scaled[..., :2].shape), atol=1e-6)
    assert np.log(scaled[:, 8, 2] / still[8, 2]).std() == pytest.approx(0.4, abs=0.02)
    shifted = alter(same, 1, replace(NONE, depth_jitter_sigma=0.02)) - still
    assert shifted[..., 2].std() == pytest.approx(0.02, abs=0.0005)
    assert not np.any(shifted[..., :2])
    flat = alter(same, 1, replace(NONE, flat_share=0.1))[:, 8, 2] / still[8, 2]
    assert np.mean(np.isclose(flat, 0.1)) == pytest.approx(0.1, abs=0.02)
    assert np.mean(np.isclose(flat, 1)) == pytest.approx(0.9, abs=0.02)


def test_a_blend_lies_between_hands_of_one_letter_whatever_their_sides_and_pictures():
    hands = make_landmarks([0, 0, 1])
    mirrored = hands * np.float32([-1, 1, 1])
    sizes = np.array([[640, 480], [480, 480], [640, 480]], np.int32)
    to_own = np.stack([np.float32([480 / size[0], 1, 480 / size[0]]) for size in sizes])[:, None]
    given = np.stack([hands[0], mirrored[1], hands[2]]) * to_own
    sides = np.array([False, True, False])
    strengths = replace(NONE, blend_share=1, blend_limit=0.5)
    found = [blend(given, sides, sizes, np.array([0, 0, 1]), np.random.default_rng(n), strengths) for n in range(40)]
    metric = np.array(found) / to_own * np.where(sides, -1, 1)[:, None, None] ** np.array([1, 0, 0])
    first, second, other = alter(hands, 0, NONE, size=(1, 1))
    weights = ((metric[:, 0] - first) * (second - first)).sum((1, 2)) / ((second - first) ** 2).sum()
    expected = first + weights[:, None, None] * (second - first)
    np.testing.assert_allclose(metric[:, 0], expected, atol=1e-5)
    assert -1e-5 < weights.min() < 0.1
    assert 0.3 < weights.max() <= 0.5
    back = ((metric[:, 1] - second) * (first - second)).sum((1, 2)) / ((second - first) ** 2).sum()
    assert 0.3 < back.max() <= 0.5
    np.testing.assert_allclose(metric[:, 2], np.broadcast_to(other, metric[:, 2].shape), atol=1e-5)


def test_as_many_sides_are_mistaken_as_told():
    sides = np.arange(10_000) % 3 == 0
    mistaken = mistake_sides(sides, np.random.default_rng(0), replace(NONE, wrong_side_share=0.1))
    assert np.mean(mistaken != sides) == pytest.approx(0.1, abs=0.01)
    np.testing.assert_array_equal(mistake_sides(sides, np.random.default_rng(0), NONE), sides)
