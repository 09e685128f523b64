"""One search of a picture, or of a stream's next frame, for hands with MediaPipe's HandLandmarker."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from asl.contracts import ExtractionOptions, Handedness
from asl.core.hand import Hand
from asl.core.images import RgbImage
from asl.errors import LandmarkerUnavailable

MAX_SIDE: Final = 2048
"""Pixels; larger pictures are scaled down. Both networks look at 224 pixels or fewer, while MediaPipe ends the whole
process where a side, border included, reaches 32,767, and takes seconds and gigabytes long before."""

RETRY_BORDERS: Final = (0.25, 0.5)
"""Borders, as shares of the longer side, that are added where no hand is found: the palm detector misses hands that
fill the picture. Repeating the edge pixels outward found half of the missing hands on 400 photographs of many rooms
(.81 -> .90); black, grey, white, mean-coloured and mirrored borders found fewer, or read worse."""


class HandDetector:
    """The palm detector and the landmark network; for one thread at a time.

    Use as a context manager, or call `close`.
    """

    def __init__(
        self, landmarker_path: Path, options: ExtractionOptions | None = None, *, follows: bool = False
    ) -> None:
        """Load the two networks.

        Args:
            landmarker_path: The model's file, see `asl.core.landmarker.ensure`.
            options: How hands are looked for.
            follows: Whether pictures are frames of a stream: hands of the frame before are then followed, and looked
                for anew only where fewer than `max_num_hands` are.

        Raises:
            LandmarkerUnavailable: The file is missing, or no hand landmarker.
        """
        options = options or ExtractionOptions()
        landmarker_options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(landmarker_path)),
            running_mode=vision.RunningMode.VIDEO if follows else vision.RunningMode.IMAGE,
            num_hands=options.max_num_hands,
            min_hand_detection_confidence=options.min_detection_confidence,
            min_tracking_confidence=options.min_tracking_confidence,
        )
        try:
            self._landmarker = vision.HandLandmarker.create_from_options(landmarker_options)
        except (OSError, RuntimeError, ValueError) as error:
            raise LandmarkerUnavailable(
                f"{landmarker_path}: expected MediaPipe's hand landmarker model, found another file",
                hint="Correct or unset ASL_HAND_LANDMARKER_PATH.",
            ) from error
        self._follows = follows
        self._n_frames = 0

    def detect(self, image: RgbImage, border: float = 0.0) -> tuple[Hand, ...]:
        """Search a picture once.

        Args:
            image: (height, width, 3) uint8 RGB, no side above `MAX_SIDE`.
            border: Width of a border of repeated edge pixels that is added first, as a share of the longer side.

        Returns:
            The hands, the one whose side is surest first, with landmarks in fractions of the picture without border.
        """
        height, width = image.shape[:2]
        margin = round(border * max(height, width))
        found = self._run(_with_margin(image, margin))
        # From fractions of the bordered picture to fractions of the picture itself; z is on x's scale.
        scale = np.array([1 + 2 * margin / width, 1 + 2 * margin / height, 1 + 2 * margin / width], np.float32)
        shift = np.array([margin / width, margin / height, 0], np.float32)
        hands = (
            Hand(
                landmarks=_points(landmarks) * scale - shift,
                world_landmarks=_points(world_landmarks),
                handedness=Handedness(side[0].category_name.lower()),
                score=float(side[0].score),
                border=border,
                image_size=(width, height),
            )
            for landmarks, world_landmarks, side in zip(
                found.hand_landmarks, found.hand_world_landmarks, found.handedness, strict=True
            )
        )
        return tuple(sorted(hands, key=lambda hand: -hand.score))

    def close(self) -> None:
        """Free the networks."""
        self._landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _run(self, image: RgbImage) -> vision.HandLandmarkerResult:
        frame = mp.Image(image_format=mp.ImageFormat.SRGB, data=image)
        if not self._follows:
            return self._landmarker.detect(frame)
        # MediaPipe wants times that rise, and makes nothing of how far: a count of frames does.
        self._n_frames += 1
        return self._landmarker.detect_for_video(frame, self._n_frames)


def scaled_down(image: RgbImage) -> RgbImage:
    """Return the picture with no side above `MAX_SIDE`; landmarks are fractions, so none has to be mapped back."""
    height, width = image.shape[:2]
    factor = MAX_SIDE / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _with_margin(image: RgbImage, margin: int) -> RgbImage:
    if not margin:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE), np.uint8)


def _points(landmarks: list[Any]) -> NDArray[np.float32]:
    return np.array([(point.x, point.y, point.z) for point in landmarks], np.float32)
