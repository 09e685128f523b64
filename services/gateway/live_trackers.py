"""The trackers of live streams of images: each stream borrows one, and some are kept for the streams to come."""

from threading import Lock

from asl.core import landmarker
from asl.core.tracking import HandTracker
from asl.infra.settings import Settings


class LiveTrackers:
    """Lends trackers, in any thread; call `close` at the end.

    To load one takes as long as to search a photograph, and it holds up to 47 MB: so as many are kept as can be at work
    at once, and those of further streams are freed when the streams end.
    """

    def __init__(self) -> None:
        """Begin with none; the first stream of images loads the first."""
        self._changing = Lock()
        self._idle: list[HandTracker] = []
        self._is_closed = False

    def lend(self, settings: Settings) -> HandTracker:
        """Return a tracker that knows no stream yet.

        Args:
            settings: How hands are looked for; always the same.

        Raises:
            LandmarkerUnavailable: None can be loaded.
        """
        with self._changing:
            tracker = self._idle.pop() if self._idle else None
        if tracker is None:
            return HandTracker(landmarker.ensure(settings.hand_landmarker_path), settings.extraction)
        # Here, where a recognizer's thread has its turn, and not where streams end.
        tracker.forget()
        return tracker

    def take_back(self, tracker: HandTracker, settings: Settings) -> None:
        """Keep a tracker for another stream, or free it."""
        with self._changing:
            is_kept = not self._is_closed and len(self._idle) < settings.recognition_threads
            if is_kept:
                self._idle.append(tracker)
        if not is_kept:
            tracker.close()

    def close(self) -> None:
        """Free those that wait, and from here on each that comes back."""
        with self._changing:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for tracker in idle:
            tracker.close()
