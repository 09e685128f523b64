"""Where hands are said to be: the real landmarker on rendered hands."""

import cv2
import numpy as np
import pytest

from asl.contracts import ExtractionOptions
from asl.core import images
from asl.core.classifier import load_classifier
from asl.core.detection import MAX_SIDE, HandDetector
from asl.core.extraction import HandExtractor
from asl.core.synthetic.renderer import render_hand


@pytest.fixture(scope="module")
def extractor(landmarker_path):
    with HandExtractor(landmarker_path) as made:
        yield made


def _wide(seed=1, letter="L"):
    """A hand in a picture that is wider than it is high."""
    return render_hand(letter, seed=seed, size=(600, 420)).image


@pytest.fixture(scope="module")
def detector(landmarker_path):
    with HandDetector(landmarker_path) as made:
        yield made


def test_landmarks_found_with_a_border_are_those_of_the_picture_itself(detector):
    image = _wide()
    height, width = image.shape[:2]
    margin = round(0.25 * width)
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    (by_hand,) = detector.detect(padded)
    pixels = by_hand.landmarks * [padded.shape[1], padded.shape[0], padded.shape[1]] - [margin, margin, 0]
    (bordered,) = detector.detect(image, 0.25)
    np.testing.assert_allclose(bordered.landmarks * [width, height, width], pixels, atol=0.01)
    assert bordered.border == 0.25
    (plain,) = detector.detect(image)
    np.testing.assert_allclose(bordered.landmarks, plain.landmarks, atol=0.03)


def test_a_hand_that_fills_the_picture_is_found_at_a_later_try(extractor):
    hands = [_closely_cut(render_hand(letter, seed=seed)) for letter in "ABDFLVWY" for seed in range(3)]
    found = [hand for image in hands for hand in extractor.extract(image)]
    assert len(found) >= 0.8 * len(hands)
    assert sum(hand.border > 0 for hand in found) >= 3


def _closely_cut(hand):
    height, width = hand.image.shape[:2]
    low = np.floor(hand.landmarks[:, :2].min(axis=0) * [width, height]).astype(int) - 8
    high = np.ceil(hand.landmarks[:, :2].max(axis=0) * [width, height]).astype(int) + 8
    return np.ascontiguousarray(hand.image[max(low[1], 0) : high[1], max(low[0], 0) : high[0]])


def test_two_hands_are_found_where_two_are_looked_for(landmarker_path, extractor):
    left, right = (render_hand("B", seed=seed, handedness=side) for seed, side in ((4, "right"), (5, "left")))
    image = np.ascontiguousarray(np.concatenate([left.image, right.image], axis=1))
    with HandExtractor(landmarker_path, ExtractionOptions(max_num_hands=2)) as two:
        hands = two.extract(image)
    assert {hand.handedness for hand in hands} == {"left", "right"}
    assert hands[0].score >= hands[1].score
    halves = {hand.handedness: hand.landmarks[:, 0].mean() for hand in hands}
    assert halves["right"] < 0.5 < halves["left"]
    assert len(extractor.extract(image)) == 1


@pytest.mark.parametrize("shape", [(100, 17_000), (4, 1_000_000), (40_000, 20), (1, 1)])
def test_pictures_of_odd_shapes_end_nothing(extractor, shape):
    assert extractor.extract(np.full((*shape, 3), 90, np.uint8)) == ()


def test_a_large_picture_has_the_landmarks_of_a_small_one(extractor):
    image = _wide(seed=2)
    large = cv2.resize(image, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    assert large.shape[1] > MAX_SIDE
    (small_hand,), (large_hand,) = extractor.extract(image), extractor.extract(large)
    np.testing.assert_allclose(large_hand.landmarks, small_hand.landmarks, atol=0.02)


def test_a_real_photograph_enlarged_is_read_as_the_same_letter(real_data, extractor):
    classifier = load_classifier()
    paths = [
        path for source in ("clean", "washed") for path in sorted((real_data / "images" / source).glob("*/*0.jpg"))
    ]
    same = []
    for path in paths[:: max(1, len(paths) // 12)]:
        data = path.read_bytes()
        image = images.decode(data)
        large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        again = images.decode(images.encode_jpeg(large))
        assert again.shape == image.shape
        found = [hand for picture in (image, again) for hand in extractor.extract(picture)]
        same.append(len(set(classifier.classify(found).argmax(axis=1))) == 1 and len(found) == 2)
    assert len(same) >= 10
    assert all(same)
