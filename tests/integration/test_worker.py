"""Workers as processes, on one machine and on the full stack: they do jobs, survive faults, and leave well."""

import os
import signal
import time
from pathlib import Path

import pytest
from pace import PATIENCE_S, wait_until
from platforms import FullStack, OneMachine
from sqlalchemy import func, select, update

from asl.contracts import ENDED, JobKind, JobState, Queue
from asl.infra import jobs, schema, tables
from asl.infra.database import now
from asl.infra.tables import Job

NICENESS = 1  # the tests beside would starve jobs that give way much
LEASE_S = 120


@pytest.fixture(scope="module", params=["one_machine", "full_stack"])
def platform(request, tmp_path_factory):
    kind = {"one_machine": OneMachine, "full_stack": FullStack}[request.param]
    with kind(tmp_path_factory.mktemp("p"), ASL_LEASE_S=str(LEASE_S)) as platform:
        schema.upgrade(platform.database)
        platform.worker = platform.start_worker(ASL_JOB_NICENESS=str(NICENESS))
        if isinstance(platform, FullStack):
            platform.start_dispatcher()
        yield platform


def submit(platform, *, n_steps=1, step_s=0.0, queue=Queue.CPU, **fields):
    row = Job(
        tenant="t", submitted_by="t", kind=JobKind.PROBE, queue=queue,
        request={"kind": "probe", "n_steps": n_steps, "step_s": step_s, "queue": queue}, **fields,
    )  # fmt: skip
    with platform.database.transaction() as session:
        jobs.add(session, row)
    return row.id


def expire(platform, job_id):
    """Let a job's lease run out, so that nobody need wait for it: short ones are lost when the machine stands still."""
    with platform.database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=now() - 1))


def shorten(platform, job_id):
    """Let the next attempt at a job take no time."""
    with platform.database.transaction() as session:
        job = session.get_one(Job, job_id)
        job.request = job.request | {"n_steps": 1, "step_s": 0.0}


def stands(platform, job_id):
    with platform.database.reading() as session:
        return session.get(Job, job_id)


def wait_for(platform, job_id, *states, limit_s=PATIENCE_S):
    deadline = time.monotonic() + limit_s
    while (job := stands(platform, job_id)).state not in states:
        assert time.monotonic() < deadline, f"{job.state} {job.error}\n{platform.logs()}"
        time.sleep(0.02)
    return job


def job_processes(job_id):
    """Find the processes of a job by their scratch folder, which is their only argument that tells."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
            except OSError:
                continue
            found += [int(folder.name)] if any(f"asl-job-{job_id[:8]}-" in link for link in links) else []
    return found


def process_of(job_id):
    """Wait for a job's process, and return its id."""
    found = []
    wait_until(lambda: found.extend(job_processes(job_id)) or found)
    return found[0]


def test_a_job_runs_once_and_publishes_one_artifact(platform):
    job = wait_for(platform, submit(platform), *ENDED)
    assert (job.state, job.attempt, job.result) == (JobState.SUCCEEDED, 1, {"attempt": 1, "n_steps": 1})
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).where(tables.Artifact.job_id == job.id)) == 1


def test_both_queues_are_served_at_once(platform):
    ids = [submit(platform, n_steps=6000, step_s=0.1, queue=queue) for queue in (Queue.CPU, Queue.GPU)]
    for job_id in ids:
        wait_for(platform, job_id, JobState.RUNNING)
    assert {stands(platform, job_id).state for job_id in ids} == {JobState.RUNNING}
    with platform.database.transaction() as session:
        for job_id in ids:
            jobs.cancel(session, job_id)
    for job_id in ids:
        wait_for(platform, job_id, JobState.CANCELLED)


def test_the_gpu_queue_does_one_job_at_a_time(platform):
    ids = [submit(platform, step_s=0.5, queue=Queue.GPU) for _ in range(2)]
    first, second = sorted((wait_for(platform, job_id, *ENDED) for job_id in ids), key=lambda job: job.started_at)
    assert second.started_at >= first.finished_at


def test_jobs_give_way_to_other_processes_and_to_other_sessions(platform):
    job_id = submit(platform, n_steps=6000, step_s=0.1)
    pid = process_of(job_id)
    wait_until(lambda: (os.getpriority(os.PRIO_PROCESS, pid), os.getsid(pid)) == (NICENESS, pid))
    if (shared_out := Path(f"/proc/{pid}/autogroup")).exists():
        wait_until(lambda: shared_out.read_text().endswith(f"nice {NICENESS}\n"))
    assert os.getpriority(os.PRIO_PROCESS, platform.worker.pid) == 0
    with platform.database.transaction() as session:
        jobs.cancel(session, job_id)
    wait_for(platform, job_id, JobState.CANCELLED)


def test_a_crash_is_seen_at_once_and_tried_again_up_to_the_limit(platform):
    job_id = submit(platform, n_steps=6000, step_s=0.1, max_attempts=2)
    for attempt in (1, 2):
        wait_until(lambda n=attempt: (job := stands(platform, job_id)).attempt == n and job.state == JobState.RUNNING)
        os.kill(process_of(job_id), signal.SIGKILL)
        # Long before the lease has run out; it may run again by the time that this is seen.
        wait_until(lambda n=attempt: stands(platform, job_id).n_crashes == n, LEASE_S / 2)
    left = stands(platform, job_id)
    assert (left.state, left.attempt, left.lost_count) == (JobState.FAILED, 2, 0)
    assert left.error["code"] == "crashed"
    assert "SIGKILL" in left.error["message"]


def test_a_running_job_is_cancelled_and_its_process_ends(platform):
    job_id = submit(platform, n_steps=6000, step_s=0.1)
    process_of(job_id)
    with platform.database.transaction() as session:
        jobs.cancel(session, job_id)
    wait_for(platform, job_id, JobState.CANCELLED)
    wait_until(lambda: job_processes(job_id) == [])


def test_a_killed_worker_takes_its_processes_along_and_its_jobs_are_taken_back(platform):
    job_id = submit(platform, n_steps=6000, step_s=0.1)
    process_of(job_id)
    platform.worker.kill_alone()
    wait_until(lambda: job_processes(job_id) == [])
    shorten(platform, job_id)
    expire(platform, job_id)
    platform.worker.start()
    job = wait_for(platform, job_id, *ENDED)
    assert (job.state, job.attempt, job.lost_count) == (JobState.SUCCEEDED, 2, 1)


def test_a_worker_that_is_told_to_end_gives_its_jobs_back(platform):
    job_id = submit(platform, n_steps=6000, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    platform.worker.stop()  # and kills it where it does not end: then its job would still be running
    given_back = stands(platform, job_id)
    assert (given_back.state, given_back.attempt, given_back.lost_count) == (JobState.QUEUED, 1, 0)
    shorten(platform, job_id)
    platform.worker.start()
    job = wait_for(platform, job_id, *ENDED)
    assert (job.state, job.attempt, job.n_crashes) == (JobState.SUCCEEDED, 2, 0)


def test_a_frozen_worker_wakes_up_to_find_its_write_refused(platform):
    job_id = submit(platform, n_steps=6000, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    platform.worker.pause()
    other = platform.start_worker()
    shorten(platform, job_id)
    expire(platform, job_id)
    wait_for(platform, job_id, *ENDED)
    platform.worker.resume()
    other.stop()
    job = stands(platform, job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    with platform.database.reading() as session:
        found = session.scalars(select(tables.Artifact.attempt).where(tables.Artifact.job_id == job_id)).all()
    assert found == [2]
    wait_until(lambda: any(said in platform.worker.log for said in ("lost to another worker", "end refused")))
