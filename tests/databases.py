"""Fresh databases for tests, of each kind that the platform runs on."""

from contextlib import contextmanager

from asl.infra import schema
from asl.infra.database import Database

KINDS = ("sqlite", "postgres")


@contextmanager
def fresh_url(kind, request, folder):
    """Lend the URL of an empty database; a missing server skips the test.

    Args:
        kind: One of `KINDS`.
        request: The fixture's, by which the shared server is found.
        folder: For SQLite's file.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder}/asl.db"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create_database()
    try:
        yield url
    finally:
        server.drop(url)


@contextmanager
def fresh(kind, request, folder):
    """Lend a database with its tables."""
    with fresh_url(kind, request, folder) as url:
        database = Database(url)
        schema.upgrade(database)
        try:
            yield database
        finally:
            database.close()
