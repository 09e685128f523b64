"""The jobs API behind a real socket, and a worker that does nothing but move jobs."""

import hashlib
import uuid
from contextlib import contextmanager

import httpx
from databases import fresh
from fastapi import FastAPI
from gateways import serving
from sqlalchemy import select

from asl.contracts import JobError, JobState, Progress, Queue
from asl.infra import jobs, keys, submission, tables
from asl.infra.settings import Settings
from asl.infra.storage import open_storage
from asl.infra.submission import Submitter
from services.gateway import errors
from services.gateway.routes import artifacts as artifact_routes
from services.gateway.routes import job_events as event_routes
from services.gateway.routes import jobs as job_routes
from services.gateway.startup import Gateway

QUEUES = (Queue.CPU, Queue.GPU)


class JobStore:
    """A database and a store, with what tests do to jobs."""

    def __init__(self, database, storage, settings):
        self.database, self.storage, self.settings = database, storage, settings

    def add_dataset(self, tenant, name="hands", n_samples=10):
        """Add a data set with one photograph and with a version that says that it has so many."""
        with self.database.transaction() as session:
            dataset = tables.Dataset(tenant=tenant, name=name)
            session.add(dataset)
            session.flush()
            sha256 = hashlib.sha256(dataset.id.encode()).hexdigest()
            sample = {"name": "a.jpg", "label": "A", "signer": "", "sha256": sha256, "key": "a", "size_bytes": 1}
            session.add(tables.Sample(dataset_id=dataset.id, **sample))
            version = {"number": 1, "digest": sha256, "manifest_key": "m", "n_samples": n_samples, "counts": []}
            session.add(tables.DatasetVersion(dataset_id=dataset.id, **version))
        return dataset.id

    def submit(self, tenant, *requests, limit=1000):
        submitter = Submitter(tenant, "test", limit, "request-1")
        prepared = submission.prepare(self.database, self.storage, self.settings, tenant, requests)
        with self.database.transaction() as session:
            return submission.submit(session, submitter, prepared)

    def row(self, job_id):
        with self.database.reading() as session:
            return session.get_one(tables.Job, job_id)

    def rows(self, tenant, *conditions):
        with self.database.reading() as session:
            query = select(tables.Job).where(tables.Job.tenant == tenant, *conditions)
            return session.scalars(query.order_by(tables.Job.created_at, tables.Job.shard)).all()

    def needs(self, job_id):
        with self.database.reading() as session:
            query = select(tables.JobDependency.needs_id).where(tables.JobDependency.job_id == job_id)
            return set(session.scalars(query))

    def move(self, move, *arguments, **options):
        """Make one move of `asl.infra.jobs` in a transaction of its own."""
        with self.database.transaction() as session:
            return move(session, *arguments, **options)

    def claim(self, job_id):
        claim = self.move(jobs.claim, QUEUES, "worker", 30, job_id)
        assert claim is not None
        return claim

    def succeed(self, job_id, **files):
        """Do a job; `files` are the bytes of artifacts by their names, with `_` for dots."""
        claim = self.claim(job_id)
        assert self.move(jobs.succeed, claim, {"done": True}, [self._put(claim, *file) for file in files.items()])
        return claim

    def publish(self, claim, name, stored):
        """End a job with one artifact, of any name."""
        made = jobs.NewArtifact(name, stored.key, stored.sha256, stored.size_bytes, "application/octet-stream")
        assert self.move(jobs.succeed, claim, {}, [made])

    def fail(self, job_id):
        error = JobError(code="crashed", message="it fell over", hint="look")
        assert self.move(jobs.fail, self.claim(job_id), error, retry=False) is JobState.FAILED

    def record(self, claim, done, total, *events):
        self.move(jobs.record, claim, 30, Progress(done=done, total=total), events)

    def _put(self, claim, name, data):
        name = name.replace("_", ".")
        stored = self.storage.put_bytes(f"jobs/{claim.job_id}/{claim.attempt}/{name}", data)
        return jobs.NewArtifact(name, stored.key, stored.sha256, stored.size_bytes, "application/octet-stream")


class JobService(JobStore):
    """The same, with the API in front."""

    def __init__(self, database, storage, settings, url):
        super().__init__(database, storage, settings)
        self.url = url

    @contextmanager
    def client(self, tenant=None, **options):
        """Lend a client with a new key; of a new tenant if none is named."""
        tenant = tenant or new_tenant()
        secret, _ = keys.create(self.database, name=f"key of {uuid.uuid4().hex}", tenant=tenant, **options)
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60, trust_env=False) as client:
            client.tenant = tenant
            yield client


@contextmanager
def stored(kind, request, folder, **settings):
    """Lend a database and a store: SQLite and a folder, or Postgres and S3."""
    with fresh(kind, request, folder) as database:
        if kind == "sqlite":
            storage = open_storage(str(folder / "store"))
        else:
            server = request.getfixturevalue("s3_server")
            storage = open_storage(server.storage_url(server.create_bucket()), server.access_key, server.secret_key)
        yield JobStore(database, storage, Settings(_env_file=None, home=folder, require_key=True, **settings))


@contextmanager
def served(kind, request, folder, **settings):
    """Lend the API."""
    with stored(kind, request, folder, **settings) as store:
        app = FastAPI()
        for routes in (job_routes, event_routes, artifact_routes):
            app.include_router(routes.router)
        errors.install(app)
        app.state.gateway = Gateway(store.settings, store.database, store.storage, None, None)
        with serving(app, lifespan="off") as url:
            yield JobService(store.database, store.storage, store.settings, url)


def new_tenant():
    return f"tenant-{uuid.uuid4().hex}"
