"""Requests to rows: what a call asks for is accepted as a whole, or not at all.

A submission has two steps. `prepare` makes the versions of the data sets that are wanted as they are now; this writes
to the store, so it comes before the transaction. `submit` does the rest in one transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from asl.contracts import (
    ENDED,
    SHARD_SIZE,
    ExtractionRequest,
    FeaturesRef,
    JobKind,
    JobRequest,
    JobState,
    ProbeRequest,
    Queue,
    TrainingRequest,
    TuningRequest,
)
from asl.errors import Conflict, NotFound, QuotaExceeded
from asl.infra import datasets, job_references, jobs, tables, webhooks
from asl.infra.database import Database
from asl.infra.job_references import Planned, jobs_named_in
from asl.infra.jobs.queueing import add_divided
from asl.infra.settings import Settings
from asl.infra.storage import Storage
from asl.infra.tables import Job

_RETRIED: Final = (JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Submitter:
    """Who asks for jobs."""

    tenant: str
    name: str
    """Of the API key."""
    max_unfinished_jobs: int
    request_id: str = ""


def prepare(
    database: Database, storage: Storage, settings: Settings, tenant: str, requests: Sequence[JobRequest]
) -> list[JobRequest]:
    """Name the version wherever a data set is wanted as it is now, and check what needs no transaction.

    Raises:
        InvalidInput: A webhook's address is not allowed.
        NotFound: The tenant has no such data set.
        DatasetInvalid: A data set has no samples.
    """
    for request in requests:
        if request.webhook:
            webhooks.check_address(settings, str(request.webhook))
    made: dict[str, tables.DatasetVersion] = {}

    def pin(name: str) -> dict[str, Any]:
        if name not in made:
            made[name] = datasets.make_version(database, storage, tenant, name)
        return {"dataset": made[name].dataset_id, "version": made[name].number}

    return [_pinned(request, pin) for request in requests]


def submit(session: Session, submitter: Submitter, requests: Sequence[JobRequest]) -> list[str]:
    """Accept requests: all of one call, with the extractions that they need besides.

    Args:
        session: The transaction.
        submitter: Who asks.
        requests: As `prepare` returned them.

    Returns:
        The ids of their jobs, in order.

    Raises:
        InvalidInput: References are unknown, of the wrong kind, or go round in a circle.
        NotFound: There is no such job, data set, version or model.
        Conflict: A job that has to succeed before has failed or was cancelled.
        QuotaExceeded: Too many of the tenant's jobs are unfinished.
    """
    n_free = _lock_quota(session, submitter)
    _check_quota(submitter, n_free, len(requests))
    ids, plans = job_references.plan(session, submitter.tenant, requests)
    _check_quota(submitter, n_free, len(plans))
    for planned in plans:
        row = _row_of(submitter, planned)
        n_samples = planned.version.n_samples if planned.version else 0
        n_shards = -(-n_samples // SHARD_SIZE) if n_samples > SHARD_SIZE else 0
        if n_shards:  # all of one size, so that workers end together
            row.request = {**row.request, "shard_size": -(-n_samples // n_shards)}
        _add(session, row, n_shards)
    return ids


def submit_model_import(
    session: Session, submitter: Submitter, *, key: str, sha256: str, size_bytes: int, name: str | None
) -> str:
    """Accept the check of an uploaded model file.

    Args:
        session: The transaction.
        submitter: Who asks.
        key: Where the file is stored.
        sha256: Its hash.
        size_bytes: Its size.
        name: What people call it.

    Returns:
        The job's id.

    Raises:
        QuotaExceeded: Too many of the tenant's jobs are unfinished.
    """
    _check_quota(submitter, _lock_quota(session, submitter), 1)
    row = Job(
        id=tables.new_id(),
        tenant=submitter.tenant,
        submitted_by=submitter.name,
        kind=JobKind.MODEL_IMPORT,
        name=name,
        queue=Queue.CPU,
        request={"key": key, "sha256": sha256, "size_bytes": size_bytes, "name": name},
        request_id=submitter.request_id,
    )
    jobs.add(session, row)
    return row.id


def retry(session: Session, submitter: Submitter, job_id: str) -> str:
    """Ask anew for what a failed or cancelled job was to do, in new jobs: it, and failed ones that it needs.

    Returns:
        The new job's id; it goes on from the old one's checkpoint.

    Raises:
        NotFound: The tenant has no such job.
        Conflict: It has not failed, or is a part of another one.
        QuotaExceeded: Too many of the tenant's jobs are unfinished.
    """
    n_free = _lock_quota(session, submitter)
    job = session.scalar(select(Job).where(Job.tenant == submitter.tenant, Job.id == job_id).with_for_update())
    if job is None:
        raise NotFound("no job has this id", hint="The list of jobs shows their ids.")
    if job.parent_id:
        raise Conflict(f"this is a part of job {job.parent_id}", hint="Retry that one.")
    if job.state not in _RETRIED:
        raise Conflict(f"expected a job that has failed or was cancelled, found one that is {job.state}")
    replaced: dict[str, str] = {}
    lost = _lost_before(session, job, replaced)
    _check_quota(submitter, n_free, len(lost))
    needs = {old.id: [name for name in jobs_named_in(old.request) if name in lost] for old in lost.values()}
    for old_id in TopologicalSorter(needs).static_order():
        replaced[old_id] = tables.new_id()
        old = lost[old_id]
        _add(session, _row_again(submitter, old, replaced), old.n_shards)
    return replaced[job_id]


def _pinned(request: JobRequest, pin: Callable[[str], dict[str, Any]]) -> JobRequest:
    if isinstance(request, ExtractionRequest):
        return request if request.version else request.model_copy(update=pin(request.dataset))
    lists = [name for name in ("data", "train_only") if name in type(request).model_fields]
    return request.model_copy(update={name: tuple(_pin_all(getattr(request, name), pin)) for name in lists})


def _pin_all(refs: Iterable[FeaturesRef], pin: Callable[[str], dict[str, Any]]) -> Iterable[FeaturesRef]:
    return (ref.model_copy(update=pin(ref.dataset)) if ref.dataset and not ref.version else ref for ref in refs)


def _lock_quota(session: Session, submitter: Submitter) -> int:
    """Return how many more jobs the tenant may have; its other submissions wait for this one, so that it stays true."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(submitter.tenant, 0))))
    unfinished = select(func.count()).where(
        Job.tenant == submitter.tenant, Job.parent_id.is_(None), Job.state.not_in(ENDED)
    )
    return submitter.max_unfinished_jobs - (session.scalar(unfinished) or 0)


