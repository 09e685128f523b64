"""Jobs done in the test's own process, step by step as a worker does them: claim, pipeline, store, publish."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from asl.contracts import JobKind, Progress, Queue
from asl.infra import datasets, jobs, tables
from asl.infra.database import Database
from asl.infra.datasets import Photograph
from asl.infra.jobs import Claim
from asl.infra.settings import Settings
from asl.infra.storage import FolderStorage
from asl.pipelines import artifacts, publishing
from asl.pipelines.context import Context, Finished, Outcome
from asl.pipelines.run import run

TENANT = "ours"


class Killed(BaseException):
    """What a test raises to end a job as a SIGKILL would: nothing after it is done."""


@dataclass
class Told:
    """What a job has told while it ran."""

    progress: list[Progress] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class JobRuns:
    """A database and a store of its own, and jobs on them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = Settings(**{"worker_slots": 2, "checkpoint_s": 1e-9, **settings})
        self.database = Database(f"sqlite:///{folder}/asl.db")
        tables.Base.metadata.create_all(self.database.engine)
        self.storage = FolderStorage(folder / "store")

    def add(self, kind: JobKind, request: Mapping[str, Any], **columns: Any) -> str:
        """Accept a job and return its id."""
        with self.database.transaction() as session:
            job = tables.Job(
                tenant=TENANT, submitted_by="test", kind=kind, queue=Queue.CPU, request=dict(request), **columns
            )
            jobs.add(session, job)
            return job.id

    def claim(self, job_id: str) -> Claim:
        with self.database.transaction() as session:
            claim = jobs.claim(session, [Queue.CPU], "test", 30, job_id)
        assert claim is not None
        return claim

    def begin(
        self,
        claim: Claim,
        *,
        is_stopping: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> tuple[Outcome, Told]:
        """Run a claimed job's pipeline, and publish nothing."""
        told = Told()
        folder = self.folder / "scratch" / f"{claim.job_id}-{claim.attempt}"
        folder.mkdir(parents=True)

        def tell_progress(progress: Progress) -> None:
            told.progress.append(progress)
            on_progress(progress)

        def save_checkpoint(checkpoint: Mapping[str, Any]) -> None:
            with self.database.transaction() as session:
                assert jobs.save_checkpoint(session, claim, checkpoint)

        context = Context(
            claim=claim,
            settings=self.settings,
            database=self.database,
            storage=self.storage,
            folder=folder,
            tell_progress=tell_progress,
            tell=told.lines.append,
            save_checkpoint=save_checkpoint,
            is_stopping=is_stopping,
        )
        return run(context), told

    def finish(self, claim: Claim, outcome: Outcome) -> dict[str, Any]:
        """Store a job's files, publish its effects, and return its result."""
        stored = artifacts.store(self.storage, claim, outcome.files)
        finished = Finished(outcome.result, stored, outcome.effects)
        with self.database.transaction() as session:
            assert jobs.succeed(session, claim, finished.result, finished.artifacts)
            publishing.publish(session, claim, finished)
        return dict(finished.result)

    def release(self, claim: Claim) -> None:
        """Give a job back, as a worker that stops or was lost."""
        with self.database.transaction() as session:
            assert jobs.release(session, claim)

    def claim_again(self, claim: Claim) -> Claim:
        """Give a job back and take it again, as after its worker stopped or was lost."""
        self.release(claim)
        return self.claim(claim.job_id)

    def do(self, kind: JobKind, request: Mapping[str, Any], **columns: Any) -> str:
        """Do a job from its beginning to its end, and return its id."""
        job_id = self.add(kind, request, **columns)
        claim = self.claim(job_id)
        self.finish(claim, self.begin(claim)[0])
        return job_id

    def give_features(self, path: Path, dataset_id: str = "0" * 32) -> str:
        """Publish a file as the features of an extraction of a first version, and return the job's id."""
        claim = self.claim(self.add(JobKind.EXTRACTION, {"dataset": dataset_id, "version": 1}))
        self.finish(claim, Outcome({}, {"features.npz": path}))
        return claim.job_id

    def add_dataset(self, photographs: Sequence[Photograph]) -> tuple[str, int]:
        """Make a data set and a version of it; return the data set's id and the version's number."""
        with self.database.transaction() as session:
            dataset = tables.Dataset(tenant=TENANT, name="hands")
            session.add(dataset)
        for photograph in photographs:
            datasets.add_photograph(self.database, self.storage, dataset.id, photograph)
        version = datasets.make_version(self.database, self.storage, TENANT, dataset.id)
        return dataset.id, version.number

    def result(self, job_id: str) -> dict[str, Any]:
        with self.database.reading() as session:
            return dict(session.get_one(tables.Job, job_id).result)

    def checkpoint(self, job_id: str) -> dict[str, Any]:
        with self.database.reading() as session:
            return dict(session.get_one(tables.Job, job_id).checkpoint)

    def artifacts(self, job_id: str) -> dict[str, tables.Artifact]:
        with self.database.reading() as session:
            rows = session.scalars(select(tables.Artifact).where(tables.Artifact.job_id == job_id)).all()
        return {row.name: row for row in rows}

    def fetch(self, job_id: str, name: str) -> Path:
        """Fetch a file that a job has made."""
        row = self.artifacts(job_id)[name]
        path = self.folder / "fetched" / job_id / name
        self.storage.get(row.key, path, sha256=row.sha256)
        return path
