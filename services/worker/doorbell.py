"""Waits until there may be new work: Postgres tells, and SQLite's file shows, that something was committed."""

import sqlite3
import time
from typing import Final

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from asl.infra import jobs
from asl.infra.database import Database

_LOOK_EVERY_S: Final = 0.02

_log = structlog.get_logger()


class Doorbell:
    """For one thread; opens its connection anew when that breaks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection | sqlite3.Connection | None = None
        self._seen: int | None = None

    def wait(self, timeout_s: float) -> None:
        """Return when there may be new work, or after a time; at once where nothing was missed for certain."""
        try:
            if self._database.is_sqlite:
                self._wait_for_commit(timeout_s)
            else:
                self._wait_for_notice(timeout_s)
        except (psycopg.Error, sqlite3.Error, DBAPIError) as error:
            _log.warning("doorbell broken, looking now and then", why=type(error).__name__)
            self.close()
            time.sleep(timeout_s)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _wait_for_notice(self, timeout_s: float) -> None:
        if self._connection is None:
            url = self._database.engine.url.set(drivername="postgresql")
            self._connection = psycopg.connect(
                url.render_as_string(hide_password=False), autocommit=True, connect_timeout=3
            )
            self._connection.execute(f"LISTEN {jobs.NOTIFY_CHANNEL}")
            return  # what came before is not told
        assert isinstance(self._connection, psycopg.Connection)  # noqa: S101 - of the two kinds the one made above
        for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
            pass

    def _wait_for_commit(self, timeout_s: float) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(self._database.engine.url.database or "", timeout=1)
            return
        assert isinstance(self._connection, sqlite3.Connection)  # noqa: S101 - as above
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            # Changes with every commit of another connection; costs some microseconds.
            (version,) = self._connection.execute("PRAGMA data_version").fetchone() or (None,)
            if version != self._seen:
                self._seen = version
                return
            time.sleep(_LOOK_EVERY_S)
