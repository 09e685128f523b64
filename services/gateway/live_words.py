"""The text of one live stream: words as they are spelled, J and Z as they are drawn."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.contracts import LiveText
from asl.core.classifier import Classifier
from asl.core.hand import Hand
from asl.core.sequence import SequenceModels, SequenceReader

_PAUSE_MS: Final = 800.0
"""A hand that was gone for so long begins another word."""
_N_SUGGESTIONS: Final = 3


class StreamWords:
    """Reads a stream's text, where that is switched on."""

    def __init__(self, models: SequenceModels) -> None:
        """Begin switched off.

        Args:
            models: What words are read with.
        """
        self._models = models
        self._is_on = False
        self._reader: SequenceReader | None = None
        self._classifier: Classifier | None = None
        self._text = ""
        self._hand_ms = 0.0

    def switch(self, *, is_on: bool) -> None:
        """Switch it on or off; either way what was spelled is forgotten."""
        self._is_on = is_on
        self._forget()

    def see(
        self,
        classifier: Classifier,
        hand: Hand | None,
        probabilities: NDArray[np.float32] | None,
        seq: int,
        now_ms: float,
    ) -> tuple[str, ...]:
        """Take in what one frame shows.

        Args:
            classifier: What read it; another one begins another word.
            hand: The hand in it; None where there was none.
            probabilities: (n_labels,), refused or not; None where there was no hand.
            seq: The frame's number.
            now_ms: When it was taken.

        Returns:
            Messages to send; mostly none.
        """
        if not self._is_on:
            return ()
        told: tuple[str, ...] = ()
        reader = self._reader
        if reader and (classifier is not self._classifier or now_ms - self._hand_ms > _PAUSE_MS or reader.is_full):
            told, reader = self._finish(reader, seq), None
        if hand is not None:
            self._hand_ms = now_ms
            if reader is None:
                reader = self._reader = SequenceReader(self._models, classifier.label_names)
                self._classifier = classifier
        if reader is None:
            return told
        if reader.see(hand, probabilities, now_ms):
            told = (*told, *self._news(reader, seq))
        return told

    def _finish(self, reader: SequenceReader, seq: int) -> tuple[str, ...]:
        reader.end()
        told = self._news(reader, seq, is_end=True)
        self._forget()
        return told

    def _news(self, reader: SequenceReader, seq: int, *, is_end: bool = False) -> tuple[str, ...]:
        spelled = reader.read()
        text = "".join(entry.letter for entry in spelled)
        if text == self._text and not (is_end and text):
            return ()
        self._text = text
        suggestions = reader.suggest(spelled, _N_SUGGESTIONS, is_open=not is_end)
        return (LiveText(seq=seq, text=text, is_end=is_end, suggestions=suggestions).model_dump_json(),)

    def _forget(self) -> None:
        self._reader, self._classifier, self._text = None, None, ""
