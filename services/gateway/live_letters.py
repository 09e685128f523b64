"""The letters of one live stream over time, whatever the classifier and the clock."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.classifier import Classifier
from asl.core.smoothing import Change, LetterSmoother

_NOTHING: Final[tuple[Change, ...]] = ()


class StreamLetters:
    """Smooths a stream's readings, unless that is switched off."""

    def __init__(self) -> None:
        self._smoother: LetterSmoother | None = None
        self._is_on = True
        self._now_ms = 0.0
        self._told_ms: float | None = None
        self._came_s: float | None = None

    @property
    def letter(self) -> str | None:
        """The letter that is held."""
        return self._smoother.letter if self._smoother else None

    @property
    def now_ms(self) -> float:
        """When the last frame was taken, on the stream's clock."""
        return self._now_ms

    def switch(self, *, is_on: bool) -> tuple[Change, ...]:
        """Switch smoothing on or off; returns what changed."""
        self._is_on = is_on
        return self._forget() if not is_on else _NOTHING

    def see(
        self, classifier: Classifier, probabilities: NDArray[np.float32] | None, told_ms: float | None, came_s: float
    ) -> tuple[Change, ...]:
        """Take in what one frame shows.

        Args:
            classifier: What read it; another set of letters begins anew.
            probabilities: (n_labels,); None where there was no hand.
            told_ms: When the frame was taken, by the client's clock.
            came_s: When it came, by the server's.

        Returns:
            What changed.
        """
        now_ms = self._move_on(told_ms, came_s)
        if not self._is_on:
            return _NOTHING
        changes = _NOTHING
        if self._smoother is None or self._smoother.label_names != tuple(classifier.label_names):
            changes, self._smoother = self._forget(), LetterSmoother(classifier.label_names)
        return (*changes, *self._smoother.see(probabilities, now_ms))

    def _forget(self) -> tuple[Change, ...]:
        return self._smoother.forget() if self._smoother else _NOTHING

    def _move_on(self, told_ms: float | None, came_s: float) -> float:
        """Add what has passed since the last frame: by the client's clock where both frames have its time."""
        if told_ms is not None and self._told_ms is not None:
            self._now_ms += max(0.0, told_ms - self._told_ms)
        elif self._came_s is not None:
            self._now_ms += max(0.0, (came_s - self._came_s) * 1000)
        self._told_ms, self._came_s = told_ms, came_s
        return self._now_ms
