"""A photograph to a letter: the road that every recognition takes, on the command line and in the gateway."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from asl.contracts import (
    MAX_HANDS,
    Alternative,
    ExtractionOptions,
    HandReading,
    LandmarksRequest,
    NoLetter,
    Recognition,
    RecognitionOptions,
)
from asl.core import images
from asl.core.classifier import Classifier
from asl.core.coaching import explain
from asl.core.extraction import HandExtractor
from asl.core.hand import MOTION_LETTERS, N_LANDMARKS, Hand
from asl.core.second_look import classify_looking_twice

DEFAULTS: Final = RecognitionOptions()
_UNKNOWN: Final = np.full((N_LANDMARKS, 3), np.nan, np.float32)


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
        self.classifier = classifier
        """What names the letter; another may take its place between two pictures."""
        self._max_image_bytes = max_image_bytes
        self._landmarker_path = landmarker_path
        self._options = options or ExtractionOptions()
        self._extractor = HandExtractor(landmarker_path, self._options)
        self._many: HandExtractor | None = None

    def recognize(self, data: bytes, options: RecognitionOptions = DEFAULTS) -> Recognition:
        """Read the letter that a photograph shows.

        Args:
            data: An image file's bytes.
            options: What the answer is to hold.

        Raises:
            ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable: See `images.decode`.
        """
        image = images.decode(data, max_bytes=self._max_image_bytes)
        extractor = self._extractor_for(options.max_num_hands)
        hands = extractor.extract(image)[: options.max_num_hands]
        if not hands:
            return read(self.classifier, hands, options)
        below = self._options.second_look_below
        probabilities = classify_looking_twice(self.classifier, hands, image, extractor, below=below)
        return _answer(self.classifier, hands, probabilities, options)

    def close(self) -> None:
        """Free the landmarker."""
        self._extractor.close()
        if self._many is not None:
            self._many.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _extractor_for(self, n_wanted: int | None) -> HandExtractor:
        if n_wanted is None or n_wanted == self._options.max_num_hands:
            return self._extractor
        if self._many is None:
            # How many hands a landmarker looks for is set when it is made: one more, with the first call that asks.
            options = self._options.model_copy(update={"max_num_hands": MAX_HANDS})
            self._many = HandExtractor(self._landmarker_path, options)
        return self._many


def read(classifier: Classifier, hands: Sequence[Hand], options: RecognitionOptions = DEFAULTS) -> Recognition:
    """Read the letters that hands show.

    Args:
        classifier: Names the letters.
        hands: The hands of one picture, the surest first.
        options: What the answer is to hold.

    Raises:
        LandmarksInvalid: A hand without size, or with numbers that are not finite.
    """
    if hands:
        return _answer(classifier, hands, classifier.classify(hands), options)
    nothing = HandReading(
        letter=None, confidence=0, handedness=None, alternatives=(), needs_motion=False, reason=NoLetter.NO_HAND
    )
    return _recognition(nothing, (), classifier)


def hand_of(request: LandmarksRequest) -> Hand:
    """Take up the hand of a picture that stayed with its owner; a missing z is zero."""
    points = np.array([(*point, 0.0)[:3] for point in request.landmarks], np.float32)
    world = _UNKNOWN if request.world_landmarks is None else np.array(request.world_landmarks, np.float32)
    return Hand(points, world, request.handedness, 1.0, 0.0, (request.image_width, request.image_height))


def _answer(
    classifier: Classifier, hands: Sequence[Hand], probabilities: NDArray[np.float32], options: RecognitionOptions
) -> Recognition:
    readings = tuple(_reading(hand, row, classifier, options) for hand, row in zip(hands, probabilities, strict=True))
    return _recognition(readings[0], readings, classifier)


def _reading(hand: Hand, probabilities: np.ndarray, classifier: Classifier, options: RecognitionOptions) -> HandReading:
    best = np.argsort(-probabilities)[: options.top_k]
    alternatives = tuple(
        Alternative.model_construct(
            letter=classifier.label_names[index], confidence=round(float(probabilities[index]), 4)
        )
        for index in best
    )
    likeliest = alternatives[0]
    reason = classifier.verdict(likeliest.confidence)
    # The features go by how the hand looks in the picture; only the signer is told which hand it really is.
    side = hand.handedness.other if options.mirrored else hand.handedness
    return HandReading.model_construct(
        letter=None if reason else likeliest.letter,
        confidence=0 if reason else likeliest.confidence,
        handedness=side,
        alternatives=alternatives,
        needs_motion=reason is None and likeliest.letter in MOTION_LETTERS,
        reason=reason,
        landmarks=tuple(map(tuple, hand.landmarks.round(5).tolist())) if options.landmarks else None,
        explanation=explain(hand, probabilities, classifier.label_names, options.expected) if options.explain else None,
    )


def _recognition(best: HandReading, hands: tuple[HandReading, ...], classifier: Classifier) -> Recognition:
    # Built of our own checked values: validating them again would cost as much as the classifier.
    return Recognition.model_construct(**dict(best), hands=hands, model_version=classifier.version)
