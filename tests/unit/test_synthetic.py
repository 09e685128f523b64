"""Synthetic hands: kinematics, landmarks and pixels."""

import string

import numpy as np
import pytest

from asl.core.hand import CONNECTIONS, N_LANDMARKS
from asl.core.synthetic.camera import Camera, place_camera
from asl.core.synthetic.flesh import Capsule, clothe
from asl.core.synthetic.poses import POSES
from asl.core.synthetic.raster import FAR_PX, draw_capsules
from asl.core.synthetic.renderer import render_hand
from asl.core.synthetic.signers import sample_hand, sample_landmarks
from asl.core.synthetic.skeleton import (
    FINGER_LIMITS_DEG,
    THUMB_LIMITS_DEG,
    HandAngles,
    adult_bones,
    pose_hand,
    rotation,
    vary_bones,
)

LETTERS = string.ascii_uppercase
SMALL = (160, 160)
PHALANGES = [(joint, joint + 1) for first in (1, 5, 9, 13, 17) for joint in range(first, first + 3)]


def lengths(joints: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array([np.linalg.norm(joints[a] - joints[b]) for a, b in pairs])


def flat_hand() -> HandAngles:
    return HandAngles(fingers=np.zeros((4, 4)), thumb=np.zeros(5))


def test_there_is_a_pose_for_every_letter() -> None:
    assert list(POSES) == list(LETTERS)


@pytest.mark.parametrize("letter", LETTERS)
def test_the_kinematics_keep_every_bone_length(letter: str) -> None:
    hand = sample_hand(letter, np.random.default_rng(3))

    expected = np.concatenate([hand.bones.thumb, hand.bones.fingers.ravel()])
    np.testing.assert_allclose(lengths(hand.skeleton.joints, PHALANGES), expected, rtol=1e-9)


def test_a_flat_hand_lies_in_the_palm_and_points_up() -> None:
    bones = adult_bones()

    joints = pose_hand(flat_hand(), bones).joints

    np.testing.assert_allclose(joints[8], bones.knuckles[0] - [0.0, bones.fingers[0].sum(), 0.0], atol=1e-12)


@pytest.mark.parametrize("finger", range(4))
def test_a_flexed_finger_bends_to_the_palm_and_shows_its_back_upwards(finger: int) -> None:
    angles = flat_hand()
    angles.fingers[finger, 0] = 90.0

    skeleton = pose_hand(angles, adult_bones())

    tip = 8 + 4 * finger
    assert skeleton.joints[tip, 2] < -0.06
    assert skeleton.backs[tip] @ [0.0, -1.0, 0.0] == pytest.approx(1.0)


def test_backs_are_unit_vectors_across_the_bones() -> None:
    skeleton = sample_hand("C", np.random.default_rng(0)).skeleton

    bones = skeleton.joints[[b for _, b in PHALANGES]] - skeleton.joints[[a for a, _ in PHALANGES]]
    backs = skeleton.backs[[b for _, b in PHALANGES]]
    np.testing.assert_allclose(np.linalg.norm(backs, axis=1), 1.0)
    np.testing.assert_allclose((bones * backs).sum(axis=1), 0.0, atol=1e-12)


@pytest.mark.parametrize("letter", LETTERS)
def test_every_pose_is_within_the_limits_of_the_joints(letter: str) -> None:
    pose = POSES[letter]
    fingers = np.array([pose.index, pose.middle, pose.ring, pose.pinky])

    assert (fingers >= FINGER_LIMITS_DEG[:, 0]).all()
    assert (fingers <= FINGER_LIMITS_DEG[:, 1]).all()
    assert (np.array(pose.thumb) >= THUMB_LIMITS_DEG[:, 0]).all()
    assert (np.array(pose.thumb) <= THUMB_LIMITS_DEG[:, 1]).all()


def test_limited_clips_only_what_is_outside() -> None:
    angles = HandAngles(fingers=np.full((4, 4), 20.0), thumb=np.array([0.0, 0.0, 0.0, 0.0, 500.0]))

    limited = angles.limited()

    np.testing.assert_array_equal(limited.fingers, angles.fingers)
    assert limited.thumb[4] == THUMB_LIMITS_DEG[4, 1]


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_rotation_is_a_rotation(axis: str) -> None:
    matrix = rotation(axis, 37.0)

    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_rotation_follows_the_right_hand_rule() -> None:
    np.testing.assert_allclose(rotation("z", 90.0) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


def test_signers_differ() -> None:
    first, second = (vary_bones(np.random.default_rng(seed)) for seed in (0, 1))

    assert not np.allclose(first.fingers, second.fingers)


@pytest.mark.parametrize("letter", LETTERS)
def test_sampled_landmarks_are_a_hand_at_the_wrist(letter: str) -> None:
    landmarks = sample_landmarks(letter, np.random.default_rng(11))

    assert landmarks.shape == (N_LANDMARKS, 3)
    assert landmarks.dtype == np.float32
    np.testing.assert_array_equal(landmarks[0], 0.0)
    size = np.linalg.norm(landmarks, axis=1).max()
    assert 0.08 < size < 0.25
    assert lengths(landmarks, list(CONNECTIONS)).max() < 0.13


def test_sampled_landmarks_differ_between_draws_and_agree_for_one_seed() -> None:
    rng = np.random.default_rng(5)
    first, second = sample_landmarks("K", rng), sample_landmarks("K", rng)

    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, sample_landmarks("K", np.random.default_rng(5)))


@pytest.mark.parametrize("letter", LETTERS)
def test_every_letter_renders_with_its_landmarks_in_the_picture(letter: str) -> None:
    rendered = render_hand(letter, seed=1, size=SMALL)

    assert rendered.image.shape == (160, 160, 3)
    assert rendered.image.dtype == np.uint8
    assert rendered.image.std() > 5.0
    assert rendered.letter == letter
    assert rendered.handedness == "right"
    assert rendered.landmarks.shape == rendered.world_landmarks.shape == (N_LANDMARKS, 3)
    assert rendered.landmarks.dtype == rendered.world_landmarks.dtype == np.float32
    assert rendered.landmarks[:, :2].min() > 0.0
    assert rendered.landmarks[:, :2].max() < 1.0
    assert rendered.landmarks[0, 2] == 0.0


@pytest.mark.parametrize("letter", ["A", "C", "P", "W"])
def test_flesh_covers_every_joint_in_the_picture(letter: str) -> None:
    rng = np.random.default_rng(2)
    hand = sample_hand(letter, rng)
    joints = hand.skeleton.joints @ hand.turn.T
    camera = place_camera(joints, SMALL, rng)

    surface = draw_capsules(clothe(hand, 1.0), hand.turn, camera, SMALL)

    column, row, depth = camera.project(joints).T
    front = surface.depth[row.astype(int), column.astype(int)]
    assert (front <= depth).all()
    assert surface.part[0, 0] == -1
    assert surface.depth[0, 0] == FAR_PX


def test_the_front_of_a_capsule_is_the_nearest_of_its_spheres() -> None:
    capsule = Capsule(
        ends=np.array([[-0.03, 0.01, 0.02], [0.04, -0.02, -0.01]]),
        radii=np.array([0.02, 0.01]),
        back=np.array([0.0, 0.0, 1.0]),
        part=0,
        bone=0,
        blend=1e-6,
    )
    camera = Camera(distance=1e4, focal=1e7, centre=np.array([50.0, 50.0]))  # 1,000 pixels a metre, no perspective

    surface = draw_capsules([capsule], np.eye(3), camera, (100, 100))

    rows, columns = np.mgrid[0:100, 0:100] + 0.5
    nearest = np.full((100, 100), FAR_PX)
    for s in np.linspace(0.0, 1.0, 2001):
        x, y, z = (capsule.ends[0] + s * (capsule.ends[1] - capsule.ends[0])) * 1000.0 + (50.0, 50.0, 0.0)
        radius = (20.0 - 10.0 * s) ** 2 - (columns - x) ** 2 - (rows - y) ** 2
        nearest = np.where(radius > 0.0, np.minimum(nearest, z - np.sqrt(np.maximum(radius, 0.0))), nearest)
    both = (nearest < FAR_PX) & (surface.depth < FAR_PX)
    assert ((nearest < FAR_PX) == (surface.depth < FAR_PX)).mean() > 0.999
    np.testing.assert_allclose(surface.depth[both], nearest[both], atol=0.3)


def test_the_same_seed_gives_the_same_pixels() -> None:
    first, second = (render_hand("R", seed=9, size=SMALL) for _ in range(2))

    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)


