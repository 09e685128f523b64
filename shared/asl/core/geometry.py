"""The geometry of a hand: joint angles, distances and the palm's own frame, as the schema `asl-geo-v1` has them."""

from itertools import combinations
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asl.core.hand import CONNECTIONS, N_LANDMARKS, WRIST

FloatArray: TypeAlias = NDArray[np.float32]

_N_BONES: Final = N_LANDMARKS - 1
_THUMB_IP, _THUMB_TIP, _INDEX_MCP, _MIDDLE_MCP, _PINKY_MCP = 3, 4, 5, 9, 17
_KNUCKLES: Final = [5, 9, 13, 17]
_TIPS: Final = [4, 8, 12, 16, 20]
_TIP_PAIRS: Final = tuple(combinations(_TIPS, 2))
_PARENTS: Final = (0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""The landmark at which the bone that ends in landmark 1, 2, ... 20 begins."""
_BENT: Final = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18])
"""Bones that another one continues; the angle between the two is a joint's."""

_PAIRS: Final = (
    *_TIP_PAIRS,
    *((WRIST, tip) for tip in _TIPS),
    *((_THUMB_TIP, joint) for joint in range(_INDEX_MCP, N_LANDMARKS)),
    *((_THUMB_IP, joint) for joint in range(_INDEX_MCP, N_LANDMARKS)),
    *((knuckle, knuckle + 3) for knuckle in _KNUCKLES),
)
"""Pairs of landmarks whose distances are features on the palm's scale."""
_DIRECTIONS: Final = (*((k, k + 1) for k in _KNUCKLES), (2, 4), *((k, k + 3) for k in _KNUCKLES))
"""The first bone of each finger, then each digit from its root to its tip."""

# For one hand a call of numpy costs more than all of its sums: what is alike is computed in one call. Of the steps from
# landmark to landmark the bones come first, then the digits, the connections, the pairs, and wrist to knuckles.
_STEPS: Final = np.array(
    [
        *zip(_PARENTS, range(1, N_LANDMARKS), strict=True),
        *_DIRECTIONS,
        *CONNECTIONS,
        *_PAIRS,
        *((WRIST, knuckle) for knuckle in _KNUCKLES),
    ]
)
_FROM, _TO = np.ascontiguousarray(_STEPS.T)
_ENDS: Final = np.cumsum([_N_BONES, len(_DIRECTIONS), len(CONNECTIONS), len(_PAIRS)]).tolist()
_DIGITS: Final = _N_BONES + np.array([0, 1, 2, 4, 5, 6, 7])
"""Directions of which the cosine with the next one is told: not from the last first bone to the thumb."""
_FIRST: Final = np.concatenate([_BENT, _DIGITS])
_SECOND: Final = _FIRST + 1
_CROSS_FIRST, _CROSS_SECOND = np.array([[1, 2, 0, 2, 0, 1], [2, 0, 1, 1, 2, 0]])
"""Which components of two vectors make their cross product: three products, less three others."""

_LEAST_PALM: Final = 0.1
"""Of the hand's size: a palm seen edge-on without depth is not divided by its own length."""
_LEAST_LENGTH: Final = 1e-6
_RADIANS_PER_UNIT: Final = 1.5
_LIMIT: Final = 0.9999
"""Largest cosine of an angle: beyond it rounding moves the angle by more than it says."""

N_GEOMETRY: Final = (
    2 * 3 * _N_BONES + len(CONNECTIONS) + len(_BENT) + len(_DIRECTIONS) - 2 + len(_PAIRS) + 9 + 3 * _N_BONES
)


def measure(points: FloatArray) -> FloatArray:
    """Compute what `asl-geo-v1` tells of right hands.

    Args:
        points: (n, 21, 3) float32, relative to the wrist, as long in x as in y and z, the largest distance of a
            landmark from the wrist being 1.

    Returns:
        (n, 283) float32, all about 1 in size: landmarks 1 to 20; the lengths of `hand.CONNECTIONS`; landmarks 1 to 20
        in the palm's frame and scale, halved; 15 joint angles; cosines between neighbouring digits, 3 of first bones
        and 4 of whole digits; distances of the tips to each other and to the wrist, of the thumb's tip and last joint
        to the other fingers' joints, and of tips to their knuckles, on half the palm's scale; the palm's frame; the
        directions of the 20 bones in the palm's frame.
    """
    count = len(points)
    bones, digits, connections, pairs = _ENDS
    steps = points.take(_TO, axis=1) - points.take(_FROM, axis=1)
    lengths = _norm(steps)
    units = steps[:, :digits] / np.maximum(lengths[:, :digits, None], _LEAST_LENGTH)
    cosines = np.add.reduce(units.take(_FIRST, axis=1) * units.take(_SECOND, axis=1), axis=2)
    double_palm = 2 * np.maximum(np.add.reduce(lengths[:, pairs:], axis=1, keepdims=True) / len(_KNUCKLES), _LEAST_PALM)
    frame = _palm_frame(points)
    turned = np.concatenate([points[:, 1:], units[:, :bones]], axis=1) @ frame.transpose(0, 2, 1)
    parts = [
        points[:, 1:].reshape(count, 3 * _N_BONES),
        lengths[:, digits:connections],
        turned[:, :_N_BONES].reshape(count, 3 * _N_BONES) / double_palm,
        np.arccos(np.minimum(np.maximum(cosines[:, : len(_BENT)], -_LIMIT), _LIMIT)) / _RADIANS_PER_UNIT,
        cosines[:, len(_BENT) :],
        lengths[:, connections:pairs] / double_palm,
        frame.reshape(count, 9),
        turned[:, _N_BONES:].reshape(count, 3 * _N_BONES),
    ]
    return np.concatenate(parts, axis=1)


def _palm_frame(points: FloatArray) -> FloatArray:
    """Return (n, 3, 3): rows are the palm's unit vectors across it, along it to the fingers, and out of it."""
    along = _unit(2 * points[:, _MIDDLE_MCP] + points[:, _INDEX_MCP] + points[:, _PINKY_MCP])
    out = _unit(_cross(points[:, _INDEX_MCP] - points[:, _PINKY_MCP], along))
    return np.concatenate([_cross(along, out), along, out], axis=1).reshape(-1, 3, 3)


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    # `np.cross` takes several times as long for one hand.
    products = first.take(_CROSS_FIRST, axis=1) * second.take(_CROSS_SECOND, axis=1)
    return np.asarray(products[:, :3] - products[:, 3:], np.float32)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(_norm(vectors)[..., None], _LEAST_LENGTH), np.float32)


def _norm(vectors: FloatArray) -> FloatArray:
    # As `vectors.sum(axis=-1)`, without the function of Python's that NumPy has before it.
    return np.asarray(np.sqrt(np.add.reduce(vectors * vectors, axis=-1)), np.float32)
