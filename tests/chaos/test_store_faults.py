"""R12: whatever the object store does, an artifact is there whole or not at all; the sweep takes leftovers alone."""

import hashlib
import random
import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest
from at_work import Machine, bring_up
from fault_proxy import Fault, FaultProxy
from sqlalchemy import select
from storm import IS_LONG

from asl.contracts import ENDED, JobState
from asl.infra import sweep, tables
from asl.infra.storage import open_storage
from asl.infra.storage.s3 import PAUSES_S

N_JOBS = 200 if IS_LONG else 24
N_KILLS = 10 if IS_LONG else 1
N_SLOTS = 4
N_PUTS = len(PAUSES_S) + 1
AT_ONCE = timedelta(0)
PUT_FAULTS = [Fault.CUT_REQUEST, Fault.CUT_AT_ONCE, Fault.LOST_ANSWER, Fault.ANSWER_500, Fault.BROKEN_XML, Fault.STALL]
GET_FAULTS = [Fault.CUT_ANSWER, Fault.CUT_AT_ONCE, Fault.WRONG_BYTES, Fault.ANSWER_500]


@pytest.fixture(scope="module")
def proxy(s3_server):
    with FaultProxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def machine(tmp_path_factory, s3_server, proxy):
    url = s3_server.storage_url(s3_server.create_bucket())
    settings = {
        "ASL_STORAGE_URL": url.replace(str(s3_server.port), proxy.endpoint.rpartition(":")[2]),
        "ASL_STORAGE_ACCESS_KEY": s3_server.access_key,
        "ASL_STORAGE_SECRET_KEY": s3_server.secret_key,
        "ASL_LEASE_S": "60",
        "ASL_WORKER_SLOTS": str(N_SLOTS),
    }
    with Machine(tmp_path_factory.mktemp("machine"), **settings) as machine:
        machine.direct = open_storage(url, s3_server.access_key, s3_server.secret_key)
        bring_up(machine.add_worker())
        yield machine


@pytest.fixture(autouse=True)
def _well(machine, proxy):
    proxy.forget_plans()
    bring_up(machine.workers[0])


def keys_of(storage):
    return {entry.key for entry in storage.list("")}


def check_artifacts(machine):
    """Check that each artifact's object is there, and whole; returns their keys."""
    with machine.database.reading() as session:
        rows = session.scalars(select(tables.Artifact)).all()
    for row in rows:
        content = b"".join(machine.direct.open(row.key))
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (row.sha256, row.size_bytes)
    return {row.key for row in rows}


def check_sweep(machine):
    """Check that a sweep takes all that nothing refers to, and nothing else; returns how many objects it took."""
    kept, before = check_artifacts(machine), keys_of(machine.direct)
    assert sweep.remove_orphans(machine.database, machine.direct, AT_ONCE) == len(before - kept)
    assert keys_of(machine.direct) == kept == check_artifacts(machine)
    return len(before - kept)


def test_faults_of_the_store_cost_attempts_and_never_an_artifact(machine, proxy):
    """Longer rows of faults than a put bears, while a sweep runs that never pauses."""
    over = threading.Event()
    proxy.plan(Fault.ANSWER_500, method="PUT", times=N_SLOTS * N_PUTS)  # too much for one of the first jobs at least
    beside = [threading.Thread(target=run, args=(machine, proxy, over)) for run in (plan_faults, sweep_on)]
    for thread in beside:
        thread.start()
    try:
        ids = [machine.add_probe(max_attempts=1 + 2 * (number % 2)) for number in range(N_JOBS)]
        ended = [machine.wait_for_end(job_id, 300) for job_id in ids]
    finally:
        over.set()
        for thread in beside:
            thread.join()
    for job in ended:
        assert job.state in (JobState.SUCCEEDED, JobState.FAILED)
        assert len(machine.artifacts(job.id)) == (job.state == JobState.SUCCEEDED)
        # A store that is away is not the job's fault: unless it may be tried only once, it outlasts that.
        assert job.state == JobState.SUCCEEDED or (job.max_attempts, job.error["code"]) == (1, "unavailable")
        assert job.n_crashes == (job.state == JobState.FAILED)
    assert any((job.state, job.attempt) == (JobState.SUCCEEDED, 1) for job in ended)
    assert any(job.state == JobState.FAILED or job.attempt > 1 for job in ended), "no fault was too much for a put"
    proxy.forget_plans()
    check_sweep(machine)


def plan_faults(_, proxy, over):
    generator = random.Random(12)  # noqa: S311 - what happens is to be the same in each run
    while not over.wait(0.05):
        if not proxy.n_left:
            method, faults = generator.choice([("PUT", PUT_FAULTS), ("GET", GET_FAULTS)])
            proxy.plan(generator.choice(faults), method=method, times=generator.choice([1, 2, 8, 16]))


def sweep_on(machine, _, over):
    while not over.wait(0.1):
        sweep.remove_orphans(machine.database, machine.direct, AT_ONCE)


def test_a_store_that_stays_away_fails_a_job_with_its_name(machine, proxy):
    proxy.plan(Fault.ANSWER_500, method="PUT", times=1000)
    job = machine.wait_for_end(machine.add_probe(max_attempts=1))
    assert (job.state, job.attempt, job.error["code"]) == (JobState.FAILED, 1, "unavailable")
    assert "500" in job.error["message"] or "put" in job.error["message"]
    assert machine.artifacts(job.id) == {}


def test_a_kill_between_upload_and_commit_leaves_orphans_alone(machine):
    """The database is locked once a job runs, so its worker can store but not commit; then the worker is killed."""
    worker = machine.workers[0]
    check_sweep(machine)
    for _ in range(N_KILLS):
        job_id, left = kill_between_upload_and_commit(machine, worker)
        assert machine.artifacts(job_id) == {}
        assert machine.job(job_id).state not in ENDED
        # Its job has not ended, so nobody knows yet whether it is needed.
        assert sweep.remove_orphans(machine.database, machine.direct, AT_ONCE) == 0
        machine.expire(job_id)
        bring_up(worker)
        job = machine.wait_for_end(job_id)
        assert (job.state, job.attempt, job.lost_count) == (JobState.SUCCEEDED, 2, 1)
        assert left in keys_of(machine.direct)
        assert left not in check_artifacts(machine)
        assert check_sweep(machine) == 1
        assert left not in keys_of(machine.direct)


def kill_between_upload_and_commit(machine, worker):
    """Kill a worker then; returns its job, and the key that it leaves."""
    while True:
        job_id = machine.add_probe(step_s=1.0)
        machine.wait_for(job_id, JobState.RUNNING)
        with closing(sqlite3.connect(machine.folder / "home" / "asl.db", isolation_level=None, timeout=60)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            if machine.job(job_id).state in ENDED:
                continue  # a machine that stood still: it was done before the lock was there
            left = wait_for_object(machine, f"jobs/{job_id}/1/")
            time.sleep(0.2)
            worker.kill_alone()
            lock.execute("ROLLBACK")
        return job_id, left


def wait_for_object(machine, prefix):
    deadline = time.monotonic() + 60
    while True:
        for entry in machine.direct.list(prefix):
            return entry.key
        assert time.monotonic() < deadline, machine.logs()
        time.sleep(0.05)
