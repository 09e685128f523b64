"""Kinematics of a right hand: the 21 joints and the bone frames from joint angles."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from asl.core.hand import N_LANDMARKS

FloatArray = NDArray[np.float64]

# Hand frame, in metres: the wrist at the origin, x to the thumb's side, y from the fingers to the
# elbow, z out of the back of the hand. A right hand with its palm to the camera has the camera's
# axes (x right, y down, z away from the camera), which are MediaPipe's.
# An adult's hand, rounded to millimetres; the proportions are those that MediaPipe's own joints
# have, whose knuckles lie nearer to the fingers' webs than the anatomical ones.
THUMB_BASE_M: Final = np.array([0.024, -0.023, -0.015])
KNUCKLES_M: Final = np.array(
    [
        [0.022, -0.092, -0.006],  # index
        [0.000, -0.093, 0.000],  # middle
        [-0.020, -0.087, -0.002],  # ring
        [-0.037, -0.074, -0.007],  # pinky
    ]
)
THUMB_BONES_M: Final = np.array([0.032, 0.036, 0.030])
FINGER_BONES_M: Final = np.array(
    [
        [0.035, 0.024, 0.024],  # index
        [0.041, 0.028, 0.026],  # middle
        [0.036, 0.026, 0.026],  # ring
        [0.028, 0.022, 0.021],  # pinky
    ]
)
# Twist of each flexion plane, so that the fingertips of a fist draw together, degrees.
FINGER_LEAN_DEG: Final = np.array([4.0, 0.0, -5.0, -10.0])
# Limits of the joints of a healthy adult, degrees: (flexion, spread, middle joint, end joint).
FINGER_LIMITS_DEG: Final = np.array([[-25.0, 100.0], [-30.0, 30.0], [-5.0, 115.0], [-10.0, 90.0]])
# (swing to the side, lift off the palm, twist, knuckle, end joint).
THUMB_LIMITS_DEG: Final = np.array([[-40.0, 100.0], [-20.0, 80.0], [-20.0, 150.0], [-20.0, 80.0], [-25.0, 90.0]])


@dataclass(frozen=True)
class HandAngles:
    """The angles of every joint of a hand, in degrees.

    Attributes:
        fingers: (4, 4), a row for index, middle, ring and pinky: flexion at the knuckle, spread
            (positive to the thumb), flexion of the middle joint, flexion of the end joint.
        thumb: (5,), swing of the metacarpal from the fingers' direction to the side, its lift off
            the palm, its twist (0: the thumb bends into the palm, 90: across it), flexion of
            the knuckle, flexion of the end joint.
    """

    fingers: FloatArray
    thumb: FloatArray

    def limited(self) -> Self:
        """The same angles, each inside the limits of a healthy joint."""
        return type(self)(
            fingers=np.clip(self.fingers, FINGER_LIMITS_DEG[:, 0], FINGER_LIMITS_DEG[:, 1]),
            thumb=np.clip(self.thumb, THUMB_LIMITS_DEG[:, 0], THUMB_LIMITS_DEG[:, 1]),
        )


@dataclass(frozen=True)
class BoneLengths:
    """The size of one person's hand.

    Attributes:
        thumb_base: (3,) metres, the root of the thumb in the hand frame.
        knuckles: (4, 3) metres, the fingers' knuckles in the hand frame.
        thumb: (3,) metres, metacarpal and the two phalanges.
        fingers: (4, 3) metres, three phalanges each of index, middle, ring and pinky.
    """

    thumb_base: FloatArray
    knuckles: FloatArray
    thumb: FloatArray
    fingers: FloatArray


@dataclass(frozen=True)
class Skeleton:
    """A posed hand.

    Attributes:
        joints: (21, 3) float64 metres, hand frame, the wrist at the origin.
        backs: (21, 3) float64 unit vectors: out of the back (nail side) of the bone that ends in
            the joint; the wrist and the knuckles have the back of the hand.
    """

    joints: FloatArray
    backs: FloatArray


def adult_bones(scale: float = 1.0) -> BoneLengths:
    """The bone lengths of an adult's hand, times `scale`."""
    return BoneLengths(
        thumb_base=THUMB_BASE_M * scale,
        knuckles=KNUCKLES_M * scale,
        thumb=THUMB_BONES_M * scale,
        fingers=FINGER_BONES_M * scale,
    )


def vary_bones(rng: np.random.Generator) -> BoneLengths:
    """The bone lengths of another person: size within 15 %, each finger and bone a few percent."""
    bones = adult_bones(float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15)))
    width = np.array([rng.normal(1.0, 0.03), 1.0, 1.0])
    fingers = rng.normal(1.0, 0.03, (4, 1)) * rng.normal(1.0, 0.015, (4, 3))
    return BoneLengths(
        thumb_base=bones.thumb_base * width,
        knuckles=bones.knuckles * width,
        thumb=bones.thumb * rng.normal(1.0, 0.025, 3),
        fingers=bones.fingers * fingers,
    )


def pose_hand(angles: HandAngles, bones: BoneLengths) -> Skeleton:
    """Place the 21 joints of a right hand by forward kinematics."""
    joints = np.zeros((N_LANDMARKS, 3))
    backs = np.tile(np.array([0.0, 0.0, 1.0]), (N_LANDMARKS, 1))
    joints[1] = bones.thumb_base
    joints[2:5], backs[2:5] = _chain(
        bones.thumb_base, _thumb_frame(angles.thumb), (0.0, *angles.thumb[3:]), bones.thumb
    )
    for finger in range(4):
        first = 5 + 4 * finger
        flexion, spread, *ends = angles.fingers[finger]
        frame = rotation("z", spread) @ rotation("y", FINGER_LEAN_DEG[finger])
        joints[first] = bones.knuckles[finger]
        joints[first + 1 : first + 4], backs[first + 1 : first + 4] = _chain(
            bones.knuckles[finger], frame, (flexion, *ends), bones.fingers[finger]
        )
    return Skeleton(joints=joints, backs=backs)


def rotation(axis: str, degrees: float) -> FloatArray:
    """The (3, 3) matrix that turns column vectors about x, y or z by the right-hand rule."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def _thumb_frame(thumb: FloatArray) -> FloatArray:
    """The (3, 3) frame of the thumb's metacarpal, its -y along the bone."""
    swing, lift, twist = thumb[:3]
    return rotation("z", swing) @ rotation("x", lift) @ rotation("y", twist)


def _chain(
    start: FloatArray, frame: FloatArray, flexions: tuple[float, ...], lengths: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The ends (n, 3) and the backs (n, 3) of bones that bend one after another."""
    ends, backs, end = [], [], start
    for flexion, length in zip(flexions, lengths, strict=True):
        frame = frame @ rotation("x", flexion)
        end = end - frame[:, 1] * length
        ends.append(end)
        backs.append(frame[:, 2])
    return np.array(ends), np.array(backs)
