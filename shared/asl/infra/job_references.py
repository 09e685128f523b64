"""What requests refer to by name, turned into ids: jobs of the same call and earlier ones, data sets, models."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from asl.contracts import (
    ID_PATTERN,
    EvaluationRequest,
    ExportRequest,
    ExtractionRequest,
    FeaturesRef,
    JobKind,
    JobRequest,
    JobState,
    ModelRef,
    PreparationOptions,
    TrainingRequest,
    TuningRequest,
)
from asl.errors import InvalidInput, NotFound
from asl.infra import datasets, registry, tables
from asl.infra.idempotency import fingerprint
from asl.infra.tables import Job

_ID: Final = re.compile(ID_PATTERN)
_MAKES_A_MODEL: Final = (JobKind.TRAINING, JobKind.MODEL_IMPORT)
_LOST: Final = (JobState.FAILED, JobState.CANCELLING, JobState.CANCELLED)


@dataclass(frozen=True)
class Planned:
    """A job that is to be added."""

    id: str
    request: JobRequest
    """Refers to ids only."""
    version: tables.DatasetVersion | None = None
    """What an extraction works on."""

    @property
    def fingerprint(self) -> str | None:
        """Equal for extractions that make the same."""
        if self.version is None or not isinstance(self.request, ExtractionRequest):
            return None
        return _fingerprint_of(self.version, self.request.options)


def plan(session: Session, tenant: str, requests: Sequence[JobRequest]) -> tuple[list[str], list[Planned]]:
    """Find what requests of one call refer to, and add the extractions that they need and nobody has asked for yet.

    Args:
        session: The transaction.
        tenant: Whose jobs, data sets and models can be referred to.
        requests: As they came, but with the versions of data sets named.

    Returns:
        The ids of the requests' jobs, in order; and all jobs, each after those that it needs.

    Raises:
        InvalidInput: A `ref` is given twice or is unknown, a job is of the wrong kind, or jobs wait for each other.
        NotFound: There is no such job, data set, version or model.
    """
    planner = _Planner(session, tenant, requests)
    return planner.ids, planner.plan()


def jobs_named_in(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the jobs that a request, as JSON, refers to: all of them have to succeed before."""
    return tuple(dict.fromkeys(_refs_of(request)))


def find_equal(session: Session, tenant: str, equal_fingerprint: str) -> str | None:
    """Return the newest job with a fingerprint that has succeeded or still may."""
    query = select(Job.id).where(
        Job.tenant == tenant, Job.fingerprint == equal_fingerprint, Job.state.not_in(_LOST), Job.parent_id.is_(None)
    )
    # One that has succeeded is there at once.
    return session.scalar(query.order_by((Job.state == JobState.SUCCEEDED).desc(), Job.created_at.desc()).limit(1))


