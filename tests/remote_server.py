"""A gateway's routes on a real server in a thread, with SQLite and a folder; tests play the worker themselves."""

import threading
import time

import registered
import uvicorn
from fastapi import FastAPI
from registered import sha256_of

from asl.contracts import EventKind, JobState, Progress, Queue
from asl.infra import jobs
from asl.infra.jobs import Event, NewArtifact
from asl.infra.settings import Settings
from asl.infra.stores import database_of, storage_of
from asl.infra.tables import Base
from services.gateway import errors
from services.gateway.routes import archives, artifacts, datasets, health, job_events, models, recognitions, samples
from services.gateway.routes import jobs as job_routes
from services.gateway.startup import Gateway

_LEASE_S = 60
_START_LIMIT_S = 60


class RemoteServer:
    """The routes that clients call."""

    def __init__(self, folder, port, **settings):
        self.settings = Settings(home=folder, **settings)
        self.database = database_of(self.settings)
        self.storage = storage_of(self.settings)
        Base.metadata.create_all(self.database.engine)
        app = FastAPI()
        app.state.gateway = Gateway(self.settings, self.database, self.storage)
        for routes in (datasets, samples, archives, job_routes, job_events, artifacts, models, health, recognitions):
            app.include_router(routes.router)
        errors.install(app)
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self):
        self._thread.start()
        give_up_at = time.monotonic() + _START_LIMIT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > give_up_at:
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(_START_LIMIT_S)
        self.database.close()


def store_model(server, content):
    """Register a model whose file has this content, and return its number."""
    stored = server.storage.put_bytes(f"models/{sha256_of(content)}.pt", content)
    with server.database.transaction() as session:
        return registered.add_model(session, stored=stored).number


class Work:
    """A job as its worker holds it."""

    def __init__(self, server, job_id):
        self._server = server
        with server.database.transaction() as session:
            self.claim = jobs.claim(session, list(Queue), "test", _LEASE_S, job_id)
        assert self.claim is not None, "expected a queued job"

    def tell(self, text):
        self._record(events=[Event(EventKind.LOG, {"text": text})])

    def advance(self, **progress):
        found = Progress(**progress)
        self._record(found, [Event(EventKind.PROGRESS, found.model_dump(mode="json"))])

    def publish(self, *, advice=(), **files):
        """Succeed with files of these contents; names have underscores for dots."""
        artifacts_made = []
        for written, content in files.items():
            name = written.replace("_", ".")
            key = f"jobs/{self.claim.job_id}/1/{name}"
            stored = self._server.storage.put_bytes(key, content)
            media_type = "application/octet-stream"
            artifacts_made.append(NewArtifact(name, key, stored.sha256, len(content), media_type))
        with self._server.database.transaction() as session:
            assert jobs.succeed(session, self.claim, {"n": len(files), "advice": list(advice)}, artifacts_made)

    def fail(self, error):
        with self._server.database.transaction() as session:
            assert jobs.fail(session, self.claim, error, retry=False) is JobState.FAILED

    def confirm_cancelled(self):
        with self._server.database.transaction() as session:
            assert jobs.confirm_cancelled(session, self.claim)

    def _record(self, progress=None, events=()):
        with self._server.database.transaction() as session:
            assert jobs.record(session, self.claim, _LEASE_S, progress, events) is not None
