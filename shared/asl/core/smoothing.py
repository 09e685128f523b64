"""Letters over time: the readings of single frames to letters that are held and released.

Readings flicker: between a letter and its look-alikes, and through other letters while the hand moves to the next. So
each label's probability is averaged over time (exponentially, by the clock: a fast and a slow camera see the same
letters), and two thresholds with a gap between them decide (hysteresis).
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TIME_CONSTANT_MS: Final = 120.0
"""Of the average. A letter that is surely read takes as long to pass `ENTER`: about half of what a fluent signer gives
a letter (4 to 5 letters a second), and several frames of any camera."""
ENTER: Final = 0.6
"""Average probability from which on a letter counts: above a half, so that never two do."""
EXIT: Final = 0.3
"""Below this a held letter is let go. Half of `ENTER`: with `MAX_WEIGHT` no single frame can do that."""
HOLD_MS: Final = 80.0
"""How long a letter must count before it is held: what a hand passes through on its way to another letter is over by
then. It delays the letter, but not its release."""
MAX_WEIGHT: Final = 0.5
"""Of one frame, however long ago the one before came: no single frame decides, neither of a slow camera."""
MAX_GAP_MS: Final = 1000.0
"""After a longer silence nothing is known of what the hand did: all begins anew."""


class Change(NamedTuple):
    """A letter became stable, or was let go."""

    letter: str
    is_held: bool


class LetterSmoother:
    """Follows the readings of one hand."""

    def __init__(self, label_names: Sequence[str]) -> None:
        """Begin with nothing held.

        Args:
            label_names: The letters, in the order of the probabilities.
        """
        self.label_names = tuple(label_names)
        self._average = np.zeros(len(self.label_names))
        self._seen_ms: float | None = None
        self._held: int | None = None
        self._rising: int | None = None
        self._risen_ms = 0.0

    @property
    def letter(self) -> str | None:
        """The letter that is held."""
        return None if self._held is None else self.label_names[self._held]

    def see(self, probabilities: NDArray[np.float32] | None, time_ms: float) -> tuple[Change, ...]:
        """Take in what one frame shows.

        Args:
            probabilities: (n_labels,) float32 that sum to 1; None where there was no hand.
            time_ms: When the frame was taken, on any clock that does not go back.

        Returns:
            What changed, in order; mostly nothing.
        """
        elapsed_ms = 0.0 if self._seen_ms is None else max(0.0, time_ms - self._seen_ms)
        self._seen_ms = time_ms
        if elapsed_ms > MAX_GAP_MS:
            return self.forget()
        weight = min(MAX_WEIGHT, -math.expm1(-elapsed_ms / TIME_CONSTANT_MS))
        self._average *= 1 - weight
        if probabilities is not None:
            self._average += weight * probabilities
        return (*self._let_go(), *self._take_up(time_ms))

    def forget(self) -> tuple[Change, ...]:
        """Let go of everything; returns what changed."""
        self._average[:] = 0
        self._rising = None
        return self._release()

    def _let_go(self) -> tuple[Change, ...]:
        if self._held is None or self._average[self._held] >= EXIT:
            return ()
        return self._release()

    def _take_up(self, time_ms: float) -> tuple[Change, ...]:
        best = int(self._average.argmax())
        if best == self._held or self._average[best] < ENTER:
            self._rising = None
            return ()
        if best != self._rising:
            self._rising, self._risen_ms = best, time_ms
        if time_ms - self._risen_ms < HOLD_MS:
            return ()
        released = self._release()
        self._held, self._rising = best, None
        return (*released, Change(self.label_names[best], is_held=True))

    def _release(self) -> tuple[Change, ...]:
        letter, self._held = self.letter, None
        return () if letter is None else (Change(letter, is_held=False),)