class _Planner:
    def __init__(self, session: Session, tenant: str, requests: Sequence[JobRequest]) -> None:
        self._session, self._tenant, self._requests = session, tenant, requests
        self.ids = [tables.new_id() for _ in requests]
        self._places = [f"jobs.{n}." if len(requests) > 1 else "" for n in range(len(requests))]
        self._named = self._read_names()
        self._kinds: dict[str, JobKind] = {
            job_id: request.kind for job_id, request in zip(self.ids, requests, strict=True)
        }
        self._versions: dict[tuple[str, int], tables.DatasetVersion] = {}
        self._extractions: dict[str, str] = {}
        self._planned: dict[str, Planned] = {}

    def plan(self) -> list[Planned]:
        self._look_up_earlier_jobs()
        given = sorted(
            zip(self.ids, self._requests, self._places, strict=True),
            key=lambda item: not isinstance(item[1], ExtractionRequest),  # first, so that trainings use these
        )
        for job_id, request, place in given:
            self._add(job_id, self._resolved(request, place))
        needs = {
            job_id: [name for name in jobs_named_in(planned.request.model_dump(mode="json")) if name in self._planned]
            for job_id, planned in sorted(self._planned.items(), key=lambda item: self._order(item[0]))
        }
        try:
            return [self._planned[job_id] for job_id in TopologicalSorter(needs).static_order()]
        except CycleError as error:
            places = ", ".join(
                f"jobs.{self.ids.index(job_id)}" for job_id in sorted(set(error.args[1]), key=self._order)
            )
            raise InvalidInput(
                f"expected jobs of which one can begin, found some that wait for each other: {places}",
                hint="Take one of their references away.",
            ) from error

    def _order(self, job_id: str) -> int:
        return self.ids.index(job_id) if job_id in self.ids else -1

    def _add(self, job_id: str, request: JobRequest) -> None:
        version = self._version(request.dataset, request.version) if isinstance(request, ExtractionRequest) else None
        planned = self._planned[job_id] = Planned(job_id, request, version)
        if planned.fingerprint and not request.depends_on:
            self._extractions.setdefault(planned.fingerprint, job_id)

    def _read_names(self) -> dict[str, str]:
        named: dict[str, str] = {}
        for place, job_id, request in zip(self._places, self.ids, self._requests, strict=True):
            if request.ref in named:
                raise InvalidInput(f"{place}ref: expected another name for each job, found {request.ref} again")
            if request.ref:
                named[request.ref] = job_id
        return named

    def _look_up_earlier_jobs(self) -> None:
        wanted = {name for request in self._requests for name in jobs_named_in(request.model_dump(mode="json"))}
        found = select(Job.id, Job.kind).where(
            Job.tenant == self._tenant, Job.parent_id.is_(None), Job.id.in_(filter(_ID.fullmatch, wanted))
        )
        self._kinds |= {job_id: JobKind(kind) for job_id, kind in self._session.execute(found)}

    def _resolved(self, request: JobRequest, place: str) -> JobRequest:
        found: dict[str, Any] = {
            "depends_on": tuple(self._job(ref, f"{place}depends_on.{n}") for n, ref in enumerate(request.depends_on))
        }
        if isinstance(request, ExtractionRequest):
            version = self._version(request.dataset, request.version)
            found |= {"dataset": version.dataset_id, "version": version.number}
        if isinstance(request, TrainingRequest | TuningRequest | EvaluationRequest):
            found["data"] = self._features(request, request.data, f"{place}data")
        if isinstance(request, TrainingRequest | TuningRequest):
            found["train_only"] = self._features(request, request.train_only, f"{place}train_only")
        if isinstance(request, TrainingRequest):
            found["pretrained"] = request.pretrained and self._model(request.pretrained, f"{place}pretrained")
            found["resume"] = request.resume and self._job(request.resume, f"{place}resume", JobKind.TRAINING)
        if isinstance(request, EvaluationRequest | ExportRequest):
            found["model"] = self._model(request.model, f"{place}model")
        return request.model_copy(update=found)

    def _job(self, ref: str, place: str, *kinds: JobKind) -> str:
        job_id = ref if _ID.fullmatch(ref) else self._named.get(ref)
        if job_id is None:
            raise InvalidInput(
                f"{place}: expected the ref of a job of this call, found {ref}", hint="Refs are within a chain."
            )
        if job_id not in self._kinds:
            raise NotFound(f"{place}: no job has the id {ref}", hint="The list of jobs shows their ids.")
        if kinds and self._kinds[job_id] not in kinds:
            raise InvalidInput(f"{place}: expected a job of kind {' or '.join(kinds)}, found {self._kinds[job_id]}")
        return job_id

    def _model(self, ref: ModelRef, place: str) -> ModelRef:
        if ref.job is not None:
            return ModelRef(job=self._job(ref.job, f"{place}.job", *_MAKES_A_MODEL))
        return ModelRef(id=registry.resolve(self._session, self._tenant, ref).id)

    def _features(self, request: JobRequest, refs: Sequence[FeaturesRef], place: str) -> tuple[FeaturesRef, ...]:
        return tuple(
            FeaturesRef(job=self._job(ref.job, f"{place}.{n}.job", JobKind.EXTRACTION))
            if ref.job is not None
            else FeaturesRef(job=self._extraction(request, ref))
            for n, ref in enumerate(refs)
        )

    def _extraction(self, request: JobRequest, ref: FeaturesRef) -> str:
        version = self._version(ref.dataset or "", ref.version)
        wanted = _fingerprint_of(version, ref.preparation)
        if wanted not in self._extractions:
            earlier = find_equal(self._session, self._tenant, wanted)
            self._extractions[wanted] = earlier or tables.new_id()
            if earlier is None:
                extraction = ExtractionRequest(
                    dataset=version.dataset_id,
                    version=version.number,
                    options=ref.preparation,
                    priority=request.priority,
                )
                self._add(self._extractions[wanted], extraction)
        return self._extractions[wanted]

    def _version(self, id_or_name: str, number: int | None) -> tables.DatasetVersion:
        assert number is not None  # noqa: S101 - submission.prepare has named it
        if (id_or_name, number) not in self._versions:
            dataset_id = datasets.find(self._session, self._tenant, id_or_name).id
            # Whoever deletes the data set waits for this transaction, and then finds its jobs.
            locked = select(tables.Dataset.id).where(tables.Dataset.id == dataset_id)
            self._session.execute(locked.with_for_update(read=True, key_share=True))
            self._versions[id_or_name, number] = datasets.find_version(self._session, dataset_id, number)
        return self._versions[id_or_name, number]


def _fingerprint_of(version: tables.DatasetVersion, options: PreparationOptions) -> str:
    return fingerprint(version.digest, options.model_dump(mode="json"))


def _refs_of(request: Mapping[str, Any]) -> Iterator[str]:
    yield from request.get("depends_on") or ()
    places = [*(request.get("data") or ()), *(request.get("train_only") or ())]
    places += [request.get("pretrained") or {}, request.get("model") or {}]
    yield from (place["job"] for place in places if place.get("job"))
    if request.get("resume"):
        yield request["resume"]
