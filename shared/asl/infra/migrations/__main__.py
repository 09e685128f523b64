"""`python -m asl.infra.migrations URL what changes`: write the step from the last one to the tables as they are now."""

import sys

from alembic import command

from asl.infra import schema
from asl.infra.database import Database


def write_step(url: str, message: str) -> None:
    """Write the next step, for whoever changed the tables to look through and to format.

    Args:
        url: An empty database on Postgres: SQLite does not tell of all that its indexes are made of.
        message: What changes, in a few words.
    """
    database = Database(url)
    _, latest = schema.upgrade(database)
    with database.engine.begin() as connection:
        following = f"{int(latest or 0) + 1:04}"
        command.revision(schema.make_config(connection), message, autogenerate=True, rev_id=following)
    database.close()


if __name__ == "__main__":
    write_step(sys.argv[1], " ".join(sys.argv[2:]))
