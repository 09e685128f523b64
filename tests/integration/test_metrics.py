"""Prometheus finds at `/metrics` what happens, here and in the database, and something even while that is away."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from databases import KINDS, fresh, fresh_url
from gateways import bearer, running, settings_of
from pace import wait_until
from prometheus_client.parser import text_string_to_metric_families
from servers import PostgresServer
from sqlalchemy import null, update

from asl.contracts import JobError, JobKind, JobState, Queue
from asl.infra import components, job_metrics, jobs, schema
from asl.infra.database import Database, now
from asl.infra.job_metrics import TakeoverCount
from asl.infra.tables import Job, JobEvent, WebhookDelivery
from services.gateway.job_collector import JobCollector

RECOGNITIONS = "/api/v1/asl/recognitions"
LEAST_FROZEN_S = 25.0
"""Less than a statement may take, for which a frozen database would be waited."""


@pytest.fixture(params=KINDS)
def database(request, tmp_path):
    with fresh(request.param, request, tmp_path) as opened:
        yield opened


@pytest.fixture
def gateway(database, tmp_path):
    url = database.engine.url.render_as_string(hide_password=False)
    with running(settings_of(tmp_path, database_url=url, require_key=False)) as client:
        yield client


def _with_database(read):
    """Read figures until those of the database are among them: they may be late on a machine that stands still."""
    found = []
    wait_until(lambda: found.append(read()) or found[-1]["asl_database_up",])
    return found[-1]


def _scrape(client):
    return _with_database(lambda: _scrape_once(client))


def _scrape_once(client):
    """Return all figures: (name, values of the labels in the order of their names...) -> value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _add(database, *, kind=JobKind.PROBE, queue=Queue.CPU, webhook=None):
    with database.transaction() as session:
        job = Job(tenant="a", submitted_by="a", kind=kind, queue=queue, request={}, webhook=webhook)
        jobs.add(session, job)
        return job.id


def _claim(database, lease_s=60.0):
    with database.transaction() as session:
        return jobs.claim(session, [Queue.CPU], "worker", lease_s)


def test_requests_are_counted_by_their_route_and_never_by_their_path(gateway):
    for n in range(3):
        gateway.get(f"/no/such/path/{n}")
    gateway.get("/healthz")
    gateway.post("/healthz")
    gateway.request("PROPFIND", "/healthz")
    found = _scrape(gateway)
    assert found["asl_http_requests_total", "GET", "other", "404"] == 3
    assert found["asl_http_requests_total", "GET", "/healthz", "200"] == 1
    assert found["asl_http_requests_total", "POST", "/healthz", "405"] == 1
    assert found["asl_http_requests_total", "other", "/healthz", "405"] == 1
    assert found["asl_http_request_seconds_count", "GET", "/healthz"] == 1
    assert found["asl_http_requests_in_flight",] == 1  # the scrape
    assert not [key for key in found if "such" in str(key)]


def test_recognitions_are_counted_by_their_outcome(gateway):
    for _ in range(2):
        gateway.post(RECOGNITIONS, files={"file": b"no picture"})
    found = _scrape(gateway)
    assert found["asl_recognitions_total", "unavailable"] == 2  # no models here
    assert found["asl_recognizer_calls",] == 0


def test_applications_count_each_for_itself(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with running(settings_of(tmp_path / name)) as client:
            client.get("/healthz")
            assert _scrape(client)["asl_http_requests_total", "GET", "/healthz", "200"] == 1


def test_jobs_are_told_as_the_database_has_them(gateway, database):
    ids = [_add(database) for _ in range(3)]
    _add(database, queue=Queue.GPU, kind=JobKind.TRAINING)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == ids[1]).values(queued_at=now() - 100, priority=-1))
        jobs.cancel(session, ids[2])
    assert _claim(database).job_id == ids[0]
    found = _scrape(gateway)
    assert found["asl_database_up",] == 1
    assert found["asl_jobs", "cpu", "queued"] == 1
    assert found["asl_jobs", "cpu", "running"] == 1
    assert found["asl_jobs", "gpu", "queued"] == 1
    assert found["asl_jobs", "gpu", "running"] == 0
    assert 99 < found["asl_job_oldest_queued_seconds", "cpu"] < 130
    assert 0 <= found["asl_job_oldest_queued_seconds", "gpu"] < 30
    assert found["asl_jobs_ended_total", "probe", "cancelled"] == 1
    assert found["asl_jobs_ended_total", "probe", "failed"] == 0


def test_the_database_is_asked_once_in_a_while_however_many_scrape(database):
    collector = JobCollector(database, fresh_s=3600.0)
    assert _collect(collector)["asl_jobs", "cpu", "queued"] == 0
    _add(database)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: _collect(collector)["asl_jobs", "cpu", "queued"], range(20)))
    assert found == [0] * 20


def _collect(collector):
    return _with_database(lambda: _collect_once(collector))


