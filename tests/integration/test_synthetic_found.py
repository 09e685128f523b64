"""MediaPipe finds the synthetic hands, and its landmarks are the true ones."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mediapipe as mp
import numpy as np
import pytest
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions

from asl.core.synthetic.renderer import RenderedHand, render_hand

SEEDS = range(3)
MIN_FOUND_SHARE = 0.90
MAX_MEDIAN_ERROR = 0.05  # of the hand's size: the largest distance of a joint from the wrist
MIN_SIDE_SHARE = 0.80


@dataclass(frozen=True)
class Found:
    error: np.ndarray  # (21,) of the hand's size
    is_side_right: bool


@pytest.fixture(scope="module")
def landmarker(landmarker_path: Path) -> Iterator[vision.HandLandmarker]:
    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(landmarker_path)),
        num_hands=1,
        min_hand_detection_confidence=0.5,
    )
    with vision.HandLandmarker.create_from_options(options) as landmarker:
        yield landmarker


@pytest.fixture(scope="module")
def detections(landmarker: vision.HandLandmarker) -> list[Found | None]:
    return [
        detect(landmarker, render_hand(letter, seed=seed, handedness="left" if seed % 2 else "right"))
        for letter in string.ascii_uppercase
        for seed in SEEDS
    ]


def detect(landmarker: vision.HandLandmarker, hand: RenderedHand) -> Found | None:
    result = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=hand.image))
    if not result.hand_landmarks:
        return None
    height, width = hand.image.shape[:2]
    found = np.array([[point.x * width, point.y * height] for point in result.hand_landmarks[0]])
    true = hand.landmarks[:, :2] * (width, height)
    size = np.linalg.norm(true - true[0], axis=1).max()
    return Found(
        error=np.linalg.norm(found - true, axis=1) / size,
        is_side_right=result.handedness[0][0].category_name.lower() == hand.handedness,
    )


def test_mediapipe_finds_the_hands(detections: list[Found | None]) -> None:
    assert np.mean([detection is not None for detection in detections]) >= MIN_FOUND_SHARE


def test_mediapipe_agrees_with_the_true_landmarks(detections: list[Found | None]) -> None:
    errors = [detection.error for detection in detections if detection is not None]

    assert np.median(errors) <= MAX_MEDIAN_ERROR


def test_mediapipe_names_the_true_hand(detections: list[Found | None]) -> None:
    sides = [detection.is_side_right for detection in detections if detection is not None]

    assert np.mean(sides) >= MIN_SIDE_SHARE
