"""A second look at hands that are not read surely: in the mirror image, where the landmarker errs in other ways."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asl.core.classifier import Classifier
from asl.core.extraction import HandExtractor
from asl.core.hand import Hand
from asl.core.images import RgbImage


def classify_looking_twice(
    classifier: Classifier, hands: Sequence[Hand], image: RgbImage, extractor: HandExtractor, *, below: float
) -> NDArray[np.float32]:
    """Compute calibrated probabilities of hands; of those not read surely, the mean of two looks.

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
        probabilities[list(again)] = (probabilities[list(again)] + second) / 2
    return probabilities


def _same(hand: Hand, seen: Sequence[Hand]) -> Hand | None:
    """Return the hand that lies nearest, unless it lies farther off than half of the hand's size."""
    pixels = np.array(hand.image_size, np.float32)
    points = hand.landmarks[:, :2] * pixels
    reach = float(np.ptp(points, axis=0).max()) / 2

    def distance(other: Hand) -> float:
        return float(np.linalg.norm((other.landmarks[:, :2] * pixels).mean(axis=0) - points.mean(axis=0)))

    nearest = min(seen, key=distance, default=None)
    return nearest if nearest is not None and distance(nearest) <= reach else None
