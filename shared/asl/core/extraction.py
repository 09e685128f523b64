"""An RGB picture to the landmarks of the hands in it."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from asl.contracts import ExtractionOptions
from asl.core.detection import RETRY_BORDERS, HandDetector, scaled_down
from asl.core.hand import Hand
from asl.core.images import RgbImage

MIRRORED_BORDER: Final = 0.25
"""As a share of the longer side. With it the mirror image told more than without, see `asl.core.second_look`."""


class HandExtractor:
    """One MediaPipe landmarker, reused from picture to picture; for one thread at a time.

    Use as a context manager, or call `close`.
    """

    def __init__(self, landmarker_path: Path, options: ExtractionOptions | None = None) -> None:
        """Load the two networks.

        Args:
            landmarker_path: The model's file, see `asl.core.landmarker.ensure`.
            options: How hands are looked for.

        Raises:
            LandmarkerUnavailable: The file is missing, or no hand landmarker.
        """
        self._detector = HandDetector(landmarker_path, options)

    def extract(self, image: RgbImage) -> tuple[Hand, ...]:
        """Find the hands in a picture, the one whose side is surest first.

        Where none is found, it is tried again with `RETRY_BORDERS` around the picture.

        Args:
            image: (height, width, 3) uint8 RGB.

        Returns:
            At most `max_num_hands` hands; none where none is found.
        """
        small = scaled_down(image)
        tries = (self._detector.detect(small, border) for border in (0.0, *RETRY_BORDERS))
        return next(filter(None, tries), ())

    def extract_mirrored(self, image: RgbImage) -> tuple[Hand, ...]:
        """Find the hands in a picture's mirror image, with a border of `MIRRORED_BORDER`.

        Args:
            image: (height, width, 3) uint8 RGB, the picture itself.

        Returns:
            As `extract`, with sides and landmarks as in the picture itself.
        """
        found = self._detector.detect(np.ascontiguousarray(scaled_down(image)[:, ::-1]), MIRRORED_BORDER)
        return tuple(hand.mirrored() for hand in found)

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()
