"""Jobs' events as they happen: one query in a while for all who watch, however many these are."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from asl.contracts import ENDED, EventKind, JobEvent
from asl.errors import Unavailable
from asl.infra import job_views
from asl.infra.database import Database

MAX_WATCHERS: Final = 1000

_EVERY_S: Final = 0.5
_EVENTS_AT_ONCE: Final = 2000

_log = structlog.get_logger()


@dataclass
class _Watcher:
    job_id: str
    last: int
    """The id of the last event that it was given."""
    is_divided: bool
    n_done: int = -1
    """Of the last progress of a divided job that it was given."""
    waiting: asyncio.Queue[JobEvent | None] = field(default_factory=asyncio.Queue)


class JobFeed:
    """Watches the database for all of an application's watchers; belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: dict[int, _Watcher] = {}
        self._numbers = itertools.count()
        self._task: asyncio.Task[None] | None = None
        self._has_new = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether no more can watch."""
        return len(self._watchers) >= MAX_WATCHERS

    async def watch(self, job_id: str, after: int, *, is_divided: bool) -> AsyncIterator[JobEvent]:
        """Give a job's events, the past ones first, until the job has ended.

        Args:
            job_id: The job.
            after: Only events with a larger id.
            is_divided: Whether to count its parts' progress; such an event has the id of the one before.
        """
        number, watcher = next(self._numbers), _Watcher(job_id, after, is_divided)
        self._watchers[number] = watcher
        self._has_new.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            while (event := await watcher.waiting.get()) is not None:
                yield event
                if event.kind is EventKind.STATE and event.data.get("state") in ENDED:
                    return
        finally:
            del self._watchers[number]

    async def _look(self) -> None:
        """Look again and again while anyone watches."""
        try:
            while self._watchers:
                self._has_new.clear()
                if not await self._look_once():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._has_new.wait(), _EVERY_S)
        finally:
            for watcher in self._watchers.values():  # none, unless this failed: their streams end, and they come again
                watcher.waiting.put_nowait(None)

    async def _look_once(self) -> bool:
        """Give the watchers what is new; returns whether there may be more at once."""
        # A client that reads slowly is asked for again when it has taken what it was given.
        hungry = {number: watcher for number, watcher in self._watchers.items() if watcher.waiting.empty()}
        watched = [(number, watcher.job_id, watcher.last) for number, watcher in hungry.items()]
        divided = {watcher.job_id for watcher in hungry.values() if watcher.is_divided}
        if not watched:
            return False
        try:
            news, progress = await asyncio.to_thread(self._read, watched, divided)
        except Unavailable as error:
            _log.warning("events wait", why=error.message)
            return False
        for number, event in news:
            hungry[number].last = event.id
            hungry[number].waiting.put_nowait(event)
        for watcher in hungry.values():
            if watcher.is_divided and watcher.job_id in progress:
                _give_progress(watcher, progress[watcher.job_id])
        return len(news) >= _EVENTS_AT_ONCE

    def _read(
        self, watched: list[tuple[int, str, int]], divided: set[str]
    ) -> tuple[list[tuple[int, JobEvent]], dict[str, JobEvent]]:
        with self._database.reading() as session:
            news = job_views.news(session, watched, _EVENTS_AT_ONCE)
            progress = job_views.progress_of_divided(session, sorted(divided)) if divided else {}
        return news, progress


def _give_progress(watcher: _Watcher, event: JobEvent) -> None:
    n_done = int(event.data["done"])
    if n_done != watcher.n_done:
        watcher.n_done = n_done
        watcher.waiting.put_nowait(event.model_copy(update={"id": watcher.last}))
