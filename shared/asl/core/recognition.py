"""A photograph to a letter: the road that every recognition takes, on the command line and in the gateway."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from asl.contracts import Alternative, ExtractionOptions, NoLetter, Recognition
from asl.core import images
from asl.core.classifier import Classifier
from asl.core.extraction import HandExtractor
from asl.core.hand import MOTION_LETTERS, Hand

N_ALTERNATIVES: Final = 3


class Recognizer:
    """One landmarker and a classifier; for one thread at a time.

    Use as a context manager, or call `close`.
    """

    def __init__(
        self,
        classifier: Classifier,
        landmarker_path: Path,
        options: ExtractionOptions | None = None,
        *,
        max_image_bytes: int = images.MAX_IMAGE_BYTES,
    ) -> None:
        """Load the landmarker.

        Args:
            classifier: What names the letter; may be shared between recognizers.
            landmarker_path: The landmarker's model file, see `asl.core.landmarker.ensure`.
            options: How hands are looked for.
            max_image_bytes: Largest image file accepted.
        """
        self._max_image_bytes = max_image_bytes
        self.classifier = classifier
        """What names the letter; another may take its place between two pictures."""
        self._extractor = HandExtractor(landmarker_path, options)

    def recognize(self, data: bytes) -> Recognition:
        """Read the letter that a photograph shows.

        Args:
            data: An image file's bytes.

        Raises:
            ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable: See `images.decode`.
        """
        hands = self._extractor.extract(images.decode(data, max_bytes=self._max_image_bytes))
        if not hands:
            return self._no_letter(NoLetter.NO_HAND)
        return self._letter_of(hands[0])

    def close(self) -> None:
        """Free the landmarker."""
        self._extractor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _letter_of(self, hand: Hand) -> Recognition:
        probabilities = self.classifier.classify([hand])[0]
        best = np.argsort(-probabilities)[:N_ALTERNATIVES]
        alternatives = tuple(
            Alternative(letter=self.classifier.label_names[index], confidence=round(float(probabilities[index]), 4))
            for index in best
        )
        return Recognition(
            letter=alternatives[0].letter,
            confidence=alternatives[0].confidence,
            handedness=hand.handedness,
            alternatives=alternatives,
            needs_motion=alternatives[0].letter in MOTION_LETTERS,
            reason=None,
            model_version=self.classifier.version,
        )

    def _no_letter(self, reason: NoLetter) -> Recognition:
        return Recognition(
            letter=None,
            confidence=0,
            handedness=None,
            alternatives=(),
            needs_motion=False,
            reason=reason,
            model_version=self.classifier.version,
        )