def _check_quota(submitter: Submitter, n_free: int, n_new: int) -> None:
    if n_new > n_free:
        raise QuotaExceeded(
            f"expected at most {submitter.max_unfinished_jobs:,} unfinished jobs, found "
            f"{submitter.max_unfinished_jobs - n_free + n_new:,} with these",
            hint="Wait until some have ended, or cancel some.",
        )


def _row_of(submitter: Submitter, planned: Planned) -> Job:
    request = planned.request
    return Job(
        id=planned.id,
        tenant=submitter.tenant,
        submitted_by=submitter.name,
        kind=request.kind,
        name=request.name,
        queue=_queue_of(request),
        priority=request.priority,
        fingerprint=planned.fingerprint,
        request=_stored(request),
        request_id=submitter.request_id,
        max_attempts=request.max_attempts,
        webhook=str(request.webhook) if request.webhook else None,
    )


def _row_again(submitter: Submitter, old: Job, replaced: Mapping[str, str]) -> Job:
    return Job(
        id=replaced[old.id],
        tenant=old.tenant,
        submitted_by=submitter.name,
        kind=old.kind,
        name=old.name,
        queue=old.queue,
        priority=old.priority,
        fingerprint=old.fingerprint,
        request=_renamed(old.request, replaced),
        request_id=submitter.request_id,
        max_attempts=old.max_attempts,
        checkpoint=old.checkpoint,
        webhook=old.webhook,
    )


def _queue_of(request: JobRequest) -> Queue:
    if isinstance(request, ProbeRequest):
        return request.queue
    return Queue.GPU if isinstance(request, TrainingRequest | TuningRequest) else Queue.CPU


def _stored(request: JobRequest) -> dict[str, Any]:
    """Write a request down, with references as ids alone."""
    data = request.model_dump(mode="json")
    for name in data.keys() & {"data", "train_only"}:
        data[name] = [{"job": ref["job"]} for ref in data[name]]
    for name in data.keys() & {"model", "pretrained"}:
        data[name] = data[name] and {key: value for key, value in data[name].items() if value is not None}
    return data


def _add(session: Session, row: Job, n_shards: int) -> None:
    needs = jobs_named_in(row.request)
    if not n_shards:
        jobs.add(session, row, needs)
        return
    shard = {
        "submitted_by": row.submitted_by,
        "kind": JobKind.EXTRACTION_SHARD,
        "request": row.request,
        "request_id": row.request_id,
        "max_attempts": row.max_attempts,
    }
    add_divided(session, row, [shard] * n_shards, needs)


def _lost_before(session: Session, job: Job, replaced: dict[str, str]) -> dict[str, Job]:
    """Find a lost job and the lost ones that it needs; for those that were made again since, note what by."""
    found, wanted = {job.id: job}, set(jobs_named_in(job.request))
    while wanted:
        rows = session.scalars(select(Job).where(Job.id.in_(wanted), Job.state.in_(_RETRIED))).all()
        wanted = set()
        for row in rows:
            if row.fingerprint and (equal := job_references.find_equal(session, row.tenant, row.fingerprint)):
                replaced[row.id] = equal
            elif row.id not in found:
                found[row.id] = row
                wanted |= set(jobs_named_in(row.request))
    return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Copy JSON, with some ids replaced; no other text looks like one of them."""
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value
