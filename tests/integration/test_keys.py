"""API keys: made and revoked by the operator, looked up cheaply, refused soon after, counted by the minute."""

import asyncio
import contextlib
import hashlib
import json
import time

import pytest
from databases import KINDS, fresh
from gateways import bearer, running, settings_of
from servers import PostgresServer
from sqlalchemy import event

from asl.contracts import Scope
from asl.errors import Conflict, NotFound, Unavailable
from asl.infra import keys, schema, tables
from asl.infra.database import Database
from services.gateway.key_ring import FRESH_S, KeyRing

RECOGNITIONS = "/api/v1/asl/recognitions"


@pytest.fixture(params=KINDS)
def database(request, tmp_path):
    with fresh(request.param, request, tmp_path) as opened:
        yield opened


@contextlib.contextmanager
def _queries(database):
    """Collect the statements that a database is given."""
    said = []

    def note(_connection, _cursor, statement, *_):
        said.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextlib.contextmanager
def _connecting(database):
    """Collect the connections that a database is asked for."""
    tried = []

    def note(*_):
        tried.append(time.monotonic())

    event.listen(database.engine, "do_connect", note)
    try:
        yield tried
    finally:
        event.remove(database.engine, "do_connect", note)


def _find(database, secret):
    with database.reading() as session:
        return keys.find(session, secret)


def test_a_key_is_found_by_its_secret_until_it_is_revoked(database):
    secret, key = keys.create(database, name="camera", tenant="deaf club", scopes=[Scope.RECOGNIZE])
    assert _find(database, secret) == key
    assert (key.tenant, key.scopes) == ("deaf club", (Scope.RECOGNIZE,))
    assert _find(database, secret[:-1]) is None
    with database.transaction() as session:
        keys.revoke(session, "camera")
    assert _find(database, secret) is None
    with database.reading() as session:
        assert keys.list_all(session)[0].revoked_at


def test_a_name_is_given_once(database):
    keys.create(database, name="camera")
    with pytest.raises(Conflict):
        keys.create(database, name="camera")
    with pytest.raises(NotFound), database.transaction() as session:
        keys.revoke(session, "another")


def test_the_database_never_holds_a_secret(database):
    secret, _ = keys.create(database, name="camera")
    with database.reading() as session:
        row = session.query(tables.ApiKey).one()
        held = " ".join(str(value) for value in vars(row).values())
    assert hashlib.sha256(secret.encode()).hexdigest() in held
    assert secret not in held
    assert secret.removeprefix("asl_") not in held


def test_a_key_in_use_costs_one_query_and_its_use_is_noted(database):
    secret, _ = keys.create(database, name="camera")

    async def find_often():
        ring = KeyRing(database)
        found = await asyncio.gather(*(ring.find(secret) for _ in range(20)))
        found += [await ring.find(secret) for _ in range(100)]
        await _until(lambda: _last_used(database))
        return found

    with _queries(database) as said:
        found = asyncio.run(find_often())
    assert len(found) == 120
    assert all(key.name == "camera" for key in found)
    assert len([one for one in said if "key_sha256 =" in one]) == 1
    assert len([one for one in said if one.startswith("UPDATE")]) == 1


def test_unknown_keys_are_looked_up_each_time_and_never_kept(database):
    async def find_unknown():
        ring = KeyRing(database)
        return [await ring.find(f"asl_{n % 5}") for n in range(50)]

    with _queries(database) as said:
        assert asyncio.run(find_unknown()) == [None] * 50
    assert len([one for one in said if "key_sha256 =" in one]) == 50


def test_a_revoked_key_stops_within_its_freshness(database):
    assert FRESH_S <= 30
    secret, _ = keys.create(database, name="camera")

    async def revoke_while_in_use():
        ring = KeyRing(database, fresh_s=0.3)
        assert await ring.find(secret)
        with database.transaction() as session:
            keys.revoke(session, "camera")
        await _until(lambda: ring.find(secret), is_none=True, limit_s=FRESH_S / 2)

    asyncio.run(revoke_while_in_use())


def test_keys_in_use_outlive_the_database(postgres_server):  # noqa: ARG001 - skips where it is missing
    with PostgresServer() as server:
        database = Database(server.create_database())
        schema.upgrade(database)
        secret, _ = keys.create(database, name="camera")
        other, _ = keys.create(database, name="never in use")

        async def use():
            ring = KeyRing(database, fresh_s=0.0, next_try_s=0.2)
            assert await ring.find(secret)
            server.kill()
            await ring.find(secret)  # finds out that the database is away
            n_tried, began = 0, time.monotonic()
            with _connecting(database) as tried:
                for _ in range(200):
                    assert (await ring.find(secret)).name == "camera"
                    await asyncio.sleep(0.002)
                n_tried, took_s = len(tried), time.monotonic() - began
            with pytest.raises(Unavailable):
                await ring.find(other)
            server.start()
            with database.transaction() as session:
                keys.revoke(session, "camera")
            await _until(lambda: ring.find(secret), is_none=True)
            return n_tried, took_s

        n_tried, took_s = asyncio.run(use())
        database.close()
    assert n_tried <= 2 + took_s / 0.2, "a database that is away is left alone for a while"


