"""The server's messages of a live stream as JSON.

Readings are put together by hand, as `hand_answers` tells. A test holds them to `asl.contracts.LiveReading`.
"""

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.contracts import Explanation, Handedness, NoLetter
from asl.core.classifier import Classifier
from asl.core.smoothing import Change
from asl.errors import AslError
from services.gateway.hand_answers import HandWriter

_DIGITS: Final = 4
"""Of confidences, as in answers over HTTP."""


class ReadingWriter:
    """Writes the readings that one classifier gives."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._hands = HandWriter(classifier)
        self._tail = f',"model_version":{self._hands.version}}}'

    def write(
        self,
        answer: "Answer",
        probabilities: Sequence[float],
        best: Sequence[int],
        side: Handedness,
        *,
        reason: NoLetter | None,
        mirrored: bool,
        explanation: Explanation | None = None,
    ) -> str:
        """Write what a hand shows.

        Args:
            answer: Beside what is read.
            probabilities: Of the likeliest letters, best first.
            best: Which letters those are.
            side: The hand's, as it looks in the picture.
            reason: Why no letter is named; None where one is.
            mirrored: The picture is a mirror image.
            explanation: What of the hand differs from the letter, where that was asked for.
        """
        shown = self._hands.write(probabilities, best, side.other if mirrored else side, reason)
        why = "" if explanation is None else f'"explanation":{explanation.model_dump_json()},'
        return f'{{"type":"reading","seq":{answer.seq},{shown},{why}{answer.text}{self._tail}'

    def write_no_hand(self, answer: "Answer") -> str:
        """Write that no hand was found."""
        return (
            f'{{"type":"reading","seq":{answer.seq},"letter":null,"confidence":0,"handedness":null,"alternatives":[],'
            f'"needs_motion":false,"reason":"no_hand",{answer.text}{self._tail}'
        )


class Answer:
    """What a reading tells beside what was read."""

    __slots__ = ("seq", "text")

    def __init__(
        self,
        seq: int,
        stable: str | None,
        n_dropped: int,
        seconds: float,
        landmarks: NDArray[np.float32] | None = None,
    ) -> None:
        """Put it together.

        Args:
            seq: Of the frame.
            stable: The letter that is held.
            n_dropped: Frames of the stream dropped so far.
            seconds: Since the frame came.
            landmarks: (21, 3), of a hand that the server found.
        """
        points = "null" if landmarks is None else json.dumps(landmarks.astype(float).round(5).tolist())
        held = "null" if stable is None else json.dumps(stable)
        self.seq = seq
        self.text = f'"stable":{held},"n_dropped":{n_dropped},"ms":{seconds * 1000:.3f},"landmarks":{points}'


def likeliest(probabilities: NDArray[np.float32], n: int) -> tuple[list[list[float]], list[list[int]]]:
    """Pick the likeliest letters of each row.

    Args:
        probabilities: (rows, n_labels) float32.
        n: How many.

    Returns:
        Rounded probabilities and places of the letters, a row each, best first.
    """
    best = np.argsort(-probabilities, axis=1)[:, :n]
    values = np.take_along_axis(probabilities, best, axis=1).astype(np.float64).round(_DIGITS)
    return values.tolist(), best.tolist()


def write_change(change: Change, seq: int) -> str:
    """Write that a letter became stable, or was let go."""
    kind = "letter" if change.is_held else "released"
    return f'{{"type":"{kind}","letter":{json.dumps(change.letter)},"seq":{seq}}}'


def write_error(error: AslError, seq: int | None) -> str:
    """Write why a frame could not be read."""
    told = {"type": "error", "seq": seq, "code": error.code, "detail": error.message, "hint": error.hint}
    return json.dumps(told)
