"""Jobs' events as they happen: one query in a while for all who watch, however many these are."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from asl.contracts import ENDED, EventKind, JobEvent
from asl.errors import Unavailable
from asl.infra import job_views
from asl.infra.database import Database

MAX_WATCHERS: Final = 1000

_EVERY_S: Final = 0.5
_EVENTS_AT_ONCE: Final = 2000
_SILENCE_S: Final = 15.0
"""After so long without an event, a comment shows that the connection is alive."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Piece:
    """What goes to one watcher at once."""

    content: bytes
    """Server-sent events."""
    last: int
    """The id of the last of them."""
    is_end: bool = False
    """Whether nothing comes after them."""
    has_more: bool = False
    """Whether there may be more to read already."""


@dataclass
class _Watcher:
    job_id: str
    last: int
    """The id of the last event that it was given."""
    is_divided: bool
    n_done: int = -1
    """Of the last progress of a divided job that it was given."""
    waiting: asyncio.Queue[_Piece] = field(default_factory=asyncio.Queue)


class JobFeed:
    """Watches the database for all of an application's watchers; belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: dict[int, _Watcher] = {}
        self._numbers = itertools.count()
        self._task: asyncio.Task[None] | None = None
        self._is_awaited = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether no more can watch."""
        return len(self._watchers) >= MAX_WATCHERS

    async def watch(self, job_id: str, after: int, *, is_divided: bool) -> AsyncIterator[bytes]:
        """Give a job's server-sent events, as many at once as there are, the past ones first, until the job has ended.

        Args:
            job_id: The job.
            after: Only events with a larger id.
            is_divided: Whether to count its parts' progress; such an event has no id to come back with, for it is
                written down nowhere, and in its data the id of the one before.
        """
        number, watcher = next(self._numbers), _Watcher(job_id, after, is_divided)
        self._watchers[number] = watcher
        self._is_awaited.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            is_end = False
            while not is_end:
                try:
                    piece = await asyncio.wait_for(watcher.waiting.get(), _SILENCE_S)
                except TimeoutError:
                    yield KEEPALIVE_COMMENT
                    continue
                if piece.has_more:
                    self._is_awaited.set()
                yield piece.content
                is_end = piece.is_end
        finally:
            del self._watchers[number]

    async def _look(self) -> None:
        """Look again and again while anyone watches."""
        try:
            while self._watchers:
                self._is_awaited.clear()
                if not await self._look_once():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._is_awaited.wait(), _EVERY_S)
        finally:
            for watcher in self._watchers.values():  # none, unless this failed: their streams end, and they come again
                watcher.waiting.put_nowait(_Piece(b"", watcher.last, is_end=True))

    async def _look_once(self) -> bool:
        """Give the watchers what is new; returns whether there may be more at once."""
        # A client that reads slowly is asked for again when it has taken what it was given.
        hungry = {number: watcher for number, watcher in self._watchers.items() if watcher.waiting.empty()}
        watched = [(number, watcher.job_id, watcher.last) for number, watcher in hungry.items()]
        divided = {watcher.job_id for watcher in hungry.values() if watcher.is_divided}
        if not watched:
            return False
        try:
            pieces, progress = await asyncio.to_thread(self._read, watched, divided)
        except Unavailable as error:
            _log.warning("events wait", why=error.message)
            return False
        for number, piece in pieces.items():
            hungry[number].last = piece.last
            hungry[number].waiting.put_nowait(piece)
        for watcher in hungry.values():
            if watcher.is_divided and watcher.job_id in progress:
                _give_progress(watcher, progress[watcher.job_id])
        return any(piece.has_more for piece in pieces.values())

    def _read(
        self, watched: list[tuple[int, str, int]], divided: set[str]
    ) -> tuple[dict[int, _Piece], dict[str, JobEvent]]:
        with self._database.reading() as session:
            news = job_views.news(session, watched, _EVENTS_AT_ONCE)
            progress = job_views.progress_of_divided(session, sorted(divided)) if divided else {}
        return _pieces(news, has_more=len(news) >= _EVENTS_AT_ONCE), progress


def _pieces(news: list[tuple[int, JobEvent]], *, has_more: bool) -> dict[int, _Piece]:
    """Put together what each watcher is given; an event that many watch is written once."""
    written: dict[int, bytes] = {}
    events: dict[int, list[JobEvent]] = defaultdict(list)
    for number, event in news:
        if not (events[number] and _is_end(events[number][-1])):
            events[number].append(event)
        if event.id not in written:
            written[event.id] = _write(event, str(event.id))
    return {
        number: _Piece(b"".join(written[event.id] for event in found), found[-1].id, _is_end(found[-1]), has_more)
        for number, found in events.items()
    }


def _write(event: JobEvent, event_id: str | None) -> bytes:
    return format_sse_event(data_str=event.model_dump_json(), event=event.kind, id=event_id)


def _is_end(event: JobEvent) -> bool:
    return event.kind is EventKind.STATE and event.data.get("state") in ENDED


def _give_progress(watcher: _Watcher, event: JobEvent) -> None:
    n_done = int(event.data["done"])
    if n_done != watcher.n_done:
        watcher.n_done = n_done
        content = _write(event.model_copy(update={"id": watcher.last}), None)
        watcher.waiting.put_nowait(_Piece(content, watcher.last))
