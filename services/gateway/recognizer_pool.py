"""The recognizers of this process: one a thread, a short queue before them, and no more."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final, Protocol

from asl.contracts import Recognition
from asl.errors import Busy

WAITING_PER_THREAD: Final = 4
"""Calls that may wait for each thread: at 15 ms a call the last one waits some 60 ms; the next had better be told."""
_WARM_UP_ROUNDS: Final = 2


class Recognizes(Protocol):
    """What the pool needs of a recognizer: `asl.core.recognition.Recognizer`, or a test's."""

    def recognize(self, data: bytes) -> Recognition:
        """Read the letter of a photograph; called by one thread at a time."""

    def close(self) -> None:
        """Free what the recognizer holds."""


class RecognizerPool:
    """Runs recognitions in as many threads as there are recognizers; call `close` at the end."""

    def __init__(self, recognizers: Sequence[Recognizes], *, n_waiting: int | None = None) -> None:
        """Start the threads.

        Args:
            recognizers: At least one; the pool owns them from here on.
            n_waiting: Calls that may wait beside those at work; `WAITING_PER_THREAD` for each recognizer where None.
        """
        self._recognizers = tuple(recognizers)
        self._idle = list(recognizers)
        n_threads = len(self._recognizers)
        waiting = WAITING_PER_THREAD * n_threads if n_waiting is None else n_waiting
        self.n_places = n_threads + waiting
        """Calls that may be at work or wait."""
        self.n_calls = 0
        """Calls that are at work or wait."""
        self._counting = Lock()
        self._executor = ThreadPoolExecutor(n_threads, thread_name_prefix="recognizer")

    async def recognize(self, data: bytes) -> Recognition:
        """Read the letter that a photograph shows; cancelled while it still waits, it is never run.

        Args:
            data: An image file's bytes.

        Raises:
            Busy: As many calls as allowed are waiting already.
            ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable: See `asl.core.images.decode`.
        """
        self._take_place()
        future = self._executor.submit(self._run, data)
        # Of the thread's future, not of the waiting task: a call whose client left still occupies its thread.
        future.add_done_callback(self._free_place)
        return await asyncio.wrap_future(future)

    def warm_up(self, data: bytes) -> None:
        """Run each recognizer on a picture, so that the first call is as fast as the rest; call before any other."""
        for _ in range(_WARM_UP_ROUNDS):
            list(self._executor.map(lambda recognizer: recognizer.recognize(data), self._recognizers))

    def close(self) -> None:
        """End the threads after the calls at work, and free the recognizers."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        for recognizer in self._recognizers:
            recognizer.close()

    def _run(self, data: bytes) -> Recognition:
        # Never empty: there are as many as threads. The last one used comes first, its networks still in the cache.
        recognizer = self._idle.pop()
        try:
            return recognizer.recognize(data)
        finally:
            self._idle.append(recognizer)

    def _take_place(self) -> None:
        with self._counting:
            if self.n_calls >= self.n_places:
                raise Busy("too many pictures are waiting already", hint="Send it again as Retry-After says.")
            self.n_calls += 1

    def _free_place(self, _: Future[Recognition]) -> None:
        with self._counting:
            self.n_calls -= 1
