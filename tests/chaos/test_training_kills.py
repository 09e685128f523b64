"""R11, R13: trainings that are killed or stopped anywhere end with the weights of one that never was."""

import contextlib
import os
import random
import signal
import time

import pytest
from at_work import JobEnded, Machine, bring_up, pid_of
from factories import make_dataset
from storm import IS_LONG, only_long

from asl.contracts import ENDED, EventKind, JobKind, JobState
from asl.core import dataset
from asl.infra.tables import Job

N_TRAININGS, KILLS = (7, 3) if IS_LONG else (1, 3)
MODELS = ("best_model.pt", "final_model.pt")
N_EPOCHS = 100
EXIT_LIMIT_S = 10
LIMIT_S = 300
LAST_KILL_EPOCH = 60
MAX_DELAY_S = 0.3
N_TRIES = 5
"""A training that has ended before it could be killed, on a machine that stood still, tells nothing."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    with Machine(folder, ASL_CHECKPOINT_S="0.2", ASL_LEASE_S="60") as machine:
        bring_up(machine.add_worker())
        yield machine


@pytest.fixture(scope="module")
def worker(machine):
    return machine.workers[0]


@pytest.fixture(autouse=True)
def _at_work(worker):
    bring_up(worker)


@pytest.fixture(scope="module")
def request_(machine, tmp_path_factory):
    """What each of the trainings is asked for."""
    path = tmp_path_factory.mktemp("features") / "features.npz"
    hands = make_dataset(letters="ABCDEFGHIK", groups=("ann", "bob", "cid"), rows_per_letter=20, noise=0.12)
    dataset.save(hands, path)
    features = machine.give(JobKind.EXTRACTION, {"dataset": "0" * 32, "version": 1}, path, "features.npz")
    options = {"hidden_sizes": [128, 64], "epochs": N_EPOCHS, "batch_size": 16, "patience": 0}
    return {"kind": "training", "data": [{"job": features}], "options": options, "device": "cpu"}


@pytest.fixture(scope="module")
def whole(machine, request_):
    """The weights of a training that nothing disturbs."""
    job_id = add(machine, request_)
    job = machine.wait_for_end(job_id, LIMIT_S)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1), job.error
    return weights(machine, job_id)


def add(machine, request_):
    return machine.add(JobKind.TRAINING, request_, max_attempts=100)


def weights(machine, job_id):
    """SHA-256 of the models' files."""
    artifacts = machine.artifacts(job_id)
    return {name: artifacts[name].sha256 for name in MODELS}


def kill_process(machine, worker, job):
    """Kill a training's process; returns whether it was in time."""
    with contextlib.suppress(JobEnded, ProcessLookupError):
        os.kill(pid_of(worker, job.id, lambda: machine.job(job.id).state in ENDED), signal.SIGKILL)
    now = machine.wait_until(job.id, lambda now: now.n_crashes > job.n_crashes or now.state in ENDED, LIMIT_S)
    return now.n_crashes > job.n_crashes


def kill_worker(machine, worker, job):
    """Kill a training's worker, the process left to itself; returns whether it was in time."""
    worker.kill_alone()
    machine.expire(job.id)
    bring_up(worker)
    now = machine.wait_until(job.id, lambda now: now.attempt > job.attempt or now.state in ENDED, LIMIT_S)
    return now.attempt > job.attempt


@pytest.mark.parametrize("seed", range(N_TRAININGS))
def test_a_training_killed_at_random_moments_ends_with_the_same_weights(machine, worker, request_, whole, seed):
    generator = random.Random(seed)  # noqa: S311 - what happens is to be the same in each run
    # By epochs and not by time, since nobody knows how long it takes here; it ends some while after the last of them.
    moments = sorted(generator.randint(0, LAST_KILL_EPOCH) for _ in range(KILLS))
    kills = generator.sample([kill_process, kill_process, kill_worker], KILLS)
    for _ in range(N_TRIES):
        job_id = add(machine, request_)
        if all(kill_at(machine, worker, job_id, *planned) for planned in zip(kills, moments, strict=True)):
            break
    job = machine.wait_for_end(job_id, LIMIT_S)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1 + KILLS), job.error
    assert weights(machine, job_id) == whole
    assert any("going on after epoch" in line for line in machine.lines(job_id))


def kill_at(machine, worker, job_id, kill, epoch):
    """Kill a training a moment after an epoch; returns whether it was in time."""

    def is_due(job):
        return job.state in ENDED or (
            job.state == JobState.RUNNING and (job.progress or {"epoch": 0})["epoch"] >= epoch
        )

    machine.wait_until(job_id, is_due, LIMIT_S)
    time.sleep(random.uniform(0, MAX_DELAY_S))  # noqa: S311 - any moment will do
    job = machine.job(job_id)
    return job.state == JobState.RUNNING and kill(machine, worker, job)


@only_long
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(machine, worker, request_, whole):
    job_id = add(machine, request_)
    job = machine.wait_until(job_id, lambda job: job.checkpoint and len(job.checkpoint["checkpoints"]) > 1)
    kill_process(machine, worker, job)
    newest, before = machine.job(job_id).checkpoint["checkpoints"]
    damage(machine, newest["key"])
    assert machine.job(job_id).attempt == 1
    job = machine.wait_for_end(job_id, LIMIT_S)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2), job.error
    lines = "\n".join(machine.lines(job_id))
    assert f"the checkpoint of epoch {newest['epoch']} cannot be used" in lines
    assert f"going on after epoch {before['epoch']}" in lines
    assert weights(machine, job_id) == whole


def damage(machine, key):
    path = machine.folder / "home" / "artifacts" / key
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@only_long
def test_a_training_whose_worker_is_told_to_end_goes_on_elsewhere_where_it_was(machine, worker, request_, whole):
    job_id = add(machine, request_)
    machine.wait_until(job_id, lambda job: job.progress and job.progress["epoch"] >= 5)
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    while worker.is_running:
        assert time.monotonic() - began < EXIT_LIMIT_S
        time.sleep(0.02)
    left: Job = machine.job(job_id)
    assert (left.state, left.attempt, left.n_crashes, left.lost_count) == (JobState.QUEUED, 1, 0, 0)
    done = epochs(machine, job_id, attempt=1)
    assert left.checkpoint["checkpoints"][0]["epoch"] == done[-1]
    bring_up(worker)
    job = machine.wait_for_end(job_id, LIMIT_S)
    assert (job.state, job.attempt, job.n_crashes) == (JobState.SUCCEEDED, 2, 0), job.error
    assert f"note: going on after epoch {done[-1]}" in machine.lines(job_id)
    assert done + epochs(machine, job_id, attempt=2) == list(range(1, N_EPOCHS + 1))
    assert weights(machine, job_id) == whole


def epochs(machine, job_id, attempt):
    told = (event for event in machine.events(job_id, EventKind.PROGRESS) if event.attempt == attempt)
    return list(dict.fromkeys(event.data["epoch"] for event in told))
