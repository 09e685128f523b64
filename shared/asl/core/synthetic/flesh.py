"""The flesh of a hand: tapered capsules round the bones, the palm and the forearm."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from asl.core.synthetic.signers import PosedHand
from asl.core.synthetic.skeleton import KNUCKLES_M, FloatArray

# Radii of an adult's flesh round the joints, metres.
FINGER_RADII_M: Final = np.array(
    [
        [0.0110, 0.0102, 0.0090, 0.0074],  # index: knuckle, middle joint, end joint, tip
        [0.0110, 0.0102, 0.0090, 0.0076],  # middle
        [0.0105, 0.0096, 0.0086, 0.0072],  # ring
        [0.0094, 0.0086, 0.0077, 0.0064],  # pinky
    ]
)
THUMB_RADII_M: Final = np.array([0.0165, 0.0128, 0.0112, 0.0088])
# Where the metacarpals begin, in the hand frame, metres: index to pinky.
CARPALS_M: Final = np.array(
    [[0.014, 0.001, -0.003], [0.004, 0.003, 0.0], [-0.006, 0.003, 0.0], [-0.015, 0.001, -0.003]]
)
CARPAL_RADIUS_M: Final = 0.0145
PALM_RADII_M: Final = np.array([0.0120, 0.0118, 0.0115, 0.0105])
FOREARM_LENGTH_M: Final = 0.30
FOREARM_RADII_M: Final = (0.0185, 0.0300)
FOREARM_HALF_WIDTH_M: Final = 0.011
SWELLING: Final = 0.20  # of a finger folded flat on itself
# How far a capsule melts into what lies beside it, metres.
PALM_BLEND_M: Final = 0.008
FINGER_BLEND_M: Final = 0.0015

FOREARM, PALM, THUMB = 0, 1, 2  # parts; the fingers follow, from index (3) to pinky (6)


@dataclass(frozen=True)
class Capsule:
    """A tapered capsule: two spheres and the hull between them.

    Attributes:
        ends: (2, 3) metres, hand frame.
        radii: (2,) metres at the ends.
        back: (3,) unit vector, hand frame, out of the back of the hand.
        part: FOREARM, PALM, THUMB, or 3 to 6 for the fingers.
        bone: 0 for the bone nearest to the palm, 2 for the one with the nail.
        blend: metres over which the capsule melts into others.
    """

    ends: FloatArray
    radii: FloatArray
    back: FloatArray
    part: int
    bone: int
    blend: float


def clothe(hand: PosedHand, girth: float) -> list[Capsule]:
    """Put flesh on a posed hand.

    Args:
        hand: the bones.
        girth: thickness relative to an average hand of that size.

    Returns:
        The capsules, forearm and palm first.
    """
    scale = girth * float(np.linalg.norm(hand.bones.knuckles[1]) / np.linalg.norm(KNUCKLES_M[1]))
    capsules = [*_forearm(hand), *_palm(hand), *_thenar(hand), *_digits(hand)]
    return [Capsule(c.ends, c.radii * scale, c.back, c.part, c.bone, c.blend * scale) for c in capsules]


def _forearm(hand: PosedHand) -> list[Capsule]:
    """A flattened forearm from the wrist towards the elbow, out of three round ones."""
    along = hand.forearm
    side = np.cross(along, np.array([0.0, 0.0, 1.0]))
    side /= np.linalg.norm(side)
    back = np.cross(side, along)
    near, far = along * 0.008, along * FOREARM_LENGTH_M
    capsules = []
    for sign in (-1.0, 0.0, 1.0):
        offset = sign * side * FOREARM_HALF_WIDTH_M
        ends = np.array([near + offset, far + 1.8 * offset])
        radii = np.array(FOREARM_RADII_M)
        capsules.append(Capsule(ends, radii, back, FOREARM, 0, PALM_BLEND_M))
    return capsules


def _palm(hand: PosedHand) -> list[Capsule]:
    """Metacarpals, the flesh between them up to the webs, and the heel under the little finger."""
    knuckles, back = hand.skeleton.joints[[5, 9, 13, 17]], np.array([0.0, 0.0, 1.0])
    parts = [(CARPALS_M[i], knuckles[i], CARPAL_RADIUS_M, float(PALM_RADII_M[i])) for i in range(4)]
    for i in range(3):
        web = (knuckles[i] + knuckles[i + 1]) / 2.0 + np.array([0.0, -0.003, -0.001])
        parts.append(((CARPALS_M[i] + CARPALS_M[i + 1]) / 2.0, web, CARPAL_RADIUS_M, 0.0095))
    heel = knuckles[3] * np.array([0.95, 0.75, 1.0]) + np.array([0.0, 0.0, -0.003])
    parts.append((np.array([-0.016, -0.003, -0.008]), heel, 0.0155, 0.0120))
    return [
        Capsule(np.array([start, end]), np.array([first, last]), back, PALM, 0, PALM_BLEND_M)
        for start, end, first, last in parts
    ]


def _thenar(hand: PosedHand) -> list[Capsule]:
    """The ball of the thumb and the skin between thumb and index finger."""
    joints, back = hand.skeleton.joints, hand.skeleton.backs[2]
    root, knuckle, index = joints[1], joints[2], joints[5]
    towards = knuckle - root
    parts = [
        (np.array([0.009, -0.005, -0.007]), root + 0.75 * towards, 0.0150, 0.0125),
        (0.45 * index, root + 0.35 * towards, 0.0125, 0.0140),
        (0.62 * index, root + 0.75 * towards, 0.0100, 0.0100),
    ]
    return [
        Capsule(np.array([start, end]), np.array([first, last]), back, PALM, 0, PALM_BLEND_M)
        for start, end, first, last in parts
    ]


def _digits(hand: PosedHand) -> list[Capsule]:
    """Thumb and fingers, three capsules each."""
    joints, backs = hand.skeleton.joints, hand.skeleton.backs
    capsules = []
    for digit in range(5):
        first = 1 + 4 * digit
        radii = THUMB_RADII_M if digit == 0 else FINGER_RADII_M[digit - 1]
        swell = _swelling(joints[first : first + 3]) if digit > 0 else 1.0
        for bone in range(3):
            near, far = first + bone, first + bone + 1
            is_root = bone == 0
            capsules.append(
                Capsule(
                    ends=joints[[near, far]],
                    radii=radii[[bone, bone + 1]] * (1.0 if is_root else swell),
                    back=backs[far],
                    part=PALM if digit == 0 and is_root else THUMB + digit,
                    bone=bone,
                    blend=PALM_BLEND_M / 2.0 if is_root else FINGER_BLEND_M,
                )
            )
    return capsules


def _swelling(joints: FloatArray) -> float:
    """How much thicker a finger gets beyond its middle joint when that is bent, its flesh squeezed.

    Args:
        joints: (3, 3) metres, knuckle, middle and end joint.
    """
    first, second = np.diff(joints, axis=0)
    cosine = float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
    return 1.0 + SWELLING * (1.0 - cosine) / 2.0
