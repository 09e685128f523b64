"""Signers who are nobody: random hands, each with its own bones, habits and view."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.poses import POSES, LetterPose
from asl.core.synthetic.skeleton import (
    BoneLengths,
    FloatArray,
    HandAngles,
    Skeleton,
    pose_hand,
    rotation,
    vary_bones,
)

# How much signers differ from the table and from themselves: standard deviations in degrees.
FINGER_SPREAD_DEG: Final = np.array([4.0, 2.0, 4.0, 3.0])
THUMB_SPREAD_DEG: Final = np.array([3.0, 3.0, 3.0, 3.0, 4.0])
CURL_SPREAD_DEG: Final = 3.0  # all fingers of one hand together
VIEW_SPREAD_DEG: Final = np.array([7.0, 7.0, 7.0])
FOREARM_SPREAD_DEG: Final = np.array([6.0, 5.0])


@dataclass(frozen=True)
class PosedHand:
    """One signer's right hand as it shows a letter.

    Attributes:
        skeleton: joints and backs in the hand frame.
        bones: the signer's bone lengths.
        turn: (3, 3), turns the hand frame into the camera's axes.
        forearm: (3,) unit vector from the wrist to the elbow in the hand frame.
    """

    skeleton: Skeleton
    bones: BoneLengths
    turn: FloatArray
    forearm: FloatArray


def sample_hand(letter: str, rng: np.random.Generator, signer_rng: np.random.Generator | None = None) -> PosedHand:
    """Draw one signer's right hand that shows `letter`.

    Args:
        letter: one of "A" to "Z".
        rng: draws the angles and the view.
        signer_rng: draws the bones; `rng` where not given.

    Raises:
        ValueError: `letter` is no letter of the alphabet.
    """
    if letter not in POSES:
        raise ValueError(f"expected a letter from 'A' to 'Z' in upper case, found {letter!r}")
    pose, bones = POSES[letter], vary_bones(signer_rng or rng)
    angles = vary_angles(pose, rng).limited()
    yaw, pitch, roll = np.array(pose.view) + rng.normal(0.0, VIEW_SPREAD_DEG)
    flexion, deviation = np.array(pose.forearm) + rng.normal(0.0, FOREARM_SPREAD_DEG)
    return PosedHand(
        skeleton=pose_hand(angles, bones),
        bones=bones,
        turn=rotation("z", roll) @ rotation("x", pitch) @ rotation("y", yaw),
        forearm=(rotation("z", deviation) @ rotation("x", flexion))[:, 1],
    )


def sample_landmarks(letter: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw only the landmarks of one signer's right hand that shows `letter`.

    Args:
        letter: one of "A" to "Z".
        rng: draws the bones, the angles and the view.

    Returns:
        (21, 3) float32 metres on the camera's axes (x right, y down, z away from the camera),
        the wrist at the origin.

    Raises:
        ValueError: `letter` is no letter of the alphabet.
    """
    hand = sample_hand(letter, rng)
    return (hand.skeleton.joints @ hand.turn.T).astype(np.float32)


def vary_angles(pose: LetterPose, rng: np.random.Generator) -> HandAngles:
    """The letter's angles as one signer makes them once."""
    fingers = np.array([pose.index, pose.middle, pose.ring, pose.pinky], dtype=np.float64)
    fingers += rng.normal(0.0, FINGER_SPREAD_DEG, fingers.shape)
    fingers[:, 0] += rng.normal(0.0, CURL_SPREAD_DEG)
    thumb = np.array(pose.thumb, dtype=np.float64) + rng.normal(0.0, THUMB_SPREAD_DEG)
    return HandAngles(fingers=fingers, thumb=thumb)