def _collect_once(collector):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def test_figures_are_read_anew_after_a_while(database):
    collector = JobCollector(database, fresh_s=0.2)
    assert _collect(collector)["asl_jobs", "cpu", "queued"] == 0
    _add(database)
    time.sleep(0.25)
    assert _collect(collector)["asl_jobs", "cpu", "queued"] == 1


def test_takeovers_fenced_writes_workers_and_webhooks(gateway, database):
    _add(database, webhook="http://x/")
    held = _claim(database, lease_s=-1.0)
    with database.transaction() as session:
        assert jobs.take_back_expired(session)
        components.tell(session, "w1", "worker", {"queues": ["cpu", "gpu"], "n_fenced": 2})
        components.tell(session, "w2", "worker", {"queues": ["cpu"], "n_fenced": 3})
        assert jobs.fail(session, held, JobError(code="x", message="late"), retry=False) is None
    again = _claim(database)
    with database.transaction() as session:
        assert jobs.succeed(session, again, {})
    found = _scrape(gateway)
    assert found["asl_job_takeovers_total",] == 1
    assert found["asl_job_fenced_writes_total",] == 5
    assert (found["asl_workers", "cpu"], found["asl_workers", "gpu"]) == (2, 1)
    assert found["asl_webhooks_pending",] == 1
    assert found["asl_jobs_ended_total", "probe", "succeeded"] == 1


def test_what_a_worker_has_counted_stays_when_it_ends(database):
    collector = JobCollector(database, fresh_s=0.0)

    def n_fenced(**by_worker):
        with database.transaction() as session:
            for name in ("w1", "w2"):
                components.forget(session, name)
            for name, n in by_worker.items():
                components.tell(session, name, "worker", {"queues": [], "n_fenced": n})
        return _collect(collector)["asl_job_fenced_writes_total",]

    assert [n_fenced(w1=2), n_fenced(w1=3), n_fenced(w2=1), n_fenced()] == [2, 3, 4, 4]


def test_takeovers_are_counted_once_and_old_events_are_not_read_again(database):
    count = TakeoverCount()
    job_id = _add(database)

    def happen(n, age_s):
        data = {"state": JobState.QUEUED, "why": "its worker fell silent"}
        with database.transaction() as session:
            session.add_all(
                JobEvent(job_id=job_id, attempt=1, kind="state", data=data, at=now() - age_s) for _ in range(n)
            )

    def read():
        with database.reading() as session:
            return count.read(session)

    assert read() == 0
    happen(3, age_s=1000)
    assert [read(), read()] == [3, 3]
    happen(2, age_s=0)
    assert [read(), read()] == [5, 5]
    happen(4, age_s=1000)  # from here on the two before are old as well
    assert [read(), read()] == [9, 9]
    happen(1, age_s=0)
    assert [read(), read()] == [10, 10]


def test_figures_of_an_empty_database(database):
    with database.reading() as session:
        figures = job_metrics.read(session)
    assert (figures.n_jobs, figures.oldest_queued_s, figures.n_webhooks_pending) == ({}, {}, 0)


def test_delivered_webhooks_are_not_pending(database):
    job_id = _add(database)
    with database.transaction() as session:
        session.add(WebhookDelivery(job_id=job_id, url="http://x/", next_try_at=null()))
    with database.reading() as session:
        assert job_metrics.read(session).n_webhooks_pending == 0


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_without_the_database_the_process_tells_its_own(fault, tmp_path, postgres_server):  # noqa: ARG001 - skips
    with PostgresServer() as server:
        url = server.create_database()
        database = Database(url)
        schema.upgrade(database)
        database.close()
        with running(settings_of(tmp_path, database_url=url, require_key=False)) as client:
            wait_until(lambda: client.get("/readyz").json()["checks"]["database"]["ok"])
            getattr(server, fault)()
            client.get("/healthz")
            started = time.monotonic()
            found = _scrape_once(client)
            assert time.monotonic() - started < LEAST_FROZEN_S
            assert found["asl_database_up",] == 0
            assert found["asl_http_requests_total", "GET", "/healthz", "200"] == 1
            assert not [key for key in found if key[0] == "asl_jobs"]
        server.resume()


def test_a_database_without_its_tables_has_no_figures(tmp_path, request):
    with fresh_url("postgres", request, tmp_path) as url, running(settings_of(tmp_path, database_url=url)) as client:
        assert _scrape_once(client)["asl_database_up",] == 0


def test_no_key_is_asked_for(tmp_path):
    with running(settings_of(tmp_path, require_key=True)) as client:
        assert _scrape(client)
        assert client.get("/metrics", headers=bearer("wrong")).status_code == 200


def test_every_route_is_counted_by_its_whole_template(tmp_path):
    with running(settings_of(tmp_path, require_key=False)) as client:
        paths = {path for path, operations in client.app.openapi()["paths"].items() if "get" in operations}
        for path in paths:
            with client.stream("GET", path.replace("{", "").replace("}", "")):
                pass
        found = _scrape(client)
    assert paths <= {key[2] for key in found if key[0] == "asl_http_requests_total"}
