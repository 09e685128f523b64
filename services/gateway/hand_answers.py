"""What a hand shows as JSON, put together by hand: pydantic would take longer over it than the classifier.

A test holds it to `asl.contracts.Recognition`, another one `live_answers` to `asl.contracts.LiveReading`.
"""

import json
from collections.abc import Sequence
from typing import Final

from asl.contracts import Handedness, NoLetter
from asl.core.classifier import Classifier
from asl.core.hand import MOTION_LETTERS, Hand
from asl.core.recognition import DEFAULTS

_DIGITS: Final = 4
"""Of confidences, as `asl.core.recognition` has them."""


class HandWriter:
    """Writes what one classifier reads."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self._letters = [json.dumps(name) for name in classifier.label_names]
        self._moves = ["true" if name in MOTION_LETTERS else "false" for name in classifier.label_names]
        self.version = json.dumps(classifier.version)
        """As JSON."""

    def write(
        self, confidences: Sequence[float], best: Sequence[int], side: Handedness, reason: NoLetter | None
    ) -> str:
        """Write the members of an answer that tell what a hand shows.

        Args:
            confidences: Rounded, of the likeliest letters, best first.
            best: Which letters those are.
            side: The signer's hand.
            reason: Why no letter is named; None where one is.
        """
        letters, first = self._letters, best[0]
        alternatives = ",".join(
            [f'{{"letter":{letters[index]},"confidence":{p}}}' for index, p in zip(best, confidences, strict=True)]
        )
        if reason is None:
            letter, confidence, moves, why = letters[first], confidences[0], self._moves[first], "null"
        else:
            letter, confidence, moves, why = "null", 0.0, "false", f'"{reason}"'
        return (
            f'"letter":{letter},"confidence":{confidence},"handedness":"{side}","alternatives":[{alternatives}],'
            f'"needs_motion":{moves},"reason":{why}'
        )

    def read(self, hand: Hand) -> tuple[bytes, NoLetter | None]:
        """Read one hand; returns the answer to a call without parameters, and why it holds no letter.

        Raises:
            LandmarksInvalid: A hand without size, or with numbers that are not finite.
        """
        probabilities = self.classifier.classify((hand,))[0]
        best = (-probabilities).argsort()[: DEFAULTS.top_k]
        confidences = [round(p, _DIGITS) for p in probabilities[best].tolist()]
        reason = self.classifier.verdict(confidences[0])
        shown = f'{self.write(confidences, best.tolist(), hand.handedness, reason)},"landmarks":null,"explanation":null'
        return f'{{{shown},"hands":[{{{shown}}}],"model_version":{self.version}}}'.encode(), reason
