"""What every peer does with a photograph: decode, find the hand, name the letter, with this project's own functions."""

import numpy as np

from asl.core import images, landmarker
from asl.core.classifier import load_classifier
from asl.core.recognition import Recognizer

N_WORKERS = 2
"""Processes of each peer, as the gateway has threads."""
PATH = "/api/v1/asl/recognitions"
_GREY = images.encode_jpeg(np.full((480, 480, 3), 128, np.uint8))


def new_recognizer() -> Recognizer:
    """Return a recognizer that is warm: two pictures without a hand have been searched."""
    recognizer = Recognizer(load_classifier(), landmarker.ensure())
    for _ in range(2):
        recognizer.recognize(_GREY)
    return recognizer


def answer(recognizer: Recognizer, picture: bytes) -> dict[str, object]:
    """Read a photograph; returns what goes out as JSON."""
    return recognizer.recognize(picture).model_dump(mode="json")
