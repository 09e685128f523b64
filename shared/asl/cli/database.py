"""`asl db`: the platform's database, and how commands open it."""

from collections.abc import Iterator
from contextlib import contextmanager

from asl.cli import console
from asl.infra import schema
from asl.infra.database import Database
from asl.infra.settings import load_settings
from asl.infra.stores import database_of


def upgrade() -> None:
    """Bring the database's schema up to date with this version of the program.

    Example: `asl db upgrade`

    The database is ASL_DATABASE_URL's, or a file in ASL_HOME. Run it before a new version is started on Postgres; on
    SQLite it happens by itself. It may be run at any time, also by several machines at once.
    """
    with _open() as database:
        before, after = schema.upgrade(database)
    if before == after:
        console.err.print(f"the schema is {after} already", markup=False)
    else:
        console.err.print(f"brought the schema from {before or 'nothing'} to {after}", markup=False)


@contextmanager
def open_current() -> Iterator[Database]:
    """Open the database with the schema that this program expects; SQLite's is brought up to date.

    Raises:
        Unavailable: It cannot be reached, or has another schema.
    """
    with _open() as database:
        if database.is_sqlite:
            schema.upgrade(database)
        else:
            schema.check_current(database)
        yield database


@contextmanager
def _open() -> Iterator[Database]:
    database = database_of(load_settings())
    try:
        yield database
    finally:
        database.close()
