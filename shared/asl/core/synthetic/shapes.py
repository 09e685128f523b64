"""Hand shapes that are no letters: drawn at random, to train on, and ones with names, to test on."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.poses import POSES, Finger, LetterPose, Thumb
from asl.core.synthetic.signers import VIEW_SPREAD_DEG, vary_angles
from asl.core.synthetic.skeleton import FloatArray, HandAngles, pose_hand, rotation, vary_bones

_STATES_DEG: Final = np.array([[0, 0, 5, 5], [75, -4, 95, 58], [10, 0, 80, 45], [70, 0, 10, 8], [35, 0, 50, 28]])
"""A finger straight, folded, hooked, bent at the knuckle alone, curved."""
_STATE_SPREAD_DEG: Final = (8.0, 5.0, 8.0, 6.0)
_THUMB_RANGES_DEG: Final = np.array([[-5, 60], [0, 50], [50, 120], [0, 50], [-10, 55]])
_VIEW_RANGES_DEG: Final = np.array([[-60, 60], [-25, 30], [-60, 40]])
_LEAST_BEND_DEG: Final = 81.0
"""By how much, knuckle and middle joint together, some finger differs from each letter's."""
_LEAST_SWING_DEG: Final = 40.0
"""By how much the thumb differs from each letter's that has the same fingers."""
_DEPTH_DAMPING: Final = (-0.15, 0.3)
"""Mean and standard deviation of the logarithm of z's scale: MediaPipe makes hands flatter than they are."""
_NOISE: Final = np.array([0.006, 0.006, 0.012])
"""Standard deviation of landmarks, relative to the hand's size."""

_STRAIGHT: Final = (0, 0, 4, 4)
_FOLDED: Final = (76, -3, 96, 60)
_ACROSS: Final = (25, 40, 85, 38, 45)
_OUT: Final = (50, 8, 85, 0, 0)


def _shape(fingers: tuple[Finger, Finger, Finger, Finger], thumb: Thumb) -> LetterPose:
    return LetterPose(*fingers, thumb, view=(-8, 12, 3))


_SPREAD: Final = ((0, 6, 3, 3), (0, 1, 3, 3), (0, -7, 3, 3), (0, -14, 4, 4))

NAMED: Final = {
    "open hand": _shape(_SPREAD, _OUT),
    "four": _shape(_SPREAD, (10, 36, 95, 50, 50)),
    "I love you": _shape((_STRAIGHT, _FOLDED, _FOLDED, (0, -12, 4, 4)), _OUT),
    "horns": _shape((_STRAIGHT, _FOLDED, _FOLDED, (0, -12, 4, 4)), _ACROSS),
    "three": _shape(((0, 6, 3, 3), (0, -3, 4, 4), _FOLDED, (72, -12, 92, 60)), _OUT),
    "claw": _shape(((5, 8, 75, 40), (5, 2, 75, 40), (5, -6, 75, 40), (5, -13, 72, 40)), (45, 25, 70, 10, 30)),
    "thumb up": _shape((_FOLDED, _FOLDED, (79, -6, 95, 60), (74, -10, 92, 60)), (60, 0, 90, -10, -15)),
    "two in the middle": _shape((_FOLDED, (0, 2, 4, 4), (0, -5, 4, 4), (72, -12, 92, 60)), _ACROSS),
    "two outer fingers": _shape((_FOLDED, _FOLDED, (0, -5, 4, 4), (0, -12, 4, 4)), _ACROSS),
    "seven": _shape(((0, 6, 4, 4), (0, 1, 4, 4), (52, -8, 78, 45), (0, -16, 5, 5)), (22, 44, 90, 23, 32)),
    "eight": _shape(((0, 6, 4, 4), (50, 0, 75, 44), (0, -8, 4, 4), (0, -16, 5, 5)), (22, 44, 90, 23, 32)),
    "bent hand": _shape(((75, -3, 8, 6), (75, -1, 8, 6), (76, -4, 8, 6), (76, -9, 10, 8)), (20, 20, 90, 15, 15)),
}
"""Shapes that people make and that are no letters; none of them is drawn on purpose by `sample_shapes`."""

LEARNED: Final = ("open hand", "four", "claw", "thumb up")
"""Those that people show between letters, and that are close to one: classifiers are trained on them by name."""


def sample_shapes(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw hands with fingers and thumb as no letter has them.

    Args:
        count: How many.
        rng: Draws all of it.

    Returns:
        (count, 21, 3) float32: right hands relative to the wrist, the largest distance from it about 1.
    """
    hands: list[FloatArray] = []
    while len(hands) < count:
        fingers = _STATES_DEG[rng.integers(0, len(_STATES_DEG), 4)] + rng.normal(0.0, _STATE_SPREAD_DEG, (4, 4))
        angles = HandAngles(fingers, rng.uniform(*_THUMB_RANGES_DEG.T))
        if not _is_like_a_letter(angles):
            hands.append(place(angles, rng.uniform(*_VIEW_RANGES_DEG.T), rng))
    return as_found(hands, rng)


def sample_named(name: str, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw hands that make one of `NAMED`, as `sample_shapes` does."""
    pose = NAMED[name]
    views = np.array(pose.view) + rng.normal(0.0, 2 * VIEW_SPREAD_DEG, (count, 3))
    return as_found([place(vary_angles(pose, rng), view, rng) for view in views], rng)


def _is_like_a_letter(angles: HandAngles) -> bool:
    bends = np.abs(_LETTER_BENDS - (angles.fingers[:, 0] + angles.fingers[:, 2])).max(axis=1)
    swings = np.abs(_LETTER_SWINGS - angles.thumb[0])
    return bool(((bends < _LEAST_BEND_DEG) & (swings < _LEAST_SWING_DEG)).any())


def place(angles: HandAngles, view: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Pose another person's hand, turned by (yaw, pitch, roll) in degrees as in `LetterPose`: (21, 3) metres."""
    yaw, pitch, roll = view
    turn = rotation("z", roll) @ rotation("x", pitch) @ rotation("y", yaw)
    return pose_hand(angles.limited(), vary_bones(rng)).joints @ turn.T


def as_found(hands: Sequence[NDArray[np.floating[Any]]], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return hands as MediaPipe finds them: of no size in particular, flatter, and inexact."""
    points = np.array(hands)
    points /= np.linalg.norm(points, axis=2).max(axis=1)[:, None, None]
    points[..., 2] *= np.exp(rng.normal(*_DEPTH_DAMPING, (len(points), 1)))
    points += rng.normal(0.0, 1.0, points.shape) * _NOISE
    return np.asarray(points - points[:, :1], np.float32)


_LETTER_FINGERS: Final = np.array([[p.index, p.middle, p.ring, p.pinky] for p in POSES.values()], np.float64)
_LETTER_BENDS: Final = _LETTER_FINGERS[:, :, 0] + _LETTER_FINGERS[:, :, 2]
_LETTER_SWINGS: Final = np.array([pose.thumb[0] for pose in POSES.values()], np.float64)
