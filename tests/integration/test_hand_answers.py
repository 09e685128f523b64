"""Answers put together by hand are those that pydantic writes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from asl.contracts import Handedness
from asl.core.classifier import load_classifier
from asl.core.hand import Hand
from asl.core.recognition import read
from asl.errors import LandmarksInvalid
from services.gateway.answers import as_json, outcome_of
from services.gateway.hand_answers import HandWriter

CLASSIFIER = load_classifier()


def hand(landmarks: NDArray[np.float64], side: Handedness = Handedness.RIGHT) -> Hand:
    return Hand(landmarks.astype(np.float32), np.full((21, 3), np.nan, np.float32), side, 1.0, 0.0, (640, 480))


@pytest.mark.parametrize("side", Handedness)
def test_an_answer_is_what_pydantic_writes_byte_for_byte(side: Handedness) -> None:
    rng, writer, reasons = np.random.default_rng(3), HandWriter(CLASSIFIER), set()
    for size in np.linspace(0.02, 1, 100):  # from hands that are refused to hands that are not
        one = hand(np.cumsum(rng.normal(0, size, (21, 3)) * (1, 1, size), axis=0), side)
        answer, reason = writer.read(one)
        expected = read(CLASSIFIER, (one,))
        assert answer == as_json(expected).body
        assert (reason or "letter") == outcome_of(expected)
        reasons.add(reason)
    assert len(reasons) == 3


@pytest.mark.parametrize("number", [0.5, np.nan])
def test_what_is_no_hand_is_refused(number: float) -> None:
    with pytest.raises(LandmarksInvalid):
        HandWriter(CLASSIFIER).read(hand(np.full((21, 3), number)))
