"""Removes what nothing refers to: objects of attempts that came to nothing, and events that nobody replays."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from asl.contracts import ENDED, EventKind
from asl.infra import tables
from asl.infra.database import Database, now
from asl.infra.storage import Entry, Storage

MIN_AGE: Final = timedelta(hours=24)
"""Younger objects may belong to work that has not been written down yet."""

_PREFIXES: Final = ("jobs/", "datasets/", "imports/")
_BATCH: Final = 500
_EVENTS_KEPT_S: Final = 24 * 3600.0


def remove_orphans(database: Database, storage: Storage, min_age: timedelta = MIN_AGE) -> int:
    """Delete old objects that no row refers to.

    Args:
        database: What is referred to.
        storage: What there is.
        min_age: How old an object must be.

    Returns:
        How many were deleted.
    """
    before = datetime.now(UTC) - min_age
    n_removed = 0
    for prefix in _PREFIXES:
        old = (entry for entry in storage.list(prefix) if entry.modified_at < before)
        for batch in _batches(old):
            keys = [entry.key for entry in batch]
            with database.reading() as session:
                kept = _referred_to(session, keys)
            for key in keys:
                if key not in kept:
                    storage.delete(key)
                    n_removed += 1
    return n_removed


def trim_events(session: Session) -> None:
    """Delete the steps of progress of jobs that ended a day ago; epochs, log lines and moves stay."""
    ended = select(tables.Job.id).where(tables.Job.state.in_(ENDED), tables.Job.finished_at < now() - _EVENTS_KEPT_S)
    session.execute(
        delete(tables.JobEvent).where(
            tables.JobEvent.kind == EventKind.PROGRESS,
            tables.JobEvent.data["epoch"].as_string().is_(None),
            tables.JobEvent.job_id.in_(ended),
        )
    )


def _referred_to(session: Session, keys: Sequence[str]) -> set[str]:
    columns = (
        tables.Artifact.key,
        tables.Sample.key,
        tables.DatasetVersion.manifest_key,
        tables.Model.key,
    )
    found = {key for column in columns for key in session.scalars(select(column).where(column.in_(keys)))}
    return found | _of_unfinished_jobs(session, keys)


def _of_unfinished_jobs(session: Session, keys: Sequence[str]) -> set[str]:
    """Keep what jobs that have not ended may still need: their checkpoints, and what they were given."""
    ids = {key.split("/")[1] for key in keys if key.startswith("jobs/")}
    alive = set(session.scalars(select(tables.Job.id).where(tables.Job.id.in_(ids), tables.Job.state.not_in(ENDED))))
    given = session.scalars(
        select(tables.Job.request["key"].as_string()).where(
            tables.Job.state.not_in(ENDED), tables.Job.request["key"].as_string().in_(keys)
        )
    )
    return {key for key in keys if key.startswith("jobs/") and key.split("/")[1] in alive} | set(given)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, _BATCH)):
        yield batch
