"""Jobs put straight into a platform's database, watched there, and the processes that do them."""

import contextlib
import time
from pathlib import Path

from guardian import family
from pace import PATIENCE_S
from platforms import OneMachine
from sqlalchemy import select, update

from asl.contracts import ENDED, EventKind, JobKind, Queue
from asl.infra import jobs, schema, tables
from asl.infra.database import now
from asl.infra.tables import Job

TENANT = "local"


class Machine(OneMachine):
    """One machine on a database of either kind, with its tables; nothing runs yet."""

    def __init__(self, folder, url=None, **settings):
        super().__init__(folder, **settings)
        if url:
            self.settings |= {"ASL_DATABASE_URL": url, "ASL_REQUIRE_KEY": "false"}
        schema.upgrade(self.database)

    def add(self, kind=JobKind.PROBE, request=None, *, queue=Queue.CPU, **columns):
        """Accept a job and return its id."""
        with self.database.transaction() as session:
            return _add(session, kind, request or {}, queue=queue, **columns)

    def add_probe(self, *, n_steps=1, step_s=0.0, queue=Queue.CPU, **columns):
        return self.add(JobKind.PROBE, probe(n_steps=n_steps, step_s=step_s), queue=queue, **columns)

    def give(self, kind, request, path, name):
        """Publish a file as what a job has made, and return the job's id; no worker ever sees the job at work."""
        with self.database.transaction() as session:
            job_id = _add(session, kind, request, queue=Queue.CPU)
            held = jobs.claim(session, [Queue.CPU], "test", 30, job_id)
        stored = self.storage.put(f"jobs/{job_id}/{held.attempt}/{name}", path)
        artifact = jobs.NewArtifact(name, stored.key, stored.sha256, stored.size_bytes, "application/octet-stream")
        with self.database.transaction() as session:
            assert jobs.succeed(session, held, {}, [artifact])
        return job_id

    def expire(self, job_id):
        """Let a job's lease run out, whose worker is gone: tests need not wait for it, nor have it short."""
        with self.database.transaction() as session:
            held = update(Job).where(Job.id == job_id, Job.lease_until.is_not(None))
            session.execute(held.values(lease_until=now() - 1))

    def job(self, job_id):
        with self.database.reading() as session:
            return session.get_one(Job, job_id)

    def events(self, job_id, kind):
        with self.database.reading() as session:
            told = select(tables.JobEvent).where(tables.JobEvent.job_id == job_id, tables.JobEvent.kind == kind)
            return session.scalars(told.order_by(tables.JobEvent.id)).all()

    def states(self, job_id):
        """The states that a job went through, as its events tell."""
        return [event.data["state"] for event in self.events(job_id, EventKind.STATE)]

    def lines(self, job_id):
        """The lines of a job's log."""
        return [event.data["text"] for event in self.events(job_id, EventKind.LOG)]

    def artifacts(self, job_id):
        with self.database.reading() as session:
            rows = session.scalars(select(tables.Artifact).where(tables.Artifact.job_id == job_id)).all()
        return {row.name: row for row in rows}

    def wait_for(self, job_id, *states, limit_s=PATIENCE_S):
        """Wait until a job is in one of some states, and return its row."""
        return self.wait_until(job_id, lambda job: job.state in states, limit_s)

    def wait_for_end(self, job_id, limit_s=PATIENCE_S):
        return self.wait_for(job_id, *ENDED, limit_s=limit_s)

    def wait_until(self, job_id, holds, limit_s=PATIENCE_S):
        deadline = time.monotonic() + limit_s
        while not holds(job := self.job(job_id)):
            assert time.monotonic() < deadline, f"{job.state} {job.attempt} {job.error}\n{self.logs()}"
            time.sleep(0.02)
        return job


def probe(*, n_steps=1, step_s=0.0):
    return {"kind": "probe", "n_steps": n_steps, "step_s": step_s}


def bring_up(process):
    """Start a process unless it runs, and wait until it is ready, also on a machine that has much else to do."""
    process.launch()
    process.wait_until_ready()


class JobEnded(Exception):
    """There is no process of a job any more."""


def pid_of(worker, job_id, has_ended=lambda: False):
    """Wait for a job's process, and return its id; `has_ended` tells that there will be none."""
    return process_of(worker, job_id, has_ended)[0]


def process_of(worker, job_id, has_ended=lambda: False):
    """Wait for a job's process; return its id and the scratch file that it is known by, which takes its output."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for pid in family(worker.pid):
            for path in _open_files(pid):
                if f"asl-job-{job_id[:8]}-" in path:
                    return pid, Path(path)
        if has_ended():
            raise JobEnded(job_id)
        assert time.monotonic() < deadline, f"no process of job {job_id}\n{worker.log[-3000:]}"
        time.sleep(0.01)


def _add(session, kind, request, **columns):
    row = Job(tenant=TENANT, submitted_by="test", kind=kind, request=request, **columns)
    jobs.add(session, row)
    return row.id


def _open_files(pid):
    with contextlib.suppress(OSError):
        return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return []
