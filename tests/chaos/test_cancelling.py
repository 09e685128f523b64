"""R10: a job that is cancelled, whenever that is, comes to exactly one end, and stays there."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from at_work import Machine, bring_up
from databases import KINDS, fresh_url
from storm import IS_LONG, only_long

from asl.contracts import ENDED, JobState

N_JOBS = 1000 if IS_LONG else 100
N_CALLERS = 4
LEASE_S = 5 if IS_LONG else 60
"""Beside other tests the machine may stand still for seconds: no job is to be lost to that here."""
AFTERWARDS_S = LEASE_S + 2 if IS_LONG else 2
"""Long enough for a job to be begun or taken back by mistake."""


@pytest.fixture(scope="module", params=KINDS if IS_LONG else KINDS[1:])
def machine(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    settings = {"ASL_LEASE_S": str(LEASE_S), "ASL_WORKER_SLOTS": "4", "ASL_CANCEL_GRACE_S": "1"}
    with fresh_url(request.param, request, folder) as url, Machine(folder, url, **settings) as machine:
        bring_up(machine.add_gateway())
        yield machine


def cancel(client, job_id):
    """Cancel a job; its state at once."""
    answer = client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert answer.status_code in (200, 202), answer.text
    assert (answer.status_code == 200) == (answer.json()["state"] in ENDED)
    return answer.json()["state"]


def ends_of(machine, job_id):
    return [state for state in machine.states(job_id) if state in ENDED]


def test_jobs_cancelled_while_no_worker_is_up_never_run(machine):
    ids = [machine.add_probe(step_s=0.1) for _ in range(N_JOBS // 10)]
    with machine.client() as client:
        assert {cancel(client, job_id) for job_id in ids} == {"cancelled"}
    worker = machine.add_worker()
    bring_up(worker)
    last = machine.wait_for_end(machine.add_probe())
    assert last.state == JobState.SUCCEEDED  # the worker is at work, and these were before it
    time.sleep(AFTERWARDS_S)
    assert worker.is_at_work
    for job_id in ids:
        job = machine.job(job_id)
        assert (job.state, job.attempt, job.started_at) == (JobState.CANCELLED, 0, None)
        assert machine.states(job_id) == ["queued", "cancelled"]


def test_a_cancelled_job_has_one_end_whenever_it_is_cancelled(machine):
    bring_up(machine.workers[0])
    with ThreadPoolExecutor(N_CALLERS) as threads:
        told = dict(threads.map(lambda seed: race(machine, seed), range(N_JOBS)))
    ended = {job_id: machine.wait_for_end(job_id) for job_id in told}
    time.sleep(AFTERWARDS_S)
    for job_id, job in ended.items():
        check_end(machine, job_id, job, told[job_id])
    counts = Counter((told[job_id], job.state, min(job.attempt, 1)) for job_id, job in ended.items())
    assert len(ended) == N_JOBS
    # All kinds of race took place: cancelled before it began, at work, and too late.
    assert counts["cancelled", JobState.CANCELLED, 0] > 0, counts
    assert counts["cancelling", JobState.CANCELLED, 1] > 0, counts
    assert counts["succeeded", JobState.SUCCEEDED, 1] > 0, counts


def race(machine, seed):
    """Submit a job and cancel it in one of four moments, twice at once; returns what the first call was told."""
    generator = random.Random(seed)  # noqa: S311 - what happens is to be the same in each run
    with machine.client() as client:  # before the job: making one takes as long as a job needs to begin
        job_id = machine.add_probe(n_steps=2, step_s=generator.choice([0, 0.02, 0.2]))
        if seed % 4 in (1, 2):  # once it is at work, or a while after
            machine.wait_until(job_id, lambda job: job.state != JobState.QUEUED)
        elif seed % 4 == 3:  # once it has ended
            machine.wait_for_end(job_id)
        if seed % 4 == 2:
            time.sleep(generator.uniform(0, 0.3))
        state = cancel(client, job_id)
        cancel(client, job_id)
    return job_id, state


def check_end(machine, job_id, job, told):
    now = machine.job(job_id)
    assert (now.state, now.attempt, now.finished_at) == (job.state, job.attempt, job.finished_at)
    assert machine.states(job_id)[-1] == job.state
    assert ends_of(machine, job_id) == [job.state]
    assert job.attempt <= 1
    # Who was told of an end was told of this one; who was told that it is about to stop saw it stop.
    assert job.state == (told if told in ENDED else JobState.CANCELLED)
    assert len(machine.artifacts(job_id)) == (job.state == JobState.SUCCEEDED)


@only_long
def test_a_job_cancelled_while_its_worker_is_dead_is_cancelled_and_does_not_run_again(machine):
    worker = machine.workers[0]
    bring_up(worker)
    ids = [machine.add_probe(n_steps=600, step_s=0.1) for _ in range(4)]
    for job_id in ids:
        machine.wait_for(job_id, JobState.RUNNING)
    worker.kill_alone()
    with machine.client() as client:
        assert {cancel(client, job_id) for job_id in ids} == {"cancelling"}
    bring_up(worker)
    for job_id in ids:
        machine.wait_for(job_id, JobState.CANCELLED, limit_s=LEASE_S + 60)
    time.sleep(1)
    for job_id in ids:
        assert machine.states(job_id) == ["queued", "running", "cancelling", "cancelled"]
        assert machine.job(job_id).attempt == 1
