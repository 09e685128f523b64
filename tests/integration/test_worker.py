"""Workers as processes, on one machine and on the full stack: they do jobs, survive faults, and leave well."""

import os
import signal
import time
from pathlib import Path

import pytest
from platforms import FullStack, OneMachine
from sqlalchemy import func, select

from asl.contracts import ENDED, JobKind, JobState, Queue
from asl.infra import jobs, schema, tables
from asl.infra.tables import Job

NICENESS = 1  # the tests beside would starve jobs that give way much


@pytest.fixture(scope="module", params=["one_machine", "full_stack"])
def platform(request, tmp_path_factory):
    with {"one_machine": OneMachine, "full_stack": FullStack}[request.param](tmp_path_factory.mktemp("p")) as platform:
        schema.upgrade(platform.database)
        platform.worker = platform.start_worker(ASL_LEASE_S="2", ASL_JOB_NICENESS=str(NICENESS))
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


def stands(platform, job_id):
    with platform.database.reading() as session:
        return session.get(Job, job_id)


def wait_for(platform, job_id, *states, limit_s=30):
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


def wait_for_process(job_id):
    deadline = time.monotonic() + 30
    while not (pids := job_processes(job_id)):
        assert time.monotonic() < deadline
    return pids[0]


def test_a_job_runs_once_and_publishes_one_artifact(platform):
    job = wait_for(platform, submit(platform), *ENDED)
    assert (job.state, job.attempt, job.result) == (JobState.SUCCEEDED, 1, {"attempt": 1, "n_steps": 1})
    with platform.database.reading() as session:
        assert session.scalar(select(func.count()).where(tables.Artifact.job_id == job.id)) == 1


def test_both_queues_are_served_at_once(platform):
    cpu, gpu = submit(platform, step_s=1.0), submit(platform, step_s=1.0, queue=Queue.GPU)
    ended = [wait_for(platform, job_id, *ENDED) for job_id in (cpu, gpu)]
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    assert max(job.started_at for job in ended) < min(job.finished_at for job in ended)


def test_the_gpu_queue_does_one_job_at_a_time(platform):
    ids = [submit(platform, step_s=0.5, queue=Queue.GPU) for _ in range(2)]
    first, second = sorted((wait_for(platform, job_id, *ENDED) for job_id in ids), key=lambda job: job.started_at)
    assert second.started_at >= first.finished_at


def test_jobs_give_way_to_other_processes_and_to_other_sessions(platform):
    job_id = submit(platform, n_steps=600, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    pid = wait_for_process(job_id)
    deadline = time.monotonic() + 30
    while os.getpriority(os.PRIO_PROCESS, pid) != NICENESS or os.getsid(pid) != pid:
        assert time.monotonic() < deadline
    if (shared_out := Path(f"/proc/{pid}/autogroup")).exists():
        while not shared_out.read_text().endswith(f"nice {NICENESS}\n"):
            assert time.monotonic() < deadline
    assert os.getpriority(os.PRIO_PROCESS, platform.worker.pid) == 0
    with platform.database.transaction() as session:
        jobs.cancel(session, job_id)


def test_a_crash_is_seen_at_once_and_tried_again_up_to_the_limit(platform):
    job_id = submit(platform, n_steps=600, step_s=0.1, max_attempts=2)
    for attempt in (1, 2):
        wait_for(platform, job_id, JobState.RUNNING)
        pid = wait_for_process(job_id)
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        left = wait_for(platform, job_id, JobState.QUEUED, JobState.FAILED)
        assert time.monotonic() - killed_at < 1.0
        assert left.state == (JobState.QUEUED if attempt == 1 else JobState.FAILED)
    assert (left.attempt, left.error["code"]) == (2, "crashed")
    assert "SIGKILL" in left.error["message"]


def test_a_running_job_is_cancelled_and_its_process_ends(platform):
    job_id = submit(platform, n_steps=600, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    with platform.database.transaction() as session:
        jobs.cancel(session, job_id)
    wait_for(platform, job_id, JobState.CANCELLED, limit_s=5)
    time.sleep(0.3)
    assert job_processes(job_id) == []


def test_a_killed_worker_takes_its_processes_along_and_its_jobs_are_taken_back(platform):
    job_id = submit(platform, n_steps=40, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    while not job_processes(job_id):
        time.sleep(0.05)
    platform.worker.kill_alone()
    deadline = time.monotonic() + 2
    while job_processes(job_id):
        assert time.monotonic() < deadline, "the job's process outlived its worker"
        time.sleep(0.05)
    platform.worker.start()
    job = wait_for(platform, job_id, *ENDED)
    assert (job.state, job.attempt, job.lost_count) == (JobState.SUCCEEDED, 2, 1)


def test_a_worker_that_is_told_to_end_gives_its_jobs_back(platform):
    job_id = submit(platform, n_steps=30, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    began = time.monotonic()
    platform.worker.stop()
    assert time.monotonic() - began < 8
    given_back = stands(platform, job_id)
    assert (given_back.state, given_back.attempt, given_back.lost_count) == (JobState.QUEUED, 1, 0)
    platform.worker.start()
    job = wait_for(platform, job_id, *ENDED)
    assert (job.state, job.attempt, job.n_crashes) == (JobState.SUCCEEDED, 2, 0)


def test_a_frozen_worker_wakes_up_to_find_its_write_refused(platform):
    job_id = submit(platform, n_steps=30, step_s=0.1)
    wait_for(platform, job_id, JobState.RUNNING)
    platform.worker.pause()
    other = platform.start_worker()
    wait_for(platform, job_id, *ENDED, limit_s=40)
    platform.worker.resume()
    other.stop()
    job = stands(platform, job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    with platform.database.reading() as session:
        found = session.scalars(select(tables.Artifact.attempt).where(tables.Artifact.job_id == job_id)).all()
    assert found == [2]
    deadline = time.monotonic() + 15
    while "lost to another worker" not in platform.worker.log and "end refused" not in platform.worker.log:
        assert time.monotonic() < deadline, platform.worker.log
        time.sleep(0.1)
