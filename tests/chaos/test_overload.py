"""O1, O2: recognition under four times the load that it can carry, and beside jobs that want both cores.

The figures are printed with `-s`, and held against loose bounds by `make chaos` alone: what a shared machine does
meanwhile is not the gateway's. That refusals come, come with Retry-After, and spare the others, is checked always.
"""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from platforms import OneMachine
from storm import IS_LONG, only_long

from asl.cli.load import Connection, Target, drive, percentile
from asl.client import Client
from asl.contracts import FeaturesRef, JobState, TrainingOptions, TrainingRequest
from asl.infra.settings import Settings

SECONDS = 20.0 if IS_LONG else 3.0
OVERLOAD = 4
N_CALLERS = 64
N_THREADS = 2


@pytest.fixture(scope="module")
def machine(tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    folder = tmp_path_factory.mktemp("machine")
    niceness = str(Settings.model_fields["job_niceness"].default)
    with OneMachine(folder, ASL_RECOGNITION_THREADS=str(N_THREADS), ASL_JOB_NICENESS=niceness) as machine:
        yield machine.start(n_workers=N_THREADS)  # each takes one training at a time


@pytest.fixture(scope="module")
def target(machine):
    return Target.of(machine.url)


@pytest.fixture(scope="module")
def requests(target, hand_jpeg):
    requests = [target.raw(hand_jpeg(letter, seed=seed)) for seed, letter in enumerate("ABCDEFGHIKLMNOPQ")]
    drive(target, requests, n_clients=N_THREADS, n_calls=2 * len(requests))
    return requests


def test_beyond_capacity_most_of_it_is_still_used_and_the_rest_told_at_once(target, requests):
    peak = drive(target, requests, n_clients=4, seconds=SECONDS)
    over = drive(target, requests, n_clients=N_CALLERS, seconds=SECONDS, per_second=OVERLOAD * peak.per_second)
    n_sent = len(over.seconds) + len(over.refused_s)
    told(
        "O1",
        peak_per_s=peak.per_second,
        offered_per_s=n_sent / over.wall_s,
        goodput=over.per_second / peak.per_second,
        answered_p99_ms=percentile(over.seconds, 0.99) * 1000,
        refused_p50_ms=percentile(over.refused_s, 0.5) * 1000,
        refused_p99_ms=percentile(over.refused_s, 0.99) * 1000,
    )
    assert not over.failed
    assert over.refused_s
    if IS_LONG:  # beside other tests, how fast anything is tells nothing of the gateway
        assert not peak.refused_s
        assert over.share_refused > 0.5
        assert over.per_second > peak.per_second / 2
        assert statistics.median(over.refused_s) < statistics.median(over.seconds)


def test_a_refusal_says_when_to_come_again(target, requests):
    over = drive(target, requests, n_clients=40, n_calls=80, per_second=10_000)
    assert over.refused_s
    with ThreadPoolExecutor(40) as threads:  # more at once than there are places
        answers = list(threads.map(lambda number: call(target, requests[number % len(requests)]), range(80)))
    refused = [answer for answer in answers if answer.status == 503]
    assert all(answer.retry_after_s >= 1 for answer in refused)
    assert {json.loads(answer.body)["code"] for answer in refused} == {"busy"}
    assert call(target, requests[0]).status == 200


@only_long
def test_recognition_goes_before_jobs_that_want_all_cores(machine, target, requests, hand_jpeg):
    idle = drive(target, requests, seconds=SECONDS)
    ids = start_trainings(machine, hand_jpeg)
    busy = drive(target, requests, seconds=SECONDS)
    with Client(machine.url) as client:
        states = [client.jobs.get(job_id).state for job_id in ids]
        for job_id in ids:
            client.jobs.cancel(job_id)
    told(
        "O2",
        idle_p50_ms=percentile(idle.seconds, 0.5) * 1000,
        busy_p50_ms=percentile(busy.seconds, 0.5) * 1000,
        idle_p99_ms=percentile(idle.seconds, 0.99) * 1000,
        busy_p99_ms=percentile(busy.seconds, 0.99) * 1000,
        ratio_p99=percentile(busy.seconds, 0.99) / percentile(idle.seconds, 0.99),
    )
    assert states == [JobState.RUNNING] * N_THREADS
    assert not busy.failed
    assert not busy.refused_s


def call(target, request):
    connection = Connection(target)
    try:
        return connection.call(request)
    finally:
        connection.close()


def start_trainings(machine, hand_jpeg):
    """Start as many trainings as there are cores, and wait until all are at work."""
    with Client(machine.url) as client:
        client.datasets.create("hands")
        for number, letter in enumerate("ABCL" * 8):
            client.datasets.add_image(
                "hands", hand_jpeg(letter, seed=number), letter, f"s{number % 4}", f"{number}.jpg"
            )
        ids = [client.jobs.submit(training(seed)).id for seed in range(N_THREADS)]
        deadline = time.monotonic() + 120
        while any(client.jobs.get(job_id).progress.done == 0 for job_id in ids):
            assert time.monotonic() < deadline, machine.logs()
            time.sleep(0.1)
    return ids


def training(seed):
    options = TrainingOptions(epochs=10_000, patience=0, seed=seed)
    return TrainingRequest(data=(FeaturesRef(dataset="hands"),), options=options)


def told(name, **figures):
    print(name, *(f"{key} {value:.2f}" for key, value in figures.items()))  # noqa: T201 - see above
