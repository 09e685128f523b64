"""R9: jobs that take too much memory, crash or hang are ended in time, and tried as often as was asked for."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from at_work import Machine, bring_up, pid_of, process_of
from storm import IS_LONG

from asl.contracts import JobState, Queue

N_JOBS = 10 if IS_LONG else 2
MAX_ATTEMPTS = 3 if IS_LONG else 2
STALL_S = 5
"""Longer than a busy machine stands still: a job that does its work is not to be ended for that."""
LEASE_S = 60
SEEN_WITHIN_S = 1 if IS_LONG else LEASE_S / 2
"""A crash that is not seen is found when the lease has run out."""
STALL_SEEN_WITHIN_S = STALL_S + (2 if IS_LONG else LEASE_S / 2)
LEAST_MEMORY = 64 * 2**20


@pytest.fixture(scope="module")
def machine(tmp_path_factory, postgres_server):
    """Two workers: that of the queue gpu gives its jobs little memory, that of the queue cpu ends idle ones."""
    folder, url = tmp_path_factory.mktemp("machine"), postgres_server.create_database()
    with Machine(folder, url, ASL_LEASE_S=str(LEASE_S)) as machine:
        machine.add_worker("gpu", ASL_JOB_MEMORY_BYTES=str(LEAST_MEMORY))
        machine.add_worker("cpu", ASL_STALL_S=str(STALL_S))
        machine.launch()
        for worker in machine.workers:
            bring_up(worker)
        yield machine


@pytest.fixture(scope="module")
def worker(machine):
    return machine.workers[1]


def add(machine, **columns):
    return machine.add_probe(n_steps=6000, step_s=0.1, max_attempts=MAX_ATTEMPTS, **columns)


def check_tried_out(machine, job_id, code, ending="failed"):
    """Check that a job was begun as often as it might be, and no more."""
    job = machine.job(job_id)
    assert (job.state, job.error["code"]) == (ending, code), job.error
    assert (job.attempt, job.n_crashes, job.lost_count) == (MAX_ATTEMPTS, MAX_ATTEMPTS, 0)
    assert machine.states(job_id) == [*["queued", "running"] * MAX_ATTEMPTS, ending]
    assert machine.artifacts(job_id) == {}
    return job


def test_jobs_that_take_too_much_memory_are_ended_and_say_so(machine):
    ids = [add(machine, queue=Queue.GPU) for _ in range(N_JOBS)]
    for job_id in ids:
        machine.wait_for_end(job_id)
        job = check_tried_out(machine, job_id, "out_of_memory")
        assert f"{LEAST_MEMORY:,} bytes" in job.error["message"]


def test_a_crash_is_seen_at_once_and_tried_again_up_to_the_limit(machine, worker):
    job_id, seen_s = add(machine), []
    signals = random.Random(9).sample([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], MAX_ATTEMPTS)  # noqa: S311
    for attempt, number in enumerate(signals, 1):
        wait_for_attempt(machine, job_id, attempt)
        pid = pid_of(worker, job_id)
        killed_at = time.monotonic()
        os.kill(pid, number)
        wait_for_crash(machine, job_id, attempt)
        seen_s.append(time.monotonic() - killed_at)
    job = check_tried_out(machine, job_id, "crashed")
    assert number.name in job.error["message"]
    assert max(seen_s) < SEEN_WITHIN_S


def wait_for_attempt(machine, job_id, attempt):
    machine.wait_until(job_id, lambda job: job.attempt == attempt and job.state == JobState.RUNNING)


def wait_for_crash(machine, job_id, n_crashes):
    """Wait until so many crashes were counted; the job may run again by the time that this is seen."""
    machine.wait_until(job_id, lambda job: job.n_crashes == n_crashes)


def test_a_crash_that_leaves_garbage_is_a_crash_like_any_other(machine, worker):
    """What a dying process prints may hold bytes that Postgres does not take."""
    job_id = machine.add_probe(n_steps=6000, step_s=0.1, max_attempts=1)
    pid, output = process_of(worker, job_id)
    output.write_bytes(b"memory: \0\xed\xa0\x80\xff!")
    os.kill(pid, signal.SIGABRT)
    job = machine.wait_for_end(job_id)
    assert (job.state, job.attempt, job.error["code"]) == (JobState.FAILED, 1, "crashed")
    (line,) = machine.lines(job_id)
    assert line.startswith("memory: ")
    assert line.endswith("!")


def test_jobs_that_hang_are_ended_at_the_stall_limit(machine, worker):
    ids = [add(machine) for _ in range(2)]  # as many as the worker has slots
    with ThreadPoolExecutor(len(ids)) as threads:
        for seconds in threads.map(lambda job_id: freeze_over_and_over(machine, worker, job_id), ids):
            assert STALL_S / 2 < min(seconds) <= max(seconds) < STALL_SEEN_WITHIN_S
    for job_id in ids:
        check_tried_out(machine, job_id, "stalled")


def freeze_over_and_over(machine, worker, job_id):
    """Freeze each process of a job; return how long it took until that was noticed."""
    seconds = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        wait_for_attempt(machine, job_id, attempt)
        pid = pid_of(worker, job_id)
        frozen_at = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        wait_for_crash(machine, job_id, attempt)
        seconds.append(time.monotonic() - frozen_at)
    return seconds


def test_workers_are_well_after_all_of_this(machine):
    job = machine.wait_for_end(machine.add_probe())
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
