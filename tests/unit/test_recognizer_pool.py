"""The pool's promises, with recognizers that a test holds back."""

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from threading import Event, get_ident
from typing import Any

import pytest

from asl.contracts import Recognition
from asl.errors import Busy, DeadlineExceeded, ImageEmpty
from services.gateway.recognizer_pool import LONGEST_WAIT_S, MAX_WAITING_PER_THREAD, Priority, RecognizerPool

LIMIT_S = 60


class HeldBack:
    """Answers only when released; keeps what it was asked."""

    def __init__(self) -> None:
        self.release = Event()
        self.asked: list[bytes] = []
        self.at_work: set[int] = set()
        self.n_closed = 0

    def recognize(self, data: bytes) -> Recognition:
        assert not self.at_work, "one thread at a time"
        self.at_work.add(get_ident())
        self.asked.append(data)
        assert self.release.wait(LIMIT_S)
        self.at_work.clear()
        if data == b"":
            raise ImageEmpty("nothing")
        return Recognition(
            letter=data.decode(),
            confidence=1,
            handedness=None,
            alternatives=(),
            needs_motion=False,
            reason=None,
            model_version="x",
        )

    def close(self) -> None:
        self.n_closed += 1


async def recognize(pool: RecognizerPool[HeldBack], data: bytes, *options: Any, **more: Any) -> Recognition:
    return await pool.run(lambda one: one.recognize(data), *options, **more)


async def _until(is_so: object) -> None:
    assert callable(is_so)
    async with asyncio.timeout(LIMIT_S):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in a thread
            await asyncio.sleep(0.001)


def _asked(recognizers: list[HeldBack]) -> int:
    return sum(len(one.asked) for one in recognizers)


def test_answers_belong_to_their_calls_and_errors_come_through() -> None:
    recognizers = [HeldBack(), HeldBack()]
    for one in recognizers:
        one.release.set()
    pool = RecognizerPool(recognizers)

    async def calls() -> list[Recognition | BaseException]:
        return await asyncio.gather(*(recognize(pool, data) for data in (b"A", b"", b"B")), return_exceptions=True)

    first, error, second = asyncio.run(calls())
    assert isinstance(first, Recognition)
    assert isinstance(second, Recognition)
    assert (first.letter, second.letter) == ("A", "B")
    assert isinstance(error, ImageEmpty)
    pool.close()
    assert [one.n_closed for one in recognizers] == [1, 1]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_beyond_the_queue_is_busy_and_room_comes_back(n_threads: int) -> None:
    recognizers = [HeldBack() for _ in range(n_threads)]
    n_waiting = 4
    pool = RecognizerPool(recognizers, n_waiting=n_waiting)
    n_places = n_threads + n_waiting

    async def calls() -> None:
        inside = [asyncio.create_task(recognize(pool, b"A")) for _ in range(n_places)]
        await _until(lambda: _asked(recognizers) == n_threads)
        for _ in range(3):
            with pytest.raises(Busy):
                await recognize(pool, b"B")
            with pytest.raises(Busy):
                pool.check_room()
            pool.check_room(Priority.LIVE)  # it would take another's place
        assert pool.n_calls == pool.n_places == n_places
        for one in recognizers:
            one.release.set()
        assert {answer.letter for answer in await asyncio.gather(*inside)} == {"A"}
        assert (await recognize(pool, b"C")).letter == "C"

    asyncio.run(calls())
    pool.close()
    assert pool.n_calls == 0


def test_who_calls_again_at_once_finds_the_place_that_the_answer_left() -> None:
    recognizer = HeldBack()
    recognizer.release.set()
    pool = RecognizerPool([recognizer], n_waiting=0)

    async def calls() -> None:
        for data in (b"A", b"") * 100:  # answers and errors
            with contextlib.suppress(ImageEmpty):
                await recognize(pool, data)
            assert pool.n_calls == 0

    asyncio.run(calls())
    pool.close()
    assert len(recognizer.asked) == 200


def test_a_picture_is_let_go_with_its_answer() -> None:
    class Picture:
        """Of these, unlike of bytes, it can be told whether they are still there."""

    pool = RecognizerPool([HeldBack()], n_waiting=0)

    async def call() -> weakref.ref[Picture]:
        picture = Picture()
        await pool.run(lambda _: id(picture))
        return weakref.ref(picture)

    async def calls() -> None:
        reference = await call()
        await _until(lambda: reference() is None)

    asyncio.run(calls())
    pool.close()


