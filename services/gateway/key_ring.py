"""API keys that were looked up lately, so that a call costs no query, and recognition outlives the database."""

import asyncio
import hashlib
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import anyio
from anyio import CapacityLimiter

from asl.contracts import Key
from asl.errors import AslError, Unavailable
from asl.infra import keys
from asl.infra.database import Database

FRESH_S: Final = 15.0
"""How long a key that was found is not asked for again: a revoked one stops within that time."""
KEPT_WHILE_AWAY_S: Final = 3600.0
"""How long keys found before go on working while the database is away; nobody can revoke one then either."""

_PATIENCE_S: Final = 3.0
_NEXT_TRY_S: Final = 5.0
_MAX_LOOK_UPS: Final = 4
"""Threads, and with them the database's connections, that a flood of unknown keys can hold."""


@dataclass(frozen=True)
class _Found:
    key: Key
    at: float


class KeyRing:
    """Finds keys by their secrets; of one event loop. What is not known is asked for each time, and costs the same."""

    def __init__(self, database: Database, *, fresh_s: float = FRESH_S, next_try_s: float = _NEXT_TRY_S) -> None:
        """Begin with none.

        Args:
            database: Where keys are.
            fresh_s: How long a key that was found is not asked for again.
            next_try_s: How long a database that was away is left alone.
        """
        self._database, self._fresh_s, self._next_try_s = database, fresh_s, next_try_s
        self._found: dict[str, _Found] = {}
        self._asked: dict[str, asyncio.Task[Key | None]] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._look_ups, self._writes = CapacityLimiter(_MAX_LOOK_UPS), CapacityLimiter(1)
        self._away_until: float | None = None

    async def find(self, secret: str) -> Key | None:
        """Look a key up; None where there is none or it was revoked.

        Raises:
            Unavailable: The database is away, and the key was not in use lately.
        """
        digest = hashlib.sha256(secret.encode()).hexdigest()
        known, at = self._found.get(digest), time.monotonic()
        if known and at - known.at < self._fresh_s:
            return known.key
        kept = known.key if known and at - known.at < KEPT_WHILE_AWAY_S else None
        if self._away_until is None or self._away_until < at:
            asking = self._ask(digest, secret)
            if kept is None or self._away_until is None:
                return await self._wait(asking, kept)
        if kept is None:
            raise Unavailable("API keys cannot be looked up now: the database is away", hint="Try again.")
        return kept

    async def _wait(self, asking: asyncio.Task[Key | None], kept: Key | None) -> Key | None:
        try:
            return await asyncio.wait_for(asyncio.shield(asking), _PATIENCE_S)
        except (Unavailable, TimeoutError) as error:
            self._away_until = time.monotonic() + self._next_try_s
            if kept is None:
                raise Unavailable("API keys cannot be looked up now", hint="Try again.") from error
            return kept

    def _ask(self, digest: str, secret: str) -> asyncio.Task[Key | None]:
        """Ask the database, once for all who want to know at the same time."""
        if digest not in self._asked:
            task = self._asked[digest] = asyncio.create_task(self._look_up(digest, secret))
            task.add_done_callback(lambda done: self._answered(digest, done))
        return self._asked[digest]

    def _answered(self, digest: str, task: asyncio.Task[Key | None]) -> None:
        self._asked.pop(digest, None)
        if not task.cancelled() and isinstance(task.exception(), Unavailable):
            self._away_until = time.monotonic() + self._next_try_s

    async def _look_up(self, digest: str, secret: str) -> Key | None:
        key = await anyio.to_thread.run_sync(self._read, secret, limiter=self._look_ups)
        self._away_until = None
        if key is None:
            self._found.pop(digest, None)
            return None
        self._found[digest] = _Found(key, time.monotonic())
        self._in_background(anyio.to_thread.run_sync(self._note_use, key, limiter=self._writes))
        return key

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._notes.add(task)  # the loop itself keeps none alive
        task.add_done_callback(self._notes.discard)

    def _read(self, secret: str) -> Key | None:
        with self._database.reading() as session:
            return keys.find(session, secret)

    def _note_use(self, key: Key) -> None:
        with suppress(AslError), self._database.transaction() as session:  # tried again with the next look-up
            keys.note_use(session, key)
