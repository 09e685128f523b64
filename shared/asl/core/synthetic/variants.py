"""Forms and views of letters that some signers use and most photographs lack: M and N hanging, E open, and others."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.poses import POSES, LetterPose
from asl.core.synthetic.shapes import as_found, place
from asl.core.synthetic.signers import vary_angles

HANGING: Final = {"M": 3, "N": 2}
"""How many fingers lie over the thumb."""

_Range = tuple[tuple[float, ...], tuple[float, ...]]
"""The lowest and the highest angles, in degrees; uniform."""


@dataclass(frozen=True)
class Form:
    """How far signers differ in one letter from its pose in `POSES`."""

    view: _Range
    """Yaw, pitch and roll, as in `LetterPose`."""
    fingers: dict[str, _Range] = field(default_factory=dict)
    """For each finger that differs; one hand's fingers are as far in their ranges as one another."""
    thumb: _Range | None = None


_FROM_BEHIND: Final[_Range] = ((-60, 10, -80), (180, 10, -80))
_FROM_THE_SIDE: Final[_Range] = ((-80, 5, 5), (0, 5, 5))

FORMS: Final = {
    "C": Form(_FROM_THE_SIDE),
    "D": Form(((-50, 12, 0), (15, 12, 0))),
    "E": Form(
        ((-5, 6, 5), (-5, 6, 5)),
        {
            "index": ((-1, -1, 85, 40), (29, -1, 108, 65)),
            "middle": ((-4, -4, 83, 40), (26, -4, 106, 65)),
            "ring": ((-6, -6, 84, 40), (24, -6, 107, 65)),
            "pinky": ((-9, -9, 89, 40), (21, -9, 112, 65)),
        },
        ((12, 30, 75, 25, 20), (35, 52, 95, 50, 50)),
    ),
    "G": Form(_FROM_BEHIND),
    "H": Form(_FROM_BEHIND),
    "K": Form(((-40, 0, 0), (20, 0, 0)), {"middle": ((10, -6, 5, 8), (55, -6, 30, 8))}),
    "O": Form(_FROM_THE_SIDE),
    "P": Form(((10, -35, -55), (55, 5, -10)), {"middle": ((45, -6, 5, 8), (85, -6, 30, 8))}),
    "Q": Form(((40, 10, -137), (160, 10, -137))),
    "X": Form(((-75, 12, 0), (10, 12, 0)), {"index": ((-5, -3, 50, 25), (25, -3, 90, 55))}),
}
"""E with the nails away from the thumb, X hooked more or less, P and K with the middle finger higher or lower; and
letters seen from elsewhere."""

_KNUCKLE_RANGE_DEG: Final = (15.0, 95.0)
_MIDDLE_RANGE_DEG: Final = (5.0, 60.0)
_END_SHARE: Final = 0.5
"""Of the middle joint's flexion, that of the end joint."""
_DOWN_DEG: Final = 180.0
_TURN_SPREAD_DEG: Final = np.array([20.0, 20.0, 20.0])
_VIEW_SPREAD_DEG: Final = np.array([14.0, 10.0, 10.0])
_TURNED_SPREAD_DEG: Final = np.array([25.0, 15.0, 15.0])
"""Of views in which the usual form is drawn; standard deviations."""
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


def sample_form(letter: str, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw right hands that show a letter as some signers do.

    Args:
        letter: One of `FORMS`.
        count: How many.
        rng: Draws all of it.

    Returns:
        (count, 21, 3) float32: relative to the wrist, the largest distance from it about 1.
    """
    form, hands = FORMS[letter], []
    for _ in range(count):
        share = rng.random(4)
        angles: dict[str, Any] = {name: _within(limits, share) for name, limits in form.fingers.items()}
        if form.thumb:
            angles["thumb"] = tuple(rng.uniform(*np.array(form.thumb)))
        view = rng.uniform(*np.array(form.view)) + rng.normal(0.0, _VIEW_SPREAD_DEG)
        hands.append(place(vary_angles(replace(POSES[letter], **angles), rng), view, rng))
    return as_found(hands, rng)


def sample_turned(letter: str, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw right hands that show a letter in its usual form, seen from further around than most photographs do.

    Args:
        letter: One of "A" to "Z".
        count: How many.
        rng: Draws all of it.

    Returns:
        (count, 21, 3) float32: relative to the wrist, the largest distance from it about 1.
    """
    pose = POSES[letter]
    views = np.array(pose.view) + rng.normal(0.0, 1.0, (count, 3)) * _TURNED_SPREAD_DEG
    return as_found([place(vary_angles(pose, rng), view, rng) for view in views], rng)


def _within(limits: _Range, share: NDArray[np.float64]) -> tuple[float, ...]:
    low, high = np.array(limits)
    return tuple(low + share * (high - low))


def _pose(letter: str, knuckle: float, middle: float, rng: np.random.Generator) -> LetterPose:
    def hanging(spread: float) -> tuple[float, float, float, float]:
        return (knuckle, spread, middle, _END_SHARE * middle)

    thumb = rng.uniform(*_THUMB_RANGES_DEG.T)
    pose = replace(POSES[letter], index=hanging(2), middle=hanging(-2), thumb=tuple(thumb.tolist()))
    return replace(pose, ring=hanging(-6)) if HANGING[letter] == 3 else pose
