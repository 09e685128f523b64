"""A call with an Idempotency-Key makes one thing, however often and however close together it comes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from databases import KINDS, fresh
from sqlalchemy import func, select, update

from asl.errors import IdempotencyKeyReused
from asl.infra import idempotency
from asl.infra.database import now
from asl.infra.idempotency import fingerprint, once
from asl.infra.tables import Dataset, IdempotentCall, new_id

N_THREADS = 50


@pytest.fixture(params=KINDS)
def database(request, tmp_path):
    with fresh(request.param, request, tmp_path) as opened:
        yield opened


def _make(session):
    row = Dataset(tenant="a", name=new_id())
    session.add(row)
    session.flush()
    return {"id": row.id}


def _n_made(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Dataset))


def test_calls_at_the_same_time_make_one_thing(database):
    together = threading.Barrier(N_THREADS)

    def call(_):
        together.wait()
        return once(database, "a", "key", fingerprint("/jobs", {"n": 1}), _make)

    with ThreadPoolExecutor(N_THREADS) as pool:
        answers = list(pool.map(call, range(N_THREADS)))
    assert _n_made(database) == 1
    assert len({answer["id"] for answer, _ in answers}) == 1
    assert [is_repeated for _, is_repeated in answers].count(False) == 1


def test_another_request_with_the_key_is_refused(database):
    once(database, "a", "key", fingerprint("/jobs", {"n": 1}), _make)
    for other in (fingerprint("/jobs", {"n": 2}), fingerprint("/models", {"n": 1})):
        with pytest.raises(IdempotencyKeyReused):
            once(database, "a", "key", other, _make)
    assert _n_made(database) == 1


def test_calls_at_the_same_time_with_other_requests_make_one_thing(database):
    together = threading.Barrier(10)

    def call(n):
        together.wait()
        try:
            return once(database, "a", "key", fingerprint(n), _make)
        except IdempotencyKeyReused:
            return None

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(call, range(10)))
    assert len([answer for answer in answers if answer]) == 1
    assert _n_made(database) == 1


def test_what_failed_can_be_tried_again_with_the_same_key(database):
    def fail(session):
        _make(session)
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError):
        once(database, "a", "key", fingerprint(1), fail)
    assert _n_made(database) == 0
    answer, is_repeated = once(database, "a", "key", fingerprint(2), _make)
    assert not is_repeated
    assert once(database, "a", "key", fingerprint(2), _make) == (answer, True)
    assert _n_made(database) == 1


def test_the_next_one_makes_it_when_the_first_is_rolled_back(database):
    """Those that wait for the first call's commit and see it rolled back do the work themselves, once."""
    begun, fails = threading.Event(), threading.Event()

    def fail_late(session):
        _make(session)
        begun.set()
        assert fails.wait(60)
        raise RuntimeError("no room")

    def first():
        with pytest.raises(RuntimeError):
            once(database, "a", "key", fingerprint(1), fail_late)

    with ThreadPoolExecutor(6) as pool:
        failing = pool.submit(first)
        assert begun.wait(60)
        waiting = [pool.submit(once, database, "a", "key", fingerprint(1), _make) for _ in range(5)]
        fails.set()
        failing.result(90)
        answers = [future.result(90) for future in waiting]
    assert _n_made(database) == 1
    assert [is_repeated for _, is_repeated in answers].count(False) == 1


def test_keys_are_a_tenants_own(database):
    for tenant in ("a", "b"):
        assert not once(database, tenant, "key", fingerprint(tenant), _make)[1]
    assert _n_made(database) == 2


def test_without_a_key_each_call_makes_one(database):
    for _ in range(2):
        assert not once(database, "a", None, fingerprint(1), _make)[1]
    assert _n_made(database) == 2


def test_old_answers_are_forgotten_and_young_ones_kept(database):
    for key in ("old", "young"):
        once(database, "a", key, fingerprint(1), _make)
    with database.transaction() as session:
        aged = now() - idempotency.KEPT_S - 1
        session.execute(update(IdempotentCall).where(IdempotentCall.key == "old").values(created_at=aged))
    with database.transaction() as session:
        idempotency.forget_old(session)
    assert once(database, "a", "young", fingerprint(1), _make)[1]
    assert not once(database, "a", "old", fingerprint(1), _make)[1]


def test_fingerprints_tell_the_meaning_and_not_the_order():
    assert fingerprint("/jobs", {"a": 1, "b": 2}) == fingerprint("/jobs", {"b": 2, "a": 1})
    assert fingerprint("/jobs", {"a": 1}) != fingerprint("/jobs", {"a": "1"})
    assert fingerprint("/jobs") != fingerprint("/models")