def test_fewer_may_wait_the_longer_calls_take() -> None:
    n_threads = 3
    recognizers = [HeldBack() for _ in range(n_threads)]
    pool = RecognizerPool(recognizers)

    async def call_until(is_so: Callable[[int], bool], takes_s: float) -> None:
        """Make calls until so many may wait: a machine that stands still makes some longer."""
        async with asyncio.timeout(LIMIT_S):
            while not is_so(pool.n_places - n_threads):
                await pool.run(lambda _: Event().wait(takes_s))

    async def calls() -> None:
        most = MAX_WAITING_PER_THREAD * n_threads
        await call_until(lambda n_waiting: n_waiting == most, 0.0)
        await call_until(lambda n_waiting: n_threads < n_waiting < most, LONGEST_WAIT_S / 4)
        await call_until(lambda n_waiting: n_waiting == n_threads, LONGEST_WAIT_S * 2)
        for _ in range(3):
            await pool.run(lambda _: Event().wait(LONGEST_WAIT_S * 2))
        assert pool.n_places == 2 * n_threads  # one for each, so that none stands idle

    asyncio.run(calls())
    pool.close()


def test_a_call_cancelled_while_waiting_is_never_run() -> None:
    recognizer = HeldBack()
    pool = RecognizerPool([recognizer], n_waiting=1)

    async def calls() -> None:
        first = asyncio.create_task(recognize(pool, b"A"))
        await _until(lambda: recognizer.asked == [b"A"])
        waiting = asyncio.create_task(recognize(pool, b"B"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        after = asyncio.create_task(recognize(pool, b"C"))  # its place is free again
        await asyncio.sleep(0)
        recognizer.release.set()
        assert [(await first).letter, (await after).letter] == ["A", "C"]

    asyncio.run(calls())
    pool.close()
    assert recognizer.asked == [b"A", b"C"]


def test_a_call_cancelled_at_work_keeps_its_place_until_its_thread_is_free() -> None:
    recognizer = HeldBack()
    pool = RecognizerPool([recognizer], n_waiting=0)

    async def calls() -> None:
        first = asyncio.create_task(recognize(pool, b"A"))
        await _until(lambda: recognizer.asked == [b"A"])
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(Busy):
            await recognize(pool, b"B")
        recognizer.release.set()
        await _until(lambda: not recognizer.at_work)

    asyncio.run(calls())
    pool.close()
    assert recognizer.asked == [b"A"]


def test_warming_up_runs_every_recognizer() -> None:
    recognizers = [HeldBack() for _ in range(4)]
    for one in recognizers:
        one.release.set()
    pool = RecognizerPool(recognizers)
    pool.warm_up(lambda one: one.recognize(b"W"))
    pool.close()
    assert all(b"W" in one.asked for one in recognizers)


def test_who_is_of_a_higher_priority_goes_first_and_may_take_a_place() -> None:
    recognizer = HeldBack()
    pool = RecognizerPool([recognizer], n_waiting=3)

    async def calls() -> None:
        first = asyncio.create_task(recognize(pool, b"A", Priority.BATCH))
        await _until(lambda: recognizer.asked == [b"A"])
        order = [
            (b"D", Priority.BATCH),
            (b"E", Priority.BATCH),
            (b"C", Priority.SINGLE),
            (b"B", Priority.LIVE),
        ]
        tasks = []
        for data, priority in order:
            tasks.append(asyncio.create_task(recognize(pool, data, priority)))
            await asyncio.sleep(0)
        batch, evicted, single, live = tasks
        with pytest.raises(Busy):  # the live one has taken its place
            await evicted
        with pytest.raises(Busy):  # and nobody of the lowest priority takes another's
            await recognize(pool, b"F", Priority.BATCH)
        recognizer.release.set()
        await asyncio.gather(first, batch, single, live)

    asyncio.run(calls())
    pool.close()
    assert recognizer.asked == [b"A", b"B", b"C", b"D"]


def test_who_waits_longer_than_allowed_is_told_and_never_run() -> None:
    recognizer = HeldBack()
    pool = RecognizerPool([recognizer])

    async def calls() -> None:
        first = asyncio.create_task(recognize(pool, b"A"))
        await _until(lambda: recognizer.asked == [b"A"])
        with pytest.raises(DeadlineExceeded):
            await recognize(pool, b"B", timeout_s=0.01)
        assert pool.n_calls == 1
        recognizer.release.set()
        await first

    asyncio.run(calls())
    pool.close()
    assert recognizer.asked == [b"A"]
