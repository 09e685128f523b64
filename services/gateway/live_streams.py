"""The live streams of this process: how many there are, and how many there may be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.requests import HTTPConnection

from services.gateway.key_ring import FRESH_S
from services.gateway.live_end import CloseCode, LiveEnd
from services.gateway.startup import gateway_of

IDLE_LIMIT_S: Final = 60.0
"""A page that was left open holds nothing for longer."""
MAX_STREAMS: Final = 1000
"""A stream of landmarks costs some 100 kB, and no more than the event loop while it sends."""
IMAGE_STREAMS_PER_THREAD: Final = 4
"""A frame costs a thread 6 to 13 ms: four cameras at 25 frames a second keep one at work. More would only drop frames,
and each holds a landmarker in memory."""


class LiveStreams:
    """Places for streams; of one event loop."""

    def __init__(
        self,
        *,
        n_image_streams: int,
        n_streams: int = MAX_STREAMS,
        idle_limit_s: float = IDLE_LIMIT_S,
        recheck_s: float = FRESH_S,
    ) -> None:
        """Begin with none.

        Args:
            n_image_streams: How many may send images at once.
            n_streams: How many there may be.
            idle_limit_s: A stream ends where nothing came for so long.
            recheck_s: How often a stream's key is looked at again.
        """
        self._n_free, self._n_free_for_images = n_streams, n_image_streams
        self.idle_limit_s = idle_limit_s
        self.recheck_s = recheck_s

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for a stream.

        Raises:
            LiveEnd: There is none.
        """
        if not self._n_free:
            raise LiveEnd(CloseCode.TOO_MANY, "too many streams already; try again later")
        self._n_free -= 1
        try:
            yield
        finally:
            self._n_free += 1

    def take_image_place(self) -> None:
        """Take a place for a stream of images, until `give_image_place`.

        Raises:
            LiveEnd: There is none.
        """
        if not self._n_free_for_images:
            raise LiveEnd(CloseCode.TOO_MANY, "too many streams of images already; send landmarks, or try again later")
        self._n_free_for_images -= 1

    def give_image_place(self) -> None:
        """Give it back."""
        self._n_free_for_images += 1


def streams_of(connection: HTTPConnection) -> LiveStreams:
    """Return the application's streams, set up with the first."""
    streams: LiveStreams | None = getattr(connection.app.state, "live", None)
    if streams is None:
        n_threads = gateway_of(connection).settings.recognition_threads
        streams = connection.app.state.live = LiveStreams(n_image_streams=IMAGE_STREAMS_PER_THREAD * n_threads)
    return streams
