"""Removes what nothing refers to: objects of attempts that came to nothing, and events that nobody replays."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from asl.contracts import ENDED, EventKind, JobKind, JobState
from asl.infra import tables
from asl.infra.database import Database, now
from asl.infra.storage import Storage
from asl.infra.tables import Job

MIN_AGE: Final = timedelta(hours=24)
"""Younger objects may belong to work that has not been written down yet."""

_PREFIXES: Final = ("jobs/", "datasets/", "imports/")
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
    for prefix in _PREFIXES:
        old = (entry.key for entry in storage.list(prefix) if entry.modified_at < before)
        for keys in _batches(old):
            for key in _orphans_of(database, keys):
                # Again: while others were deleted, the same content may have been uploaded anew and written down.
                if _orphans_of(database, [key]):
                    storage.delete(key)
                    n_removed += 1
    return n_removed


def trim_events(session: Session) -> None:
    """Delete the steps of progress of jobs that ended a day ago; epochs, log lines and moves stay."""
    ended = select(Job.id).where(Job.state.in_(ENDED), Job.finished_at < now() - _EVENTS_KEPT_S)
    session.execute(
        delete(tables.JobEvent).where(
            tables.JobEvent.kind == EventKind.PROGRESS,
            tables.JobEvent.data["epoch"].as_string().is_(None),
            tables.JobEvent.job_id.in_(ended),
        )
    )


def _orphans_of(database: Database, keys: Sequence[str]) -> list[str]:
    """Return those keys that no row refers to, in order."""
    with database.reading() as session:
        # Unfinished jobs first: one that ends from here on is among them, and one that has ended has written down what
        # it publishes. The other way round it could end between the two looks, and appear in neither.
        kept = _of_unfinished_jobs(session, keys) | _published(session, keys) | _of_datasets(session, keys)
    return [key for key in keys if key not in kept]


def _of_unfinished_jobs(session: Session, keys: Sequence[str]) -> set[str]:
    """Find what jobs that have not ended may still need: all of their own, what they were given, checkpoints."""
    ids = _job_ids(keys)
    alive = set(session.scalars(select(Job.id).where(Job.id.in_(ids), Job.state.in_(_UNFINISHED))))
    needed = {key for key in keys if key.startswith("jobs/") and _part(key, 1) in alive}
    if any(key.startswith("imports/") for key in keys):
        given = Job.request["key"].as_string()
        is_import = (Job.kind == JobKind.MODEL_IMPORT, Job.state.in_(_UNFINISHED))
        needed |= set(session.scalars(select(given).where(*is_import, given.in_(keys))))
    if ids - alive:  # a retried job goes on from the checkpoints of one that has ended
        for checkpoint in session.scalars(
            select(Job.checkpoint).where(Job.state.in_(_UNFINISHED), Job.checkpoint.is_not(None))
        ):
            needed |= set(_texts(checkpoint)).intersection(keys)
    return needed


def _published(session: Session, keys: Sequence[str]) -> set[str]:
    """Find the files of jobs that have succeeded, and of models."""
    artifacts = select(tables.Artifact.key).where(tables.Artifact.key.in_(keys))
    models = select(tables.Model.key).where(tables.Model.job_id.in_(_job_ids(keys)))
    return {*session.scalars(artifacts), *session.scalars(models)}


def _of_datasets(session: Session, keys: Sequence[str]) -> set[str]:
    """Find photographs and versions; by data set and hash, which are indexed, as the keys tell them."""
    hashes = [(_part(key, 1), _part(key, -1).removesuffix(_MANIFEST)) for key in keys if key.startswith("datasets/")]
    if not hashes:
        return set()
    sample, version = tables.Sample, tables.DatasetVersion
    samples = select(sample.key).where(tuple_(sample.dataset_id, sample.sha256).in_(hashes))
    versions = select(version.manifest_key).where(
        version.dataset_id.in_({dataset_id for dataset_id, _ in hashes}),
        version.digest.in_([digest for _, digest in hashes]),
    )
    return {*session.scalars(samples), *session.scalars(versions)}


def _job_ids(keys: Sequence[str]) -> set[str]:
    return {_part(key, 1) for key in keys if key.startswith("jobs/")}


def _part(key: str, place: int) -> str:
    return key.split("/")[place]


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
