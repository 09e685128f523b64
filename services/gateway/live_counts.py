"""What is counted of a live stream: for its line in the log, and for Prometheus."""

from collections import Counter
from enum import StrEnum

from services.gateway.metrics import Metrics


class FrameKind(StrEnum):
    """How a frame came."""

    LANDMARKS = "landmarks"
    IMAGE = "image"


class LiveCounts:
    """The frames of one stream."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin at zero.

        Args:
            metrics: The application's, which are counted up too.
        """
        self._metrics = metrics
        self._frames: Counter[FrameKind] = Counter()
        self.n_dropped = 0
        """Images dropped for newer ones."""
        self.n_errors = 0

    def note(self, kind: FrameKind, outcome: str, n: int = 1) -> None:
        """Count frames that were answered; the outcome is `letter`, or the reason or code in its place."""
        self._frames[kind] += n
        self._metrics.live_frames.labels(kind, outcome).inc(n)

    def note_error(self, kind: FrameKind, code: str) -> None:
        """Count a frame that could not be read."""
        self.n_errors += 1
        self.note(kind, code)

    def note_dropped(self) -> None:
        """Count an image that was dropped for a newer one."""
        self.n_dropped += 1
        self._metrics.live_dropped.inc()

    def line(self) -> dict[str, int]:
        """Return what the log tells."""
        return {
            "n_landmarks": self._frames[FrameKind.LANDMARKS],
            "n_images": self._frames[FrameKind.IMAGE],
            "n_dropped": self.n_dropped,
            "n_errors": self.n_errors,
        }
