"""A second look at hands that are not read surely: in the mirror image, where the landmarker errs in other ways."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.classifier import Classifier
from asl.core.extraction import HandExtractor
from asl.core.hand import Hand
from asl.core.images import RgbImage

_LEAST: Final = np.float32(1e-7)
"""Added to probabilities, so that one look alone rules no letter out."""


def classify_looking_twice(
    classifier: Classifier, hands: Sequence[Hand], image: RgbImage, extractor: HandExtractor, *, below: float
) -> NDArray[np.float32]:
    """Compute calibrated probabilities of hands; of those not read surely, what two looks say together.

    Args:
        classifier: Names the letters.
        hands: What was found in the picture.
        image: (height, width, 3) uint8 RGB.
        extractor: Looks for hands once more.
        below: A hand whose likeliest letter has less confidence is looked at again; 0 for none.

    Returns:
        (n, n_labels) float32, as `Classifier.classify` does. A hand that the mirror image does not show keeps its own.

    Raises:
        LandmarksInvalid: A hand without size, or with numbers that are not finite.
    """
    probabilities = classifier.classify(hands)
    unsure = [index for index, row in enumerate(probabilities) if row.max() < below]
    if not unsure:
        return probabilities
    seen = extractor.extract_mirrored(image)
    again = {index: hand for index in unsure if (hand := _same(hands[index], seen)) is not None}
    if again:
        second = classifier.classify(list(again.values()))
        probabilities[list(again)] = _together(probabilities[list(again)], second)
    return probabilities


def _together(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the geometric means: read as well as arithmetic ones, and nearer to how often they are right."""
    means = np.sqrt((first + _LEAST) * (second + _LEAST))
    return np.asarray(means / means.sum(axis=1, keepdims=True), np.float32)


def _same(hand: Hand, seen: Sequence[Hand]) -> Hand | None:
    """Return the hand that lies nearest, unless it lies farther off than half of the hand's size."""
    pixels = np.array(hand.image_size, np.float32)
    points = hand.landmarks[:, :2] * pixels
    reach = float(np.ptp(points, axis=0).max()) / 2

    def distance(other: Hand) -> float:
        return float(np.linalg.norm((other.landmarks[:, :2] * pixels).mean(axis=0) - points.mean(axis=0)))

    nearest = min(seen, key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) <= reach else None
