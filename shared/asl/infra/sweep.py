"""Removes what nothing refers to: objects of attempts that came to nothing, and events that nobody replays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from asl.contracts import ENDED, EventKind, JobKind, JobState
from asl.infra import tables
from asl.infra.database import Database, now
from asl.infra.storage import Storage
from asl.infra.tables import Job

MIN_AGE: Final = timedelta(hours=24)
"""Younger objects may belong to work that has not been written down yet."""

_Finder = Callable[[Session, Sequence[str]], set[str]]

_MANIFEST: Final = ".jsonl"
_UNFINISHED: Final = tuple(state for state in JobState if state not in ENDED)
_BATCH: Final = 500
_EVENTS_KEPT_S: Final = 24 * 3600.0


def remove_orphans(database: Database, storage: Storage, min_age: timedelta = MIN_AGE) -> int:
    """Delete old objects that no row refers to; jobs may run meanwhile, uploads of less than the age too.

    Args:
        database: What is referred to.
        storage: What there is.
        min_age: How old an object must be.

    Returns:
        How many were deleted.
    """
    before = datetime.now(UTC) - min_age
    n_removed = 0
    for prefix, find_referred_to in _FINDERS.items():
        old = (entry.key for entry in storage.list(prefix) if entry.modified_at < before)
        for keys in _batches(old):
            for key in _without_reference(database, keys, find_referred_to):
                # Again: while others were deleted, the same content may have been uploaded anew and written down.
                if _without_reference(database, [key], find_referred_to):
                    storage.delete(key)
                    n_removed += 1
    return n_removed


def trim_events(session: Session) -> None:
    """Delete the steps of progress of jobs that ended yesterday; epochs, log lines and moves stay.

    Those that ended before were done yesterday: looking through all of them again would take longer every day.
    """
    since, until = now() - 2 * _EVENTS_KEPT_S, now() - _EVENTS_KEPT_S
    ended = select(Job.id).where(Job.state.in_(ENDED), Job.finished_at.between(since, until))
    session.execute(
        delete(tables.JobEvent).where(
            tables.JobEvent.kind == EventKind.PROGRESS,
            tables.JobEvent.data["epoch"].as_string().is_(None),
            tables.JobEvent.job_id.in_(ended),
        )
    )


def _without_reference(database: Database, keys: Sequence[str], find_referred_to: _Finder) -> list[str]:
    with database.reading() as session:
        kept = find_referred_to(session, keys)
    return [key for key in keys if key not in kept]


def _of_jobs(session: Session, keys: Sequence[str]) -> set[str]:
    """Find what jobs have published, and what those that have not ended may still need."""
    ids = {key.split("/")[1] for key in keys}
    # Unfinished jobs first: one that ends from here on is among them, and one that has ended has written down what it
    # publishes. The other way round it could end between the two looks, and appear in neither.
    alive = set(session.scalars(select(Job.id).where(Job.id.in_(ids), Job.state.in_(_UNFINISHED))))
    kept = {key for key in keys if key.split("/")[1] in alive}
    if ids - alive:
        kept |= _of_checkpoints(session).intersection(keys)
    artifacts = select(tables.Artifact.key).where(tables.Artifact.key.in_(keys))
    models = select(tables.Model.key).where(tables.Model.job_id.in_(ids))
    return {*kept, *session.scalars(artifacts), *session.scalars(models)}


def _of_checkpoints(session: Session) -> set[str]:
    """Find what unfinished jobs go on from: a retried one from the checkpoints of another, which has ended."""
    noted = select(Job.checkpoint).where(Job.state.in_(_UNFINISHED), Job.checkpoint.is_not(None))
    return {text for checkpoint in session.scalars(noted) for text in _texts(checkpoint)}


def _of_datasets(session: Session, keys: Sequence[str]) -> set[str]:
    """Find photographs and versions; by data set and hash, which are indexed, as the keys tell them."""
    # Not by pairs of both: SQLite would read the whole table. A batch is of few data sets, being in order.
    ids = {key.split("/")[1] for key in keys}
    hashes = {key.rpartition("/")[2].removesuffix(_MANIFEST) for key in keys}
    sample, version = tables.Sample, tables.DatasetVersion
    samples = select(sample.key).where(sample.dataset_id.in_(ids), sample.sha256.in_(hashes))
    versions = select(version.manifest_key).where(version.dataset_id.in_(ids), version.digest.in_(hashes))
    return {*session.scalars(samples), *session.scalars(versions)}


def _of_imports(session: Session, keys: Sequence[str]) -> set[str]:
    """Find the uploaded files that have not been checked yet."""
    given = Job.request["key"].as_string()
    is_unfinished = (Job.kind == JobKind.MODEL_IMPORT, Job.state.in_(_UNFINISHED))
    return set(session.scalars(select(given).where(*is_unfinished, given.in_(keys))))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in JSON, wherever they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, _BATCH)):
        yield batch


_FINDERS: Final[Mapping[str, _Finder]] = {"jobs/": _of_jobs, "datasets/": _of_datasets, "imports/": _of_imports}
"""By the beginning of keys, how those that a row refers to are found."""