def test_another_seed_gives_another_picture() -> None:
    first, second = (render_hand("R", seed=seed, size=SMALL) for seed in (9, 10))

    assert (first.image != second.image).mean() > 0.5


def test_a_left_hand_is_the_mirror_image_of_the_right() -> None:
    right = render_hand("L", seed=4, size=SMALL)
    left = render_hand("L", seed=4, size=SMALL, handedness="left")

    assert left.handedness == "left"
    np.testing.assert_array_equal(left.image, right.image[:, ::-1])
    np.testing.assert_allclose(left.landmarks[:, 0], 1.0 - right.landmarks[:, 0])
    np.testing.assert_array_equal(left.landmarks[:, 1:], right.landmarks[:, 1:])
    np.testing.assert_array_equal(left.world_landmarks, right.world_landmarks * [-1, 1, 1])


def test_a_size_that_is_no_square_is_width_and_height() -> None:
    rendered = render_hand("W", seed=0, size=(320, 200))

    assert rendered.image.shape == (200, 320, 3)
    assert rendered.landmarks[:, :2].max() < 1.0


@pytest.mark.parametrize("letter", ["", "a", "AA", "Ä", "1"])
def test_what_is_no_letter_is_refused(letter: str) -> None:
    with pytest.raises(ValueError, match="expected a letter from 'A' to 'Z'"):
        render_hand(letter, seed=0)
