"""The database's schema: brought up to date, and compared with what this program expects."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import InterfaceError, OperationalError

from asl.errors import Unavailable
from asl.infra.database import Database

_FOLDER: Final = Path(__file__).with_name("migrations")
_LOCK: Final = int.from_bytes(b"asl_sche")
"""Of Postgres' advisory locks, the one that whoever changes the schema holds."""


def upgrade(database: Database) -> tuple[str | None, str | None]:
    """Bring the schema up to date in one transaction; of several processes one does it, and the others wait for it.

    Args:
        database: Empty, or of this or an earlier version of the program.

    Returns:
        The revisions before, None where the database was empty, and after.

    Raises:
        Unavailable: The database cannot be reached, or its schema is of a later version of the program.
    """
    return _move(database, lambda config: command.upgrade(config, "head")), expected()


def downgrade(database: Database) -> None:
    """Take every step back: all tables and what they hold are gone.

    Raises:
        Unavailable: As `upgrade`.
    """
    _move(database, lambda config: command.downgrade(config, "base"))


def check_current(database: Database) -> str | None:
    """Make sure that the database has a schema that this program can work with.

    That is the one it expects, or on Postgres a later one: the next version upgrades it while this one still runs, and
    its steps leave alone what this one uses (deploy/decisions/0011).

    Returns:
        Its revision.

    Raises:
        Unavailable: It has another one, or cannot be reached.
    """
    with database.reading() as session:
        found = _revision(session.connection())
    if found == expected() or (_is_later(found) and not database.is_sqlite):
        return found
    _refuse_later(found)
    raise Unavailable(
        f"the database's schema is {found or 'not there'}, expected {expected()}", hint="Run once: asl db upgrade"
    )


@cache
def expected() -> str | None:
    """Return the revision that this program's tables have."""
    return _scripts().get_current_head()


def make_config(connection: Connection) -> Config:
    """Describe the steps to alembic.

    Args:
        connection: In a transaction, in which they are run.
    """
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # who upgrades tells of it
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


@contextmanager
def changing(database: Database) -> Iterator[Connection]:
    """Open the transaction in which a schema is changed, alone: whoever else wants to waits for its end."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            with _foreign_keys_off(connection), connection.begin():
                yield connection
            return
        with connection.begin():
            # Both the wait for the lock and a step over many rows may take longer than a call's statement.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection


def _move(database: Database, run: Callable[[Config], Any]) -> str | None:
    """Run steps under the lock; returns the revision before."""
    database.check()
    try:
        with changing(database) as connection:
            before = _revision(connection)
            _refuse_later(before)
            run(make_config(connection))
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(
            f"the schema could not be changed and is as it was: {error.orig}", hint="Try again, or report it."
        ) from error
    return before


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let a copy take a table's place on SQLite, which would delete the rows that refer to the table.

    Only a connection without a transaction takes this pragma.
    """
    bare: Any = connection.connection.dbapi_connection
    bare.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        bare.execute("PRAGMA foreign_keys = ON")


def _revision(connection: Connection) -> str | None:
    # Not by alembic's context, which writes two lines into the log each time.
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _is_later(found: str | None) -> bool:
    return found is not None and found not in {script.revision for script in _scripts().walk_revisions()}


def _refuse_later(found: str | None) -> None:
    if _is_later(found):
        raise Unavailable(
            f"the database's schema is {found}, which this program does not know: it knows up to {expected()}",
            hint="A later version of the program has changed it; run that one.",
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))