async def _until(ask, *, is_none=False, limit_s=60.0):
    deadline = time.monotonic() + limit_s
    while True:
        answer = ask()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if (answer is None) == is_none:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def _last_used(database):
    with database.reading() as session:
        return keys.list_all(session)[0].last_used_at


@pytest.fixture
def gateway(database, tmp_path):
    settings = settings_of(
        tmp_path, database_url=database.engine.url.render_as_string(hide_password=False), require_key=True
    )
    with running(settings) as client:
        yield client


def test_recognition_needs_a_key_with_its_scope(gateway, database):
    allowed, _ = keys.create(database, name="camera", scopes=[Scope.RECOGNIZE])
    other, _ = keys.create(database, name="clerk", scopes=[Scope.READ, Scope.WRITE, Scope.PROMOTE])
    answers = [gateway.post(RECOGNITIONS, headers=headers) for headers in ({}, bearer("asl_x"), bearer(other))]
    assert [answer.status_code for answer in answers] == [401, 401, 403]
    assert [answer.headers.get("www-authenticate") for answer in answers] == ["Bearer", "Bearer", None]
    assert "asl_x" not in answers[1].text
    passed = gateway.post(RECOGNITIONS, headers=bearer(allowed))
    assert passed.json()["code"] == "model_not_loaded"  # as far as a gateway without models gets


def test_calls_beyond_the_quota_are_told_when_to_come_again(gateway, database):
    secret, _ = keys.create(database, name="camera", calls_per_minute=5)
    free, _ = keys.create(database, name="other")
    statuses = [gateway.post(RECOGNITIONS, headers=bearer(secret)).status_code for _ in range(8)]
    assert statuses == [503] * 5 + [429] * 3
    refused = gateway.post(RECOGNITIONS, headers=bearer(secret))
    assert refused.json()["code"] == "too_many_requests"
    wait_s = int(refused.headers["retry-after"])
    assert 1 <= wait_s <= 60
    assert refused.headers["ratelimit"] == f'"calls";r=0;t={wait_s}'
    assert refused.headers["ratelimit-policy"] == '"calls";q=5;w=60'
    assert gateway.post(RECOGNITIONS, headers=bearer(free)).status_code == 503


def test_without_keys_recognition_does_not_touch_the_database(tmp_path):
    settings = settings_of(tmp_path, require_key=False)
    with running(settings) as client:
        database = client.app.state.gateway.database
        client.app.state.watch.stop()
        time.sleep(0.2)
        with _queries(database) as said:
            assert client.post(RECOGNITIONS).json()["code"] == "model_not_loaded"
            assert client.post(RECOGNITIONS, headers=bearer("whatever")).json()["code"] == "model_not_loaded"
    assert said == []


@pytest.fixture
def asl_key(asl_main, tmp_path, monkeypatch):
    monkeypatch.setenv("ASL_HOME", str(tmp_path / "home"))
    return lambda *arguments: asl_main(tmp_path, "key", *arguments)


def test_the_command_makes_lists_and_revokes(asl_key, tmp_path):
    made = asl_key("create", "camera", "--scopes", "recognize", "read", "--calls-per-minute", "60")
    assert made.status in (0, None)
    secret = made.out.strip()
    assert secret.startswith("asl_")
    assert len(secret) > 40
    assert secret not in made.err
    as_json = json.loads(asl_key("create", "clerk", "--tenant", "club", "--json").out)
    assert (as_json["name"], as_json["tenant"], as_json["secret"][:4]) == ("clerk", "club", "asl_")

    database = Database(f"sqlite:///{tmp_path}/home/asl.db")
    assert _find(database, secret).scopes == (Scope.RECOGNIZE, Scope.READ)
    assert _find(database, as_json["secret"]).tenant == "club"

    listed = asl_key("list").out.splitlines()
    assert listed[0].split()[:3] == ["name", "tenant", "scopes"]
    assert [line.split()[0] for line in listed[1:]] == ["camera", "clerk"]
    asl_key("revoke", "camera")
    assert _find(database, secret) is None
    rows = json.loads(asl_key("list", "--json").out)
    assert [bool(row["revoked_at"]) for row in rows] == [True, False]
    assert all("secret" not in row and "key_sha256" not in row for row in rows)
    database.close()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["create", "twice"], 5),
        (["revoke", "nobody"], 3),
        (["create", "a/b"], 2),
        (["create", "x\x1b[31m"], 2),
        (["create", "x", "--tenant", ""], 2),
        (["create", "x", "--scopes", "everything"], 2),
        (["create", "x", "--calls-per-minute", "0"], 2),
    ],
)
def test_what_the_command_refuses(asl_key, arguments, status):
    asl_key("create", "twice")
    refused = asl_key(*arguments)
    assert refused.status == status
    assert refused.out == ""
    assert refused.err


def test_commands_tell_of_a_schema_that_is_not_there(asl_main, tmp_path, request, monkeypatch):
    server = request.getfixturevalue("postgres_server")
    url = server.create_database()
    monkeypatch.setenv("ASL_DATABASE_URL", url)
    refused = asl_main(tmp_path, "key", "list")
    assert refused.status == 1
    assert "asl db upgrade" in refused.err
    assert "brought the schema from nothing to" in asl_main(tmp_path, "db", "upgrade").err
    assert "already" in asl_main(tmp_path, "db", "upgrade").err
    assert asl_main(tmp_path, "key", "list").err == ""
    server.drop(url)
