"""The database, Postgres or SQLite by its URL: engine, transactions, its clock, and its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from psycopg.errors import ReadOnlySqlTransaction, UndefinedColumn, UndefinedTable
from sqlalchemy import URL, Engine, Float, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from asl.errors import OptionsInvalid, Unavailable

_CONNECT_TIMEOUT_S: Final = 3
_POOL_TIMEOUT_S: Final = 5
_POOL_SIZE: Final = 10
_MAX_OVERFLOW: Final = 20
_BUSY_TIMEOUT_S: Final = 30
"""How long a writer waits for another one on SQLite."""
_STATEMENT_TIMEOUT_MS: Final = 30_000
_OLD_SCHEMA: Final = (UndefinedTable, UndefinedColumn)
_UPGRADE: Final = "The operator runs: asl db upgrade"
_READS_ONLY: Final = "asl_reads_only"


class now(FunctionElement[float]):  # noqa: N801 - named as SQL functions are
    """Seconds since 1970 on the database's clock, so that machines need not agree on the time."""

    type = Float(53)
    inherit_cache = True


@compiles(now, "postgresql")
def _now_on_postgres(element: now, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    # Not now(), which stands still within a transaction.
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(now, "sqlite")
def _now_on_sqlite(element: now, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ARG001 - as above
    return "((julianday('now') - 2440587.5) * 86400.0)"  # unixepoch('subsec') needs SQLite 3.42


def to_datetime(seconds: float) -> datetime:
    """Turn seconds of the database's clock into a time for people, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


class Database:
    """One database; safe to use from many threads."""

    def __init__(self, url: str) -> None:
        """Prepare connections; none is opened yet.

        Args:
            url: `postgresql+psycopg://user:password@host/name` or `sqlite:////path/to/file`.

        Raises:
            OptionsInvalid: The URL is of neither.
        """
        self.engine = _make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Run a block in one transaction that may write: committed at its end, rolled back on any error.

        Raises:
            Unavailable: The database cannot be reached, or broke off; whether a commit came through is then unknown.
        """
        with _translated(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Run a block that only reads; on SQLite it does not wait for writers.

        Raises:
            Unavailable: The database cannot be reached.
        """
        engine = self.engine.execution_options(**{_READS_ONLY: True})
        with _translated(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def check(self) -> None:
        """Ask for a sign of life.

        Raises:
            Unavailable: There is none.
        """
        with self.reading() as session:
            session.execute(text("select 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def is_conflict(error: IntegrityError, constraint: str, *columns: str) -> bool:
    """Tell whether a unique constraint was violated: Postgres names it, SQLite names its columns.

    Args:
        error: What the database said.
        constraint: The constraint's name.
        columns: Its columns as `table.column`.
    """
    said = str(error.orig)
    return constraint in said or ", ".join(columns) in said


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, ReadOnlySqlTransaction):
            raise _unavailable(error) from error
        if isinstance(error.orig, _OLD_SCHEMA):
            raise Unavailable("the database's tables are not those of this version", hint=_UPGRADE) from error
        raise


def _unavailable(error: Exception) -> Unavailable:
    why = type(getattr(error, "orig", None) or error).__name__
    return Unavailable(
        f"the database cannot be reached now ({why})", hint="Try again; the same call is safe to repeat."
    )


def _make_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        makers = {"sqlite": _make_sqlite, "postgresql": _make_postgres}
        return makers[parsed.get_backend_name()](parsed)
    except (ArgumentError, KeyError, NoSuchModuleError, ValueError) as error:
        # Not the URL itself, which may hold a password.
        raise OptionsInvalid(
            "expected a database URL of Postgres or SQLite",
            hint="ASL_DATABASE_URL=postgresql://user:password@host/name or sqlite:////path/to/file",
        ) from error


def _make_postgres(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=_POOL_SIZE,
        max_overflow=_MAX_OVERFLOW,
        pool_timeout=_POOL_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c timezone=UTC",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )


def _make_sqlite(url: URL) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # so that BEGIN is ours, below
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # an accepted job outlives a power cut
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # Immediate: a transaction that read first and then writes could otherwise fail instead of waiting.
        reads_only = connection.get_execution_options().get(_READS_ONLY)
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine
