"""`/readyz` tells per dependency, at once, and tells what recognition needs from what only jobs need."""

import time
from dataclasses import fields

import pytest
from databases import KINDS, fresh, fresh_url
from gateways import running, settings_of
from pace import PATIENCE_S, wait_until
from servers import PostgresServer, S3Server

from asl.contracts import Queue
from asl.errors import ModelNotLoaded
from asl.infra import components
from services.gateway.dependencies import DependencyWatch
from services.gateway.startup import Gateway

SOON_S = 2.0
N_TRIES = 10
JOBS_NEED = {"database", "storage", "worker-cpu", "worker-gpu"}


@pytest.fixture(params=KINDS)
def database(request, tmp_path):
    with fresh(request.param, request, tmp_path) as opened:
        yield opened


def _settings(folder, database, **values):
    url = database.engine.url.render_as_string(hide_password=False)
    return settings_of(folder, database_url=url, require_key=False, **values)


def _recognizing(client):
    """Make the gateway one whose models are loaded, and that looks often: these tests are about the rest."""
    state, gateway = client.app.state, client.app.state.gateway
    state.gateway = _with_problems(gateway, {})
    state.watch.stop()
    state.watch = DependencyWatch(gateway.settings, gateway.database, gateway.storage, every_s=0.1, silent_s=1.0)
    state.watch.start()
    return client


def _with_problems(gateway, found):
    class Stated(Gateway):
        problems = found

    return Stated(**{field.name: getattr(gateway, field.name) for field in fields(gateway)})


def _checks(client, status=200):
    """Ask; the answer must come sooner than any dependency is waited for, at least at one of several tries."""
    for _ in range(N_TRIES):
        started = time.monotonic()
        answer = client.get("/readyz")
        if time.monotonic() - started < SOON_S:
            break
    else:
        pytest.fail(f"expected an answer within {SOON_S:g} s, found none at {N_TRIES} tries")
    assert answer.status_code == status
    return answer.json()


def _wait(client, wanted, limit_s=PATIENCE_S):
    """Wait until the dependencies that are not there are those."""
    deadline = time.monotonic() + limit_s
    while True:
        found = _checks(client)
        missing = {name for name, check in found["checks"].items() if not check["ok"]}
        if missing == wanted:
            assert found["status"] == ("degraded" if wanted else "ready")
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_all_is_ready_once_a_worker_serves_both_queues(database, tmp_path):
    with database.transaction() as session:
        components.tell(session, "w", "worker", {"queues": ["cpu"]})
    with running(_settings(tmp_path, database)) as client:
        _wait(_recognizing(client), {"worker-gpu"})
        with database.transaction() as session:
            components.tell(session, "w", "worker", {"queues": ["cpu", "gpu"]})
        found = _wait(client, set())
    assert found["checks"].keys() == {"classifier", "landmarker"} | JOBS_NEED


def test_a_queue_whose_workers_come_and_go_may_have_none(database, tmp_path):
    with database.transaction() as session:
        components.tell(session, "w", "worker", {"queues": ["cpu"]})
    settings = _settings(tmp_path, database).model_copy(update={"scaled_queues": (Queue.GPU,)})
    with running(settings) as client:
        found = _wait(_recognizing(client), set())
    assert found["checks"]["worker-gpu"] == {"ok": True, "detail": "none now, started when a job waits"}


def test_with_redis_the_dispatcher_and_the_broker_count_too(database, tmp_path):
    with database.transaction() as session:
        components.tell(session, "w", "worker", {"queues": ["cpu", "gpu"]})
    with running(_settings(tmp_path, database, redis_url="redis://127.0.0.1:1/0")) as client:
        _wait(_recognizing(client), {"dispatcher", "broker"})
        with database.transaction() as session:
            components.tell(session, "d", "dispatcher", {"broker_ok": False})
        _wait(client, {"broker"})
        with database.transaction() as session:
            components.tell(session, "d", "dispatcher", {"broker_ok": True})
        _wait(client, set())


def test_what_recognition_needs_decides_on_503(tmp_path):
    with running(settings_of(tmp_path)) as client:
        wait_until(lambda: _checks(client, status=503)["checks"]["database"]["ok"])
        found = _checks(client, status=503)
        assert found["code"] == "unavailable"
        assert found["checks"]["classifier"]["ok"] is False
        assert found["checks"]["database"]["ok"] is True
        assert "worker" not in found["detail"]
        problems = {"classifier": ModelNotLoaded("no model", hint="load")}
        client.app.state.gateway = _with_problems(client.app.state.gateway, problems)
        assert _checks(client, status=503)["detail"] == "classifier: no model"


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_database_that_goes_away_degrades_and_comes_back(fault, tmp_path, postgres_server):  # noqa: ARG001 - skips
    with PostgresServer() as server:
        settings = settings_of(tmp_path, database_url=server.create_database(), require_key=False)
        from_schema = {"database", "worker-cpu", "worker-gpu"}
        with running(settings) as client:
            found = _wait(_recognizing(client), from_schema)
            assert "asl db upgrade" in found["checks"]["database"]["detail"]
            getattr(server, fault)()
            wait_until(lambda: "asl db upgrade" not in _checks(client)["checks"]["database"]["detail"])
            assert _checks(client)["status"] == "degraded"
            wait_until(lambda: _checks(client)["checks"]["storage"]["ok"])
            server.resume() if fault == "pause" else server.start()
            wait_until(lambda: "asl db upgrade" in _checks(client)["checks"]["database"]["detail"])


def test_an_older_schema_on_postgres_is_told_and_left_alone(tmp_path, request, capsys):
    with fresh_url("postgres", request, tmp_path) as url, running(settings_of(tmp_path, database_url=url)) as client:
        wait_until(lambda: "not there" in (_checks(client, status=503)["checks"]["database"]["detail"]))
        assert "asl db upgrade" in _checks(client, status=503)["checks"]["database"]["detail"]
    assert "asl db upgrade" in capsys.readouterr().err


def test_a_gateway_starts_and_answers_with_everything_away(tmp_path):
    settings = settings_of(
        tmp_path,
        database_url="postgresql://asl@127.0.0.1:1/none",
        storage_url="s3://bucket?endpoint=http://127.0.0.1:1",
        storage_access_key="access",
        storage_secret_key="secret-of-the-store",  # noqa: S106 - of no store
        redis_url="redis://127.0.0.1:1/0",
        require_key=False,
    )
    started = time.monotonic()
    with running(settings) as client:
        assert time.monotonic() - started < PATIENCE_S
        found = _wait(_recognizing(client), JOBS_NEED | {"dispatcher", "broker"})
        assert "secret-of-the-store" not in str(found)
        assert client.get("/healthz").status_code == 200
        assert client.post("/api/v1/asl/recognitions").status_code == 503


def test_a_store_that_goes_away_degrades(tmp_path, s3_server):  # noqa: ARG001 - skips where it is missing
    with S3Server() as server:
        url = server.storage_url(server.create_bucket())
        keys = {"storage_access_key": server.access_key, "storage_secret_key": server.secret_key}
        with running(settings_of(tmp_path, storage_url=url, **keys)) as client:
            workers = {"worker-cpu", "worker-gpu"}
            _wait(_recognizing(client), workers)
            server.kill()
            _wait(client, workers | {"storage"})
