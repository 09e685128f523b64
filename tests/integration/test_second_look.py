"""The second look at hands that are not read surely: the real landmarker on rendered hands."""

import numpy as np
import pytest

from asl.contracts import ExtractionOptions
from asl.core import images
from asl.core.classifier import load_classifier
from asl.core.extraction import HandExtractor
from asl.core.hand import Hand
from asl.core.recognition import Recognizer
from asl.core.second_look import classify_looking_twice
from asl.core.synthetic.renderer import render_hand

NEVER, ALWAYS = 0.0, 1.1


@pytest.fixture(scope="module")
def extractor(landmarker_path):
    with HandExtractor(landmarker_path) as made:
        yield made


@pytest.fixture(scope="module")
def classifier():
    return load_classifier()


def _picture(letter="K", seed=3, side="right"):
    return render_hand(letter, seed=seed, size=(600, 420), handedness=side).image


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_the_mirror_image_shows_is_told_as_the_picture_has_it(extractor, side):
    image = _picture(side=side)
    (hand,), (again,) = extractor.extract(image), extractor.extract_mirrored(image)
    assert again.handedness == hand.handedness == side
    np.testing.assert_allclose(again.landmarks[:, :2], hand.landmarks[:, :2], atol=0.03)  # depths differ more
    np.testing.assert_allclose(again.world_landmarks[:, :2], hand.world_landmarks[:, :2], atol=0.02)
    assert not np.array_equal(again.landmarks, hand.landmarks)


def test_a_mirrored_hand_is_the_same_letter_and_mirrored_back_the_same_hand(extractor, classifier):
    (hand,) = extractor.extract(_picture())
    mirrored = hand.mirrored()
    assert mirrored.handedness == hand.handedness.other
    np.testing.assert_allclose(classifier.classify([mirrored]), classifier.classify([hand]), atol=1e-4)
    np.testing.assert_allclose(mirrored.mirrored().landmarks, hand.landmarks, atol=1e-6)


def test_an_unsure_answer_is_what_two_looks_say_together_and_a_sure_one_stays(extractor, classifier):
    image = _picture()
    hands = extractor.extract(image)
    first = classifier.classify(hands)
    second = classifier.classify(extractor.extract_mirrored(image))
    assert np.abs(first - second).max() > 0
    twice = classify_looking_twice(classifier, hands, image, extractor, below=ALWAYS)
    together = np.sqrt(first * second)
    np.testing.assert_allclose(twice, together / together.sum(), atol=1e-4)
    once = classify_looking_twice(classifier, hands, image, extractor, below=float(first.max()))
    np.testing.assert_array_equal(once, first)


def test_each_of_two_hands_is_looked_at_by_itself(landmarker_path, classifier):
    left, right = _picture("B", 4, "right"), _picture("Y", 5, "left")
    image = np.ascontiguousarray(np.concatenate([left, right], axis=1))
    with HandExtractor(landmarker_path, ExtractionOptions(max_num_hands=2)) as two:
        hands = two.extract(image)
        twice = classify_looking_twice(classifier, hands, image, two, below=ALWAYS)
    letters = {hand.handedness: classifier.label_names[row.argmax()] for hand, row in zip(hands, twice, strict=True)}
    assert letters == {"right": "B", "left": "Y"}


def test_a_hand_that_the_second_look_does_not_find_keeps_its_answer(extractor, classifier):
    image = _picture()
    (hand,) = extractor.extract(image)
    elsewhere = Hand(
        hand.landmarks - np.array([0.9, 0, 0], np.float32),
        hand.world_landmarks,
        hand.handedness,
        hand.score,
        hand.border,
        hand.image_size,
    )
    twice = classify_looking_twice(classifier, [elsewhere], image, extractor, below=ALWAYS)
    np.testing.assert_array_equal(twice, classifier.classify([elsewhere]))
    empty = np.full_like(image, 90)
    twice = classify_looking_twice(classifier, [hand], empty, extractor, below=ALWAYS)
    np.testing.assert_array_equal(twice, classifier.classify([hand]))


def test_whoever_recognises_may_choose_when_to_look_twice(landmarker_path, classifier):
    data = images.encode_jpeg(_picture())
    answers = []
    for below in (NEVER, 1.0):
        with Recognizer(classifier, landmarker_path, ExtractionOptions(second_look_below=below)) as recognizer:
            answers.append(recognizer.recognize(data))
    assert [answer.letter for answer in answers] == ["K", "K"]
    assert answers[0].confidence != answers[1].confidence
