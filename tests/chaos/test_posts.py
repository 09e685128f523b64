"""R8: a POST with an Idempotency-Key makes one job, however often it is sent and whenever the gateway is killed."""

import itertools
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from at_work import TENANT, Machine, bring_up, probe
from databases import KINDS, fresh_url
from pace import wait_until
from sqlalchemy import select
from storm import IS_LONG

from asl.infra.tables import IdempotentCall, Job, JobEvent

N_KILLS = 60 if IS_LONG else 4
ALIVE_S = (0.0, 0.6)
"""How long a gateway that answers has before it is killed."""
N_CALLERS = 4
N_AT_ONCE = 50
PATH = "/api/v1/jobs"


@pytest.fixture(scope="module", params=KINDS if IS_LONG else KINDS[1:])
def machine(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    # The gateway is to start in no time: it has no model, and so reads no hands.
    settings = {name: str(folder / "none") for name in ("ASL_CLASSIFIER_PATH", "ASL_HAND_LANDMARKER_PATH")}
    settings["ASL_MAX_UNFINISHED_JOBS"] = "1000000"
    with fresh_url(request.param, request, folder) as url, Machine(folder, url, **settings) as machine:
        bring_up(machine.add_gateway())
        yield machine


def test_a_killed_gateway_makes_one_job_for_each_key(machine):
    killed, numbers, answers = threading.Event(), itertools.count(), Counter()
    with ThreadPoolExecutor(N_CALLERS) as threads:
        calling = [threads.submit(post_until, killed, machine, numbers, answers) for _ in range(N_CALLERS)]
        try:
            kill_over_and_over(machine, answers)
        finally:
            killed.set()
        accepted = {name: job_id for call in calling for name, job_id in call.result().items()}
    with machine.database.reading() as session:
        rows = list(session.execute(select(Job.name, Job.id).where(Job.name.startswith("kill-"))))
        told = session.scalars(select(JobEvent.job_id).where(JobEvent.job_id.in_(list(accepted.values())))).all()
        keys = session.scalars(select(IdempotentCall.key).where(IdempotentCall.key.startswith("kill-"))).all()
    assert len(rows) == len(accepted)
    assert {name: job_id for name, job_id in rows} == accepted  # noqa: C416 - rows are no pairs for dict()
    assert sorted(told) == sorted(accepted.values())
    assert sorted(keys) == sorted(accepted)
    assert set(answers) <= {202, "again", "none"}, answers
    assert answers["none"] >= N_KILLS, answers


def kill_over_and_over(machine, answers):
    """Kill the gateway while it answers, and start it again once a call was broken off or refused by that."""
    generator = random.Random(8)  # noqa: S311 - what happens is to be the same in each run
    for _ in range(N_KILLS):
        n_answered = answers[202]
        wait_until(lambda n=n_answered: answers[202] > n, every_s=0.001)
        time.sleep(generator.uniform(*ALIVE_S))
        n_before = answers["none"]
        machine.gateway.kill()
        wait_until(lambda n=n_before: answers["none"] > n, every_s=0.001)
        bring_up(machine.gateway)


def post_until(killed, machine, numbers, answers):
    """Submit jobs, each with a key of its own, until the kills are over; returns their ids by key."""
    accepted = {}
    with machine.client() as client:
        while not killed.is_set():
            name = f"kill-{next(numbers)}"
            accepted[name] = post_until_accepted(client, name, answers)
            answers[202] += 1
            if int(name[5:]) % 5 == 0:  # as a client does whose answer was lost
                assert post_until_accepted(client, name, answers) == accepted[name]
    return accepted


def post_until_accepted(client, name, answers):
    while True:
        try:
            answer = client.post(PATH, json={**probe(), "name": name}, headers={"Idempotency-Key": name})
        except httpx.TransportError:
            answers["none"] += 1
            time.sleep(0.02)
            continue
        assert answer.status_code == 202, answer.text
        answers["again"] += answer.headers.get("Idempotency-Replayed") == "true"
        return answer.json()["id"]


def test_calls_with_one_key_at_once_make_one_job(machine):
    ready = threading.Barrier(N_AT_ONCE)

    def post(_):
        with machine.client() as client:
            ready.wait()
            return client.post(PATH, json={**probe(), "name": "at-once"}, headers={"Idempotency-Key": "at-once"})

    for key_number in range(5 if IS_LONG else 1):
        with ThreadPoolExecutor(N_AT_ONCE) as threads:
            answers = list(threads.map(post, range(N_AT_ONCE)))
        assert {answer.status_code for answer in answers} == {202}, key_number
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert n_jobs(machine, "at-once") == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert replayed.count(None) == (0 if IS_LONG else 1)


def test_a_key_with_another_body_is_refused(machine):
    with machine.client() as client:
        first = client.post(PATH, json={**probe(), "name": "first"}, headers={"Idempotency-Key": "one"})
        other = client.post(PATH, json={**probe(), "name": "other"}, headers={"Idempotency-Key": "one"})
        again = client.post(PATH, json={**probe(), "name": "first"}, headers={"Idempotency-Key": "one"})
    assert (first.status_code, other.status_code, again.status_code) == (202, 422, 202)
    assert other.json()["code"] == "idempotency_key_reused"
    assert again.json()["id"] == first.json()["id"]
    assert (n_jobs(machine, "first"), n_jobs(machine, "other")) == (1, 0)


def n_jobs(machine, name):
    with machine.database.reading() as session:
        return len(session.scalars(select(Job.id).where(Job.name == name, Job.tenant == TENANT)).all())
