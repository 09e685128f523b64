"""Forms of letters that some signers use and most photographs lack: M and N with the fingers hanging down."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.poses import POSES, LetterPose
from asl.core.synthetic.shapes import as_found, place
from asl.core.synthetic.signers import vary_angles

HANGING: Final = {"M": 3, "N": 2}
"""How many fingers lie over the thumb."""

_KNUCKLE_RANGE_DEG: Final = (15.0, 95.0)
_MIDDLE_RANGE_DEG: Final = (5.0, 60.0)
_END_SHARE: Final = 0.5
"""Of the middle joint's flexion, that of the end joint."""
_DOWN_DEG: Final = 180.0
_TURN_SPREAD_DEG: Final = np.array([20.0, 20.0, 20.0])
_THUMB_RANGES_DEG: Final = np.array([[5, 30], [15, 40], [85, 105], [25, 55], [10, 45]])


def sample_hanging(letter: str, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw right hands whose fingers over the thumb point to the ground, bent mostly at the knuckles.

    The more the wrist turns the hand down, from a hand that points to the viewer to one upside down, the less the
    knuckles are bent.

    Args:
        letter: One of `HANGING`.
        count: How many.
        rng: Draws all of it.

    Returns:
        (count, 21, 3) float32: relative to the wrist, the largest distance from it about 1.
    """
    hands = []
    for _ in range(count):
        knuckle, middle = rng.uniform(*_KNUCKLE_RANGE_DEG), rng.uniform(*_MIDDLE_RANGE_DEG)
        pitch = _DOWN_DEG - knuckle - 0.7 * middle
        angles = vary_angles(_pose(letter, knuckle, middle, rng), rng)
        hands.append(place(angles, np.array([0.0, pitch, 0.0]) + rng.normal(0.0, _TURN_SPREAD_DEG), rng))
    return as_found(hands, rng)


def _pose(letter: str, knuckle: float, middle: float, rng: np.random.Generator) -> LetterPose:
    def hanging(spread: float) -> tuple[float, float, float, float]:
        return (knuckle, spread, middle, _END_SHARE * middle)

    thumb = rng.uniform(*_THUMB_RANGES_DEG.T)
    pose = replace(POSES[letter], index=hanging(2), middle=hanging(-2), thumb=tuple(thumb.tolist()))
    return replace(pose, ring=hanging(-6)) if HANGING[letter] == 3 else pose
