"""The recognizers of this process: one a thread, a short queue before them, and no more."""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import IntEnum
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from asl.errors import Busy, DeadlineExceeded

LONGEST_WAIT_S: Final = 0.15
"""A call that would wait longer, as fast as calls are done at present, had better be told at once."""
MAX_WAITING_PER_THREAD: Final = 16
"""However fast calls are done: each that waits holds its picture in memory."""

_FIRST_GUESS_S: Final = 0.04
_WEIGHT: Final = 0.1
"""Of the latest call in the mean of what calls take."""
_WARM_UP_ROUNDS: Final = 2

_T = TypeVar("_T")


class Priority(IntEnum):
    """Who goes first."""

    LIVE = 0
    SINGLE = 1
    BATCH = 2


class Closable(Protocol):
    """What the pool itself needs of a recognizer."""

    def close(self) -> None:
        """Free what the recognizer holds."""


_R = TypeVar("_R", bound=Closable)


class RecognizerPool(Generic[_R]):
    """Lends recognizers to work, in as many threads as there are recognizers; call `close` at the end."""

    def __init__(self, recognizers: Sequence[_R], *, n_waiting: int | None = None) -> None:
        """Start the threads.

        Args:
            recognizers: At least one; the pool owns them from here on.
            n_waiting: Calls that may wait beside those at work; where None, as many as get their turn within
                `LONGEST_WAIT_S`, and at least one for each recognizer.
        """
        self._recognizers = tuple(recognizers)
        self._idle = list(recognizers)
        n_threads = len(self._recognizers)
        self._n_waiting_places = n_waiting
        self._mean_s = _FIRST_GUESS_S
        self._waiting: list[tuple[int, int, _Call[_R]]] = []
        self._numbers = itertools.count()
        self._n_working = 0
        self._is_closing = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"recognizer-{number}", daemon=True) for number in range(n_threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def n_threads(self) -> int:
        """Calls that may be at work."""
        return len(self._recognizers)

    @property
    def n_places(self) -> int:
        """Calls that may be at work or wait, as fast as calls are done at present."""
        if self._n_waiting_places is not None:
            return self.n_threads + self._n_waiting_places
        n_in_time = int(LONGEST_WAIT_S / self._mean_s * self.n_threads)
        return self.n_threads + min(max(n_in_time, self.n_threads), MAX_WAITING_PER_THREAD * self.n_threads)

    @property
    def n_calls(self) -> int:
        """Calls that are at work or wait."""
        return self._n_working + len(self._waiting)

    def check_room(self, priority: Priority = Priority.SINGLE) -> None:
        """Refuse a call that would find no place at this moment, before its picture is received.

        Raises:
            Busy: As many calls as allowed are waiting already.
        """
        with self._changed:
            if self.n_calls >= self.n_places:
                self._last_of_less(priority)

    async def run(
        self, work: Callable[[_R], _T], priority: Priority = Priority.SINGLE, *, timeout_s: float | None = None
    ) -> _T:
        """Run work with a recognizer in one of the threads; cancelled while it still waits, it is never run.

        Where all places are taken, a call of a higher priority takes the place of one that waits with a lower.

        Args:
            work: Called with the recognizer; what it returns or raises comes back.
            priority: Who goes first; within one, who came first.
            timeout_s: How long the caller waits at most.

        Raises:
            Busy: As many calls as allowed are waiting already.
            DeadlineExceeded: It was not done in time.
        """
        future: Future[_T] = Future()
        call = _Call(work, future, priority)
        self._enter(call)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise DeadlineExceeded(
                f"expected an answer within {timeout_s:g} s, found more work than that",
                hint="Allow more time, or send less at once.",
            ) from None
        finally:
            if future.cancelled():
                self._leave(call)

    def warm_up(self, work: Callable[[_R], object]) -> None:
        """Run work with each recognizer, so that the first call is as fast as the rest; call before any other."""
        for recognizer in self._recognizers * _WARM_UP_ROUNDS:
            work(recognizer)

    def close(self) -> None:
        """End the threads after the calls at work, and free the recognizers."""
        with self._changed:
            self._is_closing = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify_all()
        for _, _, call in waiting:
            call.future.cancel()
        for thread in self._threads:
            thread.join()
        for recognizer in self._recognizers:
            recognizer.close()

    def _enter(self, call: "_Call[_R]") -> None:
        with self._changed:
            if self.n_calls >= self.n_places:
                self._make_room_for(call)
            heapq.heappush(self._waiting, (call.priority, next(self._numbers), call))
            self._changed.notify()

    def _make_room_for(self, call: "_Call[_R]") -> None:
        last = self._last_of_less(call.priority)
        self._waiting.remove(last)
        heapq.heapify(self._waiting)
        last[2].refuse()

    def _last_of_less(self, priority: Priority) -> "tuple[int, int, _Call[_R]]":
        """Return who waits last, of a lower priority."""
        last = max(self._waiting, default=None)
        if self._is_closing or last is None or last[0] <= priority:
            raise _busy()
        return last

    def _leave(self, call: "_Call[_R]") -> None:
        with self._changed:
            self._waiting = [entry for entry in self._waiting if entry[2] is not call]
            heapq.heapify(self._waiting)

    def _work(self) -> None:
        while self._do_next():
            pass  # a thread that waits for the next call keeps nothing of the last one: it may be a picture of many MB

    def _do_next(self) -> bool:
        """Wait for a call and do it; returns False at the end."""
        call = self._next()
        if call is None:
            return False
        # Never empty: there are as many as threads. The last one used comes first, its networks still in the cache.
        recognizer = self._idle.pop()
        took_s = call.run(recognizer)
        self._idle.append(recognizer)
        with self._changed:
            self._n_working -= 1
            if took_s is not None:
                self._mean_s += _WEIGHT * (took_s - self._mean_s)
        # Only now: who is told may call again at once, and finds this place.
        call.tell()
        return True

    def _next(self) -> "_Call[_R] | None":
        with self._changed:
            while not self._waiting:
                if self._is_closing:
                    return None
                self._changed.wait()
            call = heapq.heappop(self._waiting)[2]
            self._n_working += 1
            return call


class _Call(Generic[_R]):
    def __init__(self, work: Callable[[_R], Any], future: Future[Any], priority: Priority) -> None:
        self._work = work
        self.future = future
        self.priority = priority
        self.tell: Callable[[], None] = _nothing
        """Tells the caller what came of the work, once it is done."""

    def run(self, recognizer: _R) -> float | None:
        """Do the work; returns the seconds that it took, None where nobody waits for it any more."""
        if not self.future.set_running_or_notify_cancel():
            return None
        began = time.perf_counter()
        try:
            self.tell = partial(self.future.set_result, self._work(recognizer))
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self.tell = partial(self.future.set_exception, error)
        return time.perf_counter() - began

    def refuse(self) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(_busy())


def _nothing() -> None:
    pass


def _busy() -> Busy:
    return Busy("too many pictures are waiting already", hint="Send it again as Retry-After says.")
