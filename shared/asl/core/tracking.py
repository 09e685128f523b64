"""Frames of a stream to the landmarks of the hands in them: a hand that was found is followed, not looked for anew."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from asl.contracts import ExtractionOptions
from asl.core.detection import RETRY_BORDERS, HandDetector, scaled_down
from asl.core.hand import Hand
from asl.core.images import RgbImage

MAX_GAP_MS: Final = 1000
"""A hand last seen longer ago may be anywhere, and is looked for anew."""

_BORDERS: Final = (0.0, *RETRY_BORDERS)
_BLANK: Final[RgbImage] = np.zeros((8, 8, 3), np.uint8)


class HandTracker:
    """One MediaPipe landmarker for the frames of one stream; for one thread at a time.

    Following leaves the palm detector out, so a frame costs about half of what a photograph costs. A hand that was
    found with a border is followed with that border: the networks see a steady picture, and nothing is lost.

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
        self._detector = HandDetector(landmarker_path, options, follows=True)
        self._border = 0.0
        self._follows = False
        self._n_missed = 0
        self._size: tuple[int, ...] = ()
        self._time_ms = 0

    def track(self, image: RgbImage, timestamp_ms: int) -> tuple[Hand, ...]:
        """Find the hands in the stream's next frame, the one whose side is surest first.

        Where a hand is lost, the frame is searched with every border at once. As long as there is none, each frame is
        searched once, with one border after the other: a hand that needs one is found within three frames.

        Args:
            image: (height, width, 3) uint8 RGB.
            timestamp_ms: When the frame was taken, on any clock. A time that is not later than the one before, or later
                by more than `MAX_GAP_MS`, starts a new stream, and so does a frame of another size.

        Returns:
            At most `max_num_hands` hands; none where none is found.
        """
        small = scaled_down(image)
        if small.shape[:2] != self._size or not 0 < timestamp_ms - self._time_ms <= MAX_GAP_MS:
            self.forget()
        self._size, self._time_ms = small.shape[:2], timestamp_ms
        for border in self._tries():
            hands = self._detector.detect(small, border)
            if hands:
                self._border, self._follows, self._n_missed = border, True, 0
                return hands
        self._follows, self._n_missed = False, self._n_missed + 1
        return ()

    def forget(self) -> None:
        """Start a new stream: the next frame is searched as a photograph is."""
        if self._follows:
            # On a blank frame every hand is lost; a new landmarker would cost ten times as much.
            self._detector.detect(_BLANK)
        self._follows, self._n_missed = False, 0

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _tries(self) -> tuple[float, ...]:
        if self._follows:
            return (self._border, *_BORDERS)
        return (_BORDERS[self._n_missed % len(_BORDERS)],) if self._n_missed else _BORDERS
