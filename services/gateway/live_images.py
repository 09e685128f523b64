"""The images of one live stream: the newest waits, one is read at a time, and a hand is followed between them."""

import asyncio
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl.core import images
from asl.core.classifier import Classifier
from asl.core.hand import Hand
from asl.core.tracking import HandTracker
from asl.errors import Stopped
from services.gateway.live_frames import ImageFrame
from services.gateway.live_streams import LiveStreams
from services.gateway.recognizer_pool import Priority
from services.gateway.startup import Gateway


class Sighting(NamedTuple):
    """What an image showed."""

    classifier: Classifier
    hand: Hand | None
    probabilities: NDArray[np.float32] | None
    """(1, n_labels)"""


class ImageLane:
    """Reads a stream's images in the recognizers' threads; call `close` at the end."""

    def __init__(self, gateway: Gateway, streams: LiveStreams) -> None:
        """Prepare; nothing is loaded before the first image.

        Args:
            gateway: Has the threads and the classifier.
            streams: Has places for streams of images.
        """
        self._gateway, self._streams = gateway, streams
        self._has_place = False
        self._newest: ImageFrame | None = None
        self._came = asyncio.Event()
        self._tracker: HandTracker | None = None
        self._is_closed = False
        self._last_ms = 0
        self._tracking = Lock()
        self.n_dropped = 0
        """Images that were dropped for newer ones."""

    def offer(self, frame: ImageFrame) -> bool:
        """Let an image wait; returns whether another was dropped for it.

        Raises:
            LiveEnd: There are too many streams of images.
        """
        if not self._has_place:
            self._streams.take_image_place()
            self._has_place = True
        is_dropping = self._newest is not None
        self.n_dropped += is_dropping
        self._newest = frame
        self._came.set()
        return is_dropping

    async def next(self) -> ImageFrame:
        """Wait for an image."""
        while self._newest is None:
            self._came.clear()
            await self._came.wait()
        frame, self._newest = self._newest, None
        return frame

    async def read(self, frame: ImageFrame) -> Sighting:
        """Find the hand in an image, and read it.

        Raises:
            ModelNotLoaded, LandmarkerUnavailable: There is nothing to read with.
            ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable: See `asl.core.images.decode`.
            Busy: Too many streams have an image waiting.
        """
        return await self._gateway.recognizers().run(lambda _: self._read(frame), Priority.LIVE)

    async def close(self) -> None:
        """Give the tracker back, after the image at work."""
        if not self._has_place:
            return
        try:
            await asyncio.shield(asyncio.to_thread(self._close))
        finally:
            self._streams.give_image_place()

    def _read(self, frame: ImageFrame) -> Sighting:
        settings = self._gateway.settings
        with self._tracking:
            if self._is_closed:
                raise Stopped("the stream has ended")  # nobody waits any more
            image = images.decode(frame.data, max_bytes=settings.max_image_bytes)
            if self._tracker is None:
                self._tracker = self._gateway.trackers.lend(settings)
            # Two frames of the same millisecond would start a new stream.
            self._last_ms = max(self._last_ms + 1, int(frame.came_s * 1000))
            hands = self._tracker.track(image, self._last_ms)
        classifier = self._gateway.serving.current.classifier
        if not hands:
            return Sighting(classifier, None, None)
        return Sighting(classifier, hands[0], classifier.classify(hands[:1]))

    def _close(self) -> None:
        with self._tracking:
            self._is_closed = True
            if self._tracker is not None:
                self._gateway.trackers.take_back(self._tracker, self._gateway.settings)
