"""Letters over time to text: the likeliest spelling of what a hand held, passed and drew.

At each step of the grid of `asl.core.motion` a hand holds one of the classifier's letters, draws J or Z, or moves, and
remembers which letter was last: that is how a letter comes twice. The likeliest way through these states is the
spelling (Viterbi 1967, "Error bounds for convolutional codes"): a letter that is only passed does not pay for its
beginning, and a flicker in a hold does not pay for two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.hand import MOTION_LETTERS
from asl.core.motion import HOLDING, MOVING, STEP_MS, J, Step, Z

FloatArray = NDArray[np.float32]

MAX_STEPS: Final = 1200
"""A minute: what is spelled longer without a pause is cut."""

STARTS_AS: Final = {"J": "I", "Z": "D"}
"""What a hand shows that holds the beginning of a stroke and does not draw it."""

_EVIDENCE: Final = 0.6
"""Of one step's letter: steps follow one another closely, and err alike."""
_USUAL: Final = 0.2
"""Of the likeliest letter in a hand that moves: what is surer speaks for a hold, what is less sure against it."""
_LEAST: Final = 0.01
"""Least probability of anything in one step: a step that is quite wrong must not decide."""
_BEGIN: Final = 0.8
_SWITCH: Final = 4.0
_REPEAT: Final = 3.0
"""What it costs, as negative logarithms, to begin a letter, to go from one to another without a movement between, and,
beside, to begin the letter that was last."""
_ADJACENT: Final = 9.0
"""To go from the start of a stroke to the stroke without a movement between."""
_POISED: Final = 4.0
"""To draw a stroke, beside, after holding how it starts: whoever draws it was poised for it before."""
_NO_HAND: Final = 12.0


@dataclass(frozen=True)
class SpelledLetter:
    """One letter of a spelling.

    Attributes:
        letter: as the classifier names it.
        start_ms, end_ms: by the frames' clock.
        probabilities: (n_letters,) how likely each letter is here, in the order of `WordReader.letters`.
    """

    letter: str
    start_ms: float
    end_ms: float
    probabilities: NDArray[np.float64]


class WordReader:
    """Reads one word, step by step; make a new one for the next."""

    def __init__(self, label_names: Sequence[str]) -> None:
        """Begin with nothing read.

        Args:
            label_names: The classifier's, in the order of its probabilities.
        """
        self.letters = (*label_names, *(letter for letter in sorted(MOTION_LETTERS) if letter not in label_names))
        """All letters that may be read."""
        self._n_labels = len(label_names)
        places = {letter: place for place, letter in enumerate(self.letters)}
        self._held_as = [(places[move], places[start]) for move, start in STARTS_AS.items() if start in places]
        self._strokes = [(places["J"], J), (places["Z"], Z)]
        self._costs = _costs(self.letters)
        n_states = len(self._costs)
        self._best = np.full(n_states, -np.inf)
        self._best[-1] = 0.0
        self._from: list[NDArray[np.intp]] = []
        self._shares: list[NDArray[np.float64]] = []
        self._times_ms: list[float] = []
        self._rows = np.arange(n_states)

    @property
    def n_steps(self) -> int:
        """How many steps were read."""
        return len(self._times_ms)

    def see(self, step: Step, doing: FloatArray) -> None:
        """Take in one step and what the hand did, as `asl.core.motion.MotionReader` gives them."""
        shares = self._letter_shares(step, doing)
        moving = 0.0 if step.points is None else float(np.log(max(doing[MOVING], _LEAST)))
        ways = self._best[None, :] - self._costs
        came_from = ways.argmax(axis=1)
        n = len(self.letters)
        self._best = ways[self._rows, came_from]
        self._best[:n] += -_NO_HAND if step.points is None else self._scores(shares, doing)
        self._best[n:] += moving
        self._best -= self._best.max()
        self._from.append(came_from)
        self._shares.append(shares)
        self._times_ms.append(step.time_ms)

    def read(self) -> tuple[SpelledLetter, ...]:
        """Return the letters of the likeliest spelling so far; more steps may still change the last ones."""
        n, state = len(self.letters), int(self._best.argmax())
        found: list[SpelledLetter] = []
        end = len(self._from)
        for place in range(len(self._from) - 1, -1, -1):
            before = int(self._from[place][state])
            if before != state:
                if state < n:
                    found.append(self._spelled(state, place, end))
                end = place
            state = before
        if state < n and end:
            found.append(self._spelled(state, 0, end))
        return tuple(reversed(found))

    def _letter_shares(self, step: Step, doing: FloatArray) -> NDArray[np.float64]:
        """(n_letters,): how likely each letter is, were it one: held as the classifier says, or drawn."""
        shares = np.zeros(len(self.letters))
        if step.probabilities is None:
            return shares
        shares[: self._n_labels] = step.probabilities
        for move, start in self._held_as:
            shares[start] += shares[move]
        shares *= float(doing[HOLDING])
        for place, stroke in self._strokes:
            shares[place] = float(doing[stroke])
        return shares

    def _scores(self, shares: NDArray[np.float64], doing: FloatArray) -> NDArray[np.float64]:
        """(n_letters,): logarithms; a letter that is held counts by what it is surer than usual."""
        holding = max(float(doing[HOLDING]), _LEAST)
        scores = np.log(holding) + _EVIDENCE * np.log(np.maximum(shares / holding, _LEAST) / _USUAL)
        for place, stroke in self._strokes:
            scores[place] = np.log(max(float(doing[stroke]), _LEAST)) - _EVIDENCE * np.log(_USUAL)
        return np.asarray(scores)

    def _spelled(self, letter: int, start: int, end: int) -> SpelledLetter:
        shares = np.sum(self._shares[start:end], axis=0) + _LEAST / len(self.letters)
        times_ms = self._times_ms
        return SpelledLetter(self.letters[letter], times_ms[start], times_ms[end - 1] + STEP_MS, shares / shares.sum())


def _costs(letters: Sequence[str]) -> NDArray[np.float64]:
    """(2n + 1, 2n + 1): of going to a state (row) from one (column): letters, moves after each, the first move."""
    n = len(letters)
    costs = np.full((2 * n + 1, 2 * n + 1), np.inf)
    same = np.arange(n)
    costs[:n, :n] = _SWITCH
    poised: list[tuple[int, int]] = []
    for move, start in STARTS_AS.items():
        if move in letters and start in letters:
            pair = letters.index(move), letters.index(start)
            costs[pair] = costs[pair[::-1]] = _ADJACENT
            poised.append(pair)
    costs[same, same] = 0.0
    costs[:n, n:] = _BEGIN
    costs[same, n + same] += _REPEAT
    for stroke, held in poised:
        costs[stroke, n + held] += _POISED
    costs[n + same, same] = costs[n + same, n + same] = 0.0
    costs[2 * n, 2 * n] = 0.0
    return costs
