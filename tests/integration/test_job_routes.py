"""Jobs over HTTP: accepted once, listed, watched, cancelled, tried again; on SQLite and on Postgres."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise

import httpx
import pytest
from databases import KINDS
from job_service import served
from pace import PATIENCE_S, wait_until

from asl.client import event_stream
from asl.contracts import SHARD_SIZE, EventKind, ExtractionRequest, Job, JobEvent, Page, ProbeRequest, Scope
from asl.infra import jobs, tables
from asl.infra.jobs import Event

PROBE = {"kind": "probe"}


@pytest.fixture(scope="module", params=KINDS)
def service(request, tmp_path_factory):
    with served(request.param, request, tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


def _key(text):
    return {"Idempotency-Key": text}


def _events(response):
    return [JobEvent.model_validate_json(event.data) for event in event_stream.parse(response.iter_bytes())]


def _watch(client, job_id, **options):
    with client.stream("GET", f"/jobs/{job_id}/events", **options) as response:
        assert response.status_code == 200, response.read()
        return _events(response)


def test_a_job_is_accepted_and_shown(client, service):
    answer = client.post("/jobs", json=PROBE | {"name": "first", "priority": 2})
    assert answer.status_code == 202
    job = Job.model_validate(answer.json())
    assert answer.headers["location"] == f"/api/v1/jobs/{job.id}"
    assert answer.headers["retry-after"] == "1"
    assert "idempotency-replayed" not in answer.headers
    assert (job.kind, job.name, job.state, job.priority, job.position is not None) == (
        "probe",
        "first",
        "queued",
        2,
        True,
    )
    shown = client.get(f"/jobs/{job.id}")
    assert (shown.status_code, shown.headers["retry-after"]) == (200, "1")
    assert Job.model_validate(shown.json()).id == job.id
    service.succeed(job.id)
    shown = client.get(f"/jobs/{job.id}")
    assert "retry-after" not in shown.headers
    assert (shown.json()["state"], shown.json()["result"], shown.json()["position"]) == (
        "succeeded",
        {"done": True},
        None,
    )


def test_the_place_in_the_queue_counts_those_that_start_before(client):
    first, second, third = [client.post("/jobs", json=PROBE | {"priority": 10}).json() for _ in range(3)]
    positions = [client.get(f"/jobs/{job['id']}").json()["position"] for job in (first, second, third)]
    assert positions[2] - positions[1] == positions[1] - positions[0] == 1
    urgent = client.post("/jobs", json=PROBE | {"queue": "gpu"}).json()
    assert urgent["position"] == 0
    for job in (first, second, third, urgent):
        client.post(f"/jobs/{job['id']}/cancel")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "nothing"},
        {"kind": "extraction_shard"},
        {"kind": "model_import", "key": "jobs/x"},
        PROBE | {"n_steps": -1},
        PROBE | {"surprise": 1},
        PROBE | {"priority": 11},
        PROBE | {"name": "a\u0000b"},
        PROBE | {"depends_on": ["../x"]},
        PROBE | {"webhook": "file:///etc/passwd"},
        PROBE | {"webhook": "https://example.org"},
        {"kind": "training", "data": [{}]},
        {"kind": "training", "data": []},
    ],
)
def test_a_request_that_does_not_fit_is_a_problem(client, body):
    answer = client.post("/jobs", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert client.get("/jobs").json()["items"] == []


def test_one_key_makes_one_job_however_often_it_is_sent_at_once(client, service):
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: client.post("/jobs", json=PROBE, headers=_key("k 1")), range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count(None) == 1
    assert len(service.rows(client.tenant)) == 1
    other = client.post("/jobs", json=PROBE | {"n_steps": 2}, headers=_key("k 1"))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    chain = client.post("/jobs/chain", json={"jobs": [PROBE]}, headers=_key("k 1"))
    assert chain.json()["code"] == "idempotency_key_reused"
    assert len(service.rows(client.tenant)) == 1


def test_another_tenants_key_is_another_key(client, service):
    with service.client() as other:
        ids = {one.post("/jobs", json=PROBE, headers=_key("shared")).json()["id"] for one in (client, other)}
    assert len(ids) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "ä".encode("latin-1"), b"a\tb"])
def test_a_key_that_is_none_is_refused(client, key):
    answer = client.post("/jobs", json=PROBE, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert client.get("/jobs").json()["items"] == []


def test_a_chain_is_accepted_whole_or_not_at_all(client, service):
    chain = {"jobs": [PROBE | {"ref": "b", "depends_on": ["a"]}, PROBE | {"ref": "a"}]}
    answer = client.post("/jobs/chain", json=chain, headers=_key("chain"))
    assert answer.status_code == 202
    second, first = answer.json()["jobs"]
    assert (second["state"], second["depends_on"], first["state"]) == ("waiting", [first["id"]], "queued")
    assert answer.headers["location"].endswith(first["id"])
    again = client.post("/jobs/chain", json=chain, headers=_key("chain"))
    assert again.json() == answer.json()
    assert again.headers["idempotency-replayed"] == "true"
    bad = client.post("/jobs/chain", json={"jobs": [PROBE, PROBE | {"depends_on": ["zzz"]}]})
    assert (bad.status_code, "jobs.1.depends_on.0" in bad.json()["detail"]) == (422, True)
    assert len(service.rows(client.tenant)) == 2


def test_a_quota_answers_429(service):
    with service.client(max_unfinished_jobs=2) as client:
        assert [client.post("/jobs", json=PROBE).status_code for _ in range(3)] == [202, 202, 429]
        assert client.post("/jobs", json=PROBE).json()["code"] == "quota_exceeded"
        assert len(service.rows(client.tenant)) == 2


def test_scopes_and_tenants_are_kept_apart(service):
    with (
        service.client() as owner,
        service.client() as other,
        service.client(owner.tenant, scopes=[Scope.READ]) as reader,
    ):
        job_id = owner.post("/jobs", json=PROBE).json()["id"]
        assert reader.get(f"/jobs/{job_id}").status_code == 200
        for path in ("/jobs", "/jobs/chain", f"/jobs/{job_id}/cancel", f"/jobs/{job_id}/retry"):
            body = {"jobs": [PROBE]} if path == "/jobs/chain" else PROBE
            assert reader.post(path, json=body).status_code == 403
        for path in (
            f"/jobs/{job_id}",
            f"/jobs/{job_id}/log",
            f"/jobs/{job_id}/events",
            f"/jobs/{job_id}/artifacts",
            f"/jobs/{job_id}/artifacts/a",
        ):
            assert other.get(path).status_code == 404, path
            assert httpx.get(f"{service.url}/api/v1{path}", trust_env=False, timeout=60).status_code == 401, path
        for path in (f"/jobs/{job_id}/cancel", f"/jobs/{job_id}/retry"):
            assert other.post(path).status_code == 404
        assert other.get("/jobs").json() == {"items": [], "next_cursor": None}
        assert service.row(job_id).state == "queued"


@pytest.mark.parametrize("path", ["/nothing", "/%2e%2e", f"/{'0' * 31}G", "/%00/log", "/x/events", "/x/artifacts"])
def test_what_is_no_id_is_a_problem(client, path):
    answer = client.get(f"/jobs{path}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_pages_show_each_job_once_while_others_are_added(client):
    ids = [client.post("/jobs", json=PROBE).json()["id"] for _ in range(11)]
    found, cursor = [], None
    while cursor is not None or not found:
        page = Page[Job].model_validate(
            client.get("/jobs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        )
        found += [job.id for job in page.items]
        cursor = page.next_cursor
        client.post("/jobs", json=PROBE)
    assert found == ids[::-1]


@pytest.mark.parametrize(
    "params", [{"cursor": "x"}, {"cursor": "\0" * 32}, {"limit": 0}, {"limit": 501}, {"state": "gone"}]
)
def test_a_list_refuses_what_it_does_not_know(client, params):
    assert client.get("/jobs", params=params).status_code == 422


def test_a_list_is_filtered(client, service):
    dataset = service.add_dataset(client.tenant, n_samples=2 * SHARD_SIZE + 1)
    running, gpu, named = service.submit(
        client.tenant, ProbeRequest(), ProbeRequest(queue="gpu"), ProbeRequest(name="n")
    )
    [divided] = service.submit(client.tenant, ExtractionRequest(dataset=dataset, version=1))
    service.claim(running)
    service.fail(gpu)

    def ids(**params):
        return {job["id"] for job in client.get("/jobs", params=params).json()["items"]}

    assert ids() == {running, gpu, named, divided}
    assert ids(kind="extraction") == ids(state="waiting") == {divided}
    assert ids(kind="extraction_shard") == set()
    assert ids(queue="gpu") == ids(state="failed") == {gpu}
    assert ids(name="n") == {named}
    assert ids(state=["running", "queued"]) == {running, named}
    part = service.rows(client.tenant, tables.Job.shard == 0)[0]
    service.claim(part.id)
    assert ids(state="waiting") == set()
    assert ids(state="running") == {running, divided}
    [shown] = client.get("/jobs", params={"kind": "extraction"}).json()["items"]
    assert (shown["state"], shown["shards"]["running"]) == ("running", 1)


def test_cancelling_is_done_at_once_or_told(client, service):
    queued, running, ended = [client.post("/jobs", json=PROBE).json()["id"] for _ in range(3)]
    claim = service.claim(running)
    service.succeed(ended)
    assert [
        (a.status_code, a.json()["state"])
        for a in (client.post(f"/jobs/{job_id}/cancel") for job_id in (queued, running, ended))
    ] == [
        (200, "cancelled"),
        (202, "cancelling"),
        (200, "succeeded"),
    ]
    assert client.post(f"/jobs/{running}/cancel").status_code == 202
    service.move(jobs.confirm_cancelled, claim)
    assert [client.post(f"/jobs/{job_id}/cancel").json()["state"] for job_id in (queued, running)] == ["cancelled"] * 2


def test_a_part_is_not_cancelled_alone(client, service):
    dataset = service.add_dataset(client.tenant, n_samples=SHARD_SIZE + 1)
    [divided] = service.submit(client.tenant, ExtractionRequest(dataset=dataset, version=1))
    part = service.rows(client.tenant, tables.Job.shard == 1)[0]
    assert client.post(f"/jobs/{part.id}/cancel").status_code == 409
    assert client.get(f"/jobs/{part.id}").json()["kind"] == "extraction_shard"
    assert client.post(f"/jobs/{divided}/cancel").json()["state"] == "cancelled"


def test_a_retry_makes_one_new_job(client, service):
    job_id = client.post("/jobs", json=PROBE | {"name": "x"}).json()["id"]
    assert client.post(f"/jobs/{job_id}/retry").status_code == 409
    service.fail(job_id)
    answers = [client.post(f"/jobs/{job_id}/retry", headers=_key("again")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    new = answers[0].json()
    assert (new["state"], new["name"], new["id"] != job_id) == ("queued", "x", True)
    assert answers[0].headers["location"] == f"/api/v1/jobs/{new['id']}"
    assert client.get(f"/jobs/{job_id}").json()["error"]["message"] == "it fell over"


def test_the_log_tells_moves_and_lines(client, service):
    job_id = client.post("/jobs", json=PROBE).json()["id"]
    claim = service.claim(job_id)
    lines = [Event(EventKind.LOG, {"text": f"line {n}\nand more"}) for n in range(1200)]
    service.record(claim, 1, 2, *lines, Event(EventKind.PROGRESS, {"done": 1}))
    service.move(jobs.succeed, claim, {})
    answer = client.get(f"/jobs/{job_id}/log")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    found = answer.text.splitlines()
    assert len(found) == 3 + 2 * 1200
    times, attempts, texts = zip(*(line.split(" ", 2) for line in found), strict=True)
    assert all(datetime.fromisoformat(time).tzinfo for time in times)
    assert (attempts[0], attempts[1], attempts[-1]) == ("0", "1", "1")
    assert texts[:4] == ("state queued", "state running - worker: worker", "line 0", "and more")
    assert texts[-1] == "state succeeded"


def test_the_log_of_a_failure_says_why(client, service):
    job_id = client.post("/jobs", json=PROBE).json()["id"]
    service.fail(job_id)
    assert client.get(f"/jobs/{job_id}/log").text.splitlines()[-1].endswith("state failed - it fell over")


def test_events_come_as_they_happen_and_end_with_the_job(client, service):
    job_id = client.post("/jobs", json=PROBE).json()["id"]
    seen, raw = [], []

    def watch():
        with client.stream("GET", f"/jobs/{job_id}/events") as response:
            raw.append(dict(response.headers))
            seen.extend(event_stream.parse(response.iter_bytes()))

    thread = threading.Thread(target=watch)
    thread.start()
    wait_until(lambda: len(seen) == 1)
    claim = service.claim(job_id)
    wait_until(lambda: len(seen) == 2)
    service.record(claim, 1, 2, Event(EventKind.PROGRESS, {"done": 1}), Event(EventKind.LOG, {"text": "half"}))
    wait_until(lambda: len(seen) == 4)
    service.move(jobs.succeed, claim, {})
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert raw[0]["content-type"].startswith("text/event-stream")
    assert [event.name for event in seen] == ["state", "state", "progress", "log", "state"]
    ids = [int(event.id) for event in seen]
    assert all(one < other for one, other in pairwise(ids))
    data = [JobEvent.model_validate_json(event.data) for event in seen]
    assert [event.id for event in data] == ids
    assert [event.data.get("state") for event in data] == ["queued", "running", None, None, "succeeded"]
    assert data[3].data == {"text": "half"}


def test_events_go_on_after_the_last_one_that_was_seen(client, service):
    job_id = client.post("/jobs", json=PROBE).json()["id"]
    service.succeed(job_id)
    events = _watch(client, job_id)
    assert [event.data["state"] for event in events] == ["queued", "running", "succeeded"]
    assert _watch(client, job_id, headers={"Last-Event-ID": str(events[0].id)}) == events[1:]
    assert _watch(client, job_id, params={"after": events[1].id}) == events[2:]
    # A browser sends the header, with the address of the first time.
    both = {"params": {"after": events[0].id}, "headers": {"Last-Event-ID": str(events[1].id)}}
    assert _watch(client, job_id, **both) == events[2:]
    over = client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": str(events[2].id)})
    assert (over.status_code, over.content) == (204, b"")
    assert client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": "x"}).status_code == 422
    assert client.get(f"/jobs/{'0' * 32}/events").status_code == 404


def test_many_events_come_whole_and_in_order(client, service):
    job_id = client.post("/jobs", json=PROBE).json()["id"]
    claim = service.claim(job_id)
    service.record(claim, 1, 2, *(Event(EventKind.LOG, {"text": str(n)}) for n in range(2100)))
    service.move(jobs.succeed, claim, {})
    events = _watch(client, job_id)
    assert [event.data["text"] for event in events if event.kind is EventKind.LOG] == [str(n) for n in range(2100)]
    assert _watch(client, job_id, headers={"Last-Event-ID": str(events[50].id)}) == events[51:]
    with client.stream("GET", f"/jobs/{job_id}/events") as response:
        assert len(list(response.iter_raw())) < len(events) / 10  # many at once: one by one they take ten times as long


def test_a_divided_jobs_watchers_see_its_parts_get_on(client, service):
    dataset = service.add_dataset(client.tenant, n_samples=SHARD_SIZE + 20)
    [job_id] = service.submit(client.tenant, ExtractionRequest(dataset=dataset, version=1))
    parts = service.rows(client.tenant, tables.Job.parent_id == job_id)
    seen, ids = [], []

    def watch():
        with client.stream("GET", f"/jobs/{job_id}/events") as response:
            for event in event_stream.parse(response.iter_bytes()):
                seen.append(JobEvent.model_validate_json(event.data))
                ids.append(event.id)

    def has_told(done):
        return any(event.data.get("done") == done for event in list(seen))

    thread = threading.Thread(target=watch)
    thread.start()
    wait_until(lambda: seen)
    service.record(service.claim(parts[0].id), 250, 500)
    wait_until(lambda: has_told(250))
    service.succeed(parts[1].id)
    wait_until(lambda: has_told(510))  # two parts of 260
    client.post(f"/jobs/{job_id}/cancel")
    thread.join(PATIENCE_S)
    done = [event.data["done"] for event in seen if event.kind is EventKind.PROGRESS]
    assert done == sorted(done)
    assert seen[-1].data["state"] == "cancelled"
    assert ids == [str(event.id) for event in seen]  # what is only counted comes with the id of the one before


def test_two_hundred_watchers_share_one_look(client, service):
    ids = [job["id"] for job in client.post("/jobs/chain", json={"jobs": [PROBE] * 20}).json()["jobs"]]
    options = {"base_url": client.base_url, "headers": client.headers, "timeout": 120, "trust_env": False}
    limits = httpx.Limits(max_connections=None)
    with ThreadPoolExecutor(200) as pool, httpx.Client(limits=limits, **options) as many:
        watching = [pool.submit(_watch, many, job_id) for job_id in ids * 10]
        time.sleep(1)
        for job_id in ids:
            service.succeed(job_id)
        seen = [watch.result(120) for watch in watching]
    assert all([event.data["state"] for event in events] == ["queued", "running", "succeeded"] for events in seen)


def test_a_client_that_leaves_is_forgotten(client, service):
    job_id = client.post("/jobs", json=PROBE).json()["id"]
    with client.stream("GET", f"/jobs/{job_id}/events") as response:
        next(response.iter_bytes())
    service.succeed(job_id)
    assert len(_watch(client, job_id)) == 3


def test_the_openapi_document_describes_it(service):
    document = httpx.get(f"{service.url}/openapi.json", trust_env=False, timeout=60).json()
    kinds = document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(kinds["discriminator"]["mapping"]) == {
        "extraction",
        "training",
        "tuning",
        "evaluation",
        "export",
        "probe",
    }
    assert "model_import" not in json.dumps(kinds)
    ids = [method["operationId"] for path in document["paths"].values() for method in path.values()]
    assert len(ids) == len(set(ids))
