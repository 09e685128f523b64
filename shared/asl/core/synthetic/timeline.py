"""What a hand does over time, as numbers: what it holds, and the moves from one hold to the next."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.skeleton import FloatArray

# What describes a hand at one time: 16 angles of the fingers and 5 of the thumb, the view and the forearm as in
# `LetterPose`, all in degrees, and the wrist's place on the camera's axes in metres.
ANGLES: Final = slice(0, 21)
VIEW: Final = slice(21, 24)
FOREARM: Final = slice(24, 26)
PLACE: Final = slice(26, 29)
N_STATE: Final = 29
YAW, PITCH, ROLL = 21, 22, 23
X, Y = 26, 27

_ASYNCHRONY: Final = 0.25
"""By how much of a passage one joint may begin after, or end before, another."""
_SETTLED: Final = 0.15
"""Of a passage, at its beginning and at its end."""


class Doing(IntEnum):
    """What a hand does at one time."""

    MOVING = 0
    HOLDING = 1
    J = 2
    Z = 3


@dataclass(frozen=True)
class Spelling:
    """One signer spelling one text.

    Attributes:
        text: what is spelled.
        times_s: (n,) seconds.
        states: (n, 29), see above.
        ends_s: (n_spans,) when the hand ends to do one thing and begins another.
        spans: (n_spans,) what it does until then, as `Doing`.
    """

    text: str
    times_s: FloatArray
    states: FloatArray
    ends_s: FloatArray
    spans: NDArray[np.int64]

    def doing_at(self, times_s: FloatArray) -> NDArray[np.int64]:
        """(n,) int: what the hand does, as `Doing`."""
        places = np.searchsorted(self.ends_s, times_s, side="right")
        return np.asarray(self.spans[np.minimum(places, len(self.spans) - 1)], np.int64)


@dataclass
class Track:
    """Moves that add up: each takes some of the state's numbers on by some amount, with minimum jerk."""

    start: FloatArray
    moves: list[tuple[FloatArray, FloatArray, FloatArray]] = field(default_factory=list)
    spans: list[tuple[float, Doing]] = field(default_factory=list)
    end: FloatArray = field(default_factory=lambda: np.zeros(N_STATE))
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.end = self.start.copy()

    def stay(self, seconds: float, doing: Doing = Doing.HOLDING) -> None:
        """Let time pass, and say what it passes with."""
        self.now_s += seconds
        self.spans.append((self.now_s, doing))

    def pass_to(self, target: FloatArray, seconds: float, rng: np.random.Generator) -> None:
        """Go to another letter, each joint in its own time."""
        slack = rng.uniform(0.0, _ASYNCHRONY, (2, N_STATE)) * seconds
        self.moves.append((self.now_s + slack[0], self.now_s + seconds - slack[1], target - self.end))
        self.end = target.copy()
        self.stay(seconds, Doing.MOVING)

    def add(self, begin_s: float, end_s: float, change: dict[int, float]) -> None:
        """Add a part of a stroke, `begin_s` and `end_s` from now on."""
        delta = np.zeros(N_STATE)
        for index, amount in change.items():
            delta[index] = amount
        begin, end = np.full(N_STATE, self.now_s + begin_s), np.full(N_STATE, self.now_s + end_s)
        self.moves.append((begin, end, delta))
        self.end = self.end + delta

    def at(self, times_s: FloatArray) -> FloatArray:
        """(n, 29) states."""
        states = np.repeat(self.start[None], len(times_s), axis=0)
        for begin, end, delta in self.moves:
            u = np.clip((times_s[:, None] - begin) / (end - begin), 0.0, 1.0)
            states += delta * (u**3 * (10.0 - 15.0 * u + 6.0 * u * u))
        return states

    def settled(self) -> tuple[FloatArray, NDArray[np.int64]]:
        """When each span ends, and what it is: a hand that has all but come, or has hardly gone, holds its letter."""
        ends, kinds = np.array([end for end, _ in self.spans]), np.array([kind for _, kind in self.spans], np.int64)
        lengths = np.diff(ends, prepend=0.0)
        for place in np.flatnonzero(kinds == Doing.MOVING):
            if place and kinds[place - 1] == Doing.HOLDING:
                ends[place - 1] += _SETTLED * lengths[place]
            if place + 1 < len(kinds) and kinds[place + 1] == Doing.HOLDING:
                ends[place] -= _SETTLED * lengths[place]
        return ends, kinds


def tremor(times_s: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(n, 29): a hand that is held still sways slowly, and no joint is quite at rest."""
    sway = np.zeros((len(times_s), N_STATE))
    spreads = np.zeros(N_STATE)
    spreads[ANGLES], spreads[VIEW], spreads[PLACE] = 1.0, 1.8, 0.004
    for _ in range(3):
        phase = 2.0 * np.pi * (times_s[:, None] * rng.uniform(0.1, 1.2, N_STATE) + rng.random(N_STATE))
        sway += np.sin(phase) * rng.normal(0.0, 1.0, N_STATE) * spreads / 2.0
    return sway
