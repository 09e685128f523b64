"""Parts of the running stack killed, paused, cut off and added: nothing that was accepted is lost."""

import threading
import time

import pytest
from stack import is_whole

from asl.contracts import FeaturesRef, JobState, ProbeRequest, TrainingOptions, TrainingRequest
from asl.errors import AslError

N_EPOCHS = 4000
"""Of so few rows that a training takes long enough to be interrupted, and not much longer."""


@pytest.fixture(autouse=True)
def _whole_again(stack):
    yield
    stack.wait_until(is_whole)


class Submissions(threading.Thread):
    """Somebody who submits jobs all the time; what was accepted is noted, and how many calls were refused."""

    def __init__(self, stack):
        super().__init__()
        self._stack = stack
        self._stopping = threading.Event()
        self.accepted, self.refused = [], []

    def run(self):
        with self._stack.client(patience_s=0) as client:
            while not self._stopping.wait(0.2):
                try:
                    self.accepted.append(client.jobs.submit(ProbeRequest()).id)
                except AslError as error:
                    self.refused.append(error)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join()


def test_redis_killed(stack, client, hand_jpeg):
    before = client.jobs.submit(ProbeRequest(n_steps=5, step_s=1.0))
    stack.compose("kill", "redis")
    try:
        meanwhile = [client.jobs.submit(ProbeRequest()) for _ in range(5)]
        assert client.recognize(hand_jpeg("L")).letter == "L"
        for job in (before, *meanwhile):
            assert client.jobs.wait(job.id, timeout_s=60).state == JobState.SUCCEEDED
        found = stack.wait_until(lambda told: told["status"] == "degraded")
        assert not found["checks"]["broker"]["ok"]
    finally:
        stack.compose("start", "redis")


def test_postgres_restarted_under_load(stack, client):
    with Submissions(stack) as submissions:
        time.sleep(2)
        for _ in range(2):
            stack.compose("restart", "--timeout", "10", "postgres")
            time.sleep(3)
    assert len(submissions.accepted) > 5
    assert {error.code for error in submissions.refused} <= {"unavailable"}
    for job_id in submissions.accepted:
        assert client.jobs.wait(job_id, timeout_s=90).state == JobState.SUCCEEDED


@pytest.fixture(scope="module")
def dataset(stack, rendered_folders):
    with stack.client() as client:
        client.datasets.create("faults")
        client.datasets.upload_folder("faults", rendered_folders / "train")
    return "faults"


def start_training(client, dataset):
    """Submit a training, and wait until it has been at work for a while."""
    options = TrainingOptions(epochs=N_EPOCHS, patience=0, hidden_sizes=(64, 32))
    job = client.jobs.submit(TrainingRequest(data=(FeaturesRef(dataset=dataset),), options=options))
    deadline = time.monotonic() + 120
    while (found := client.jobs.get(job.id)).progress.done < N_EPOCHS // 20:
        assert time.monotonic() < deadline, found
        assert found.state not in (JobState.FAILED, JobState.SUCCEEDED), found
        time.sleep(0.2)
    return job


def assert_goes_on_elsewhere(client, job):
    ended = client.jobs.wait(job.id, timeout_s=240)
    assert ended.state == JobState.SUCCEEDED, ended.error
    assert ended.attempt == 2
    assert "going on after epoch" in client.jobs.log(job.id)


@pytest.fixture
def _two_trainers(stack):
    stack.up("--no-recreate", "--scale", "worker-gpu=2")


@pytest.mark.usefixtures("_two_trainers")
def test_a_worker_killed_in_training_is_relieved(stack, client, dataset):
    job = start_training(client, dataset)
    holder = stack.holder(job.id, "worker-gpu")

    stack.docker("kill", holder)

    assert_goes_on_elsewhere(client, job)
    assert stack.holder(job.id, "worker-gpu") != holder
    stack.docker("start", holder)


@pytest.mark.usefixtures("_two_trainers")
def test_a_worker_told_to_stop_in_training_saves_and_leaves(stack, client, dataset):
    job = start_training(client, dataset)
    holder = stack.holder(job.id, "worker-gpu")

    stopped_at = time.monotonic()
    stack.docker("stop", "--time", "60", holder)

    assert time.monotonic() - stopped_at < 50, "it was killed at the end of its grace"
    assert_goes_on_elsewhere(client, job)
    stack.docker("start", holder)


@pytest.mark.usefixtures("_two_trainers")
def test_a_worker_cut_off_from_the_network_loses_its_job_to_another(stack, client, dataset):
    job = start_training(client, dataset)
    holder = stack.holder(job.id, "worker-gpu")

    stack.docker("network", "disconnect", "--force", f"{stack.name}_data", holder)
    try:
        assert_goes_on_elsewhere(client, job)
    finally:
        stack.docker("network", "connect", f"{stack.name}_data", holder)
    stack.wait_until(lambda told: told["checks"]["worker-gpu"]["detail"] == "2 at work")


def test_minio_paused(stack, client, dataset, hand_jpeg):
    stack.compose("pause", "minio")
    try:
        job = client.jobs.submit(
            TrainingRequest(data=(FeaturesRef(dataset=dataset),), options=TrainingOptions(epochs=3))
        )
        assert client.recognize(hand_jpeg("L")).letter == "L"
        stack.wait_until(lambda told: told["status"] == "degraded" and not told["checks"]["storage"]["ok"])
    finally:
        stack.compose("unpause", "minio")
    assert client.jobs.wait(job.id, timeout_s=180).state == JobState.SUCCEEDED


def test_more_workers_are_one_word(stack, client):
    stack.up("--no-recreate", "--scale", "worker-cpu=3", "--scale", "worker-gpu=2")
    stack.wait_until(lambda told: told["checks"]["worker-cpu"]["detail"] == "3 at work")

    jobs = [client.jobs.submit(ProbeRequest(n_steps=4, step_s=1.0)) for _ in range(3)]

    assert len({stack.holder(job.id, "worker-cpu") for job in jobs}) == 3
    for job in jobs:
        assert client.jobs.wait(job.id, timeout_s=60).state == JobState.SUCCEEDED
