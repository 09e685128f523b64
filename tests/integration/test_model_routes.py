"""Models over HTTP, as a server with keys answers: SQLite and a folder, Postgres and an S3 store."""

import hashlib
import os

import httpx
import pytest
from databases import fresh
from fastapi import FastAPI
from gateways import serving
from registered import add_evaluation, add_job, add_model, sha256_of

from asl.contracts import Job, JobKind, Model, ModelSource, Scope
from asl.infra import keys, tables
from asl.infra.settings import Settings
from asl.infra.storage import open_storage
from services.gateway import errors
from services.gateway.routes import classifier, models
from services.gateway.startup import Gateway

_MAX_MODEL_BYTES = 2**20
_PT = {"Content-Type": "application/octet-stream"}


class Service:
    """A gateway's routes of models, and what is behind them."""

    def __init__(self, address, database, storage):
        self.address, self.database, self.storage = address, database, storage
        self.tenant = os.urandom(8).hex()

    def client(self, *scopes, tenant=None):
        name = f"key {os.urandom(8).hex()}"
        secret, _ = keys.create(self.database, name=name, tenant=tenant or self.tenant, scopes=scopes or tuple(Scope))
        return httpx.Client(
            base_url=f"{self.address}/api/v1",
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
            trust_env=False,
        )

    def add(self, content=None, **values):
        key = f"jobs/{os.urandom(16).hex()}/1/best_model.pt"
        stored = self.storage.put_bytes(key, content) if content else None
        with self.database.transaction() as session:
            return add_model(session, tenant=self.tenant, stored=stored, **values)

    def evaluate(self, model, accuracy):
        with self.database.transaction() as session:
            add_evaluation(session, model, accuracy)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def backend(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    with fresh(request.param, request, folder) as database:
        if request.param == "sqlite":
            storage = open_storage(str(folder / "store"))
        else:
            server = request.getfixturevalue("s3_server")
            storage = open_storage(server.storage_url(server.create_bucket()), server.access_key, server.secret_key)
        settings = Settings(_env_file=None, home=folder, require_key=True, max_model_bytes=_MAX_MODEL_BYTES)
        app = FastAPI()
        app.include_router(models.router)
        app.include_router(classifier.router)
        errors.install(app)
        app.state.gateway = Gateway(settings, database, storage)
        with serving(app, ws="none", lifespan="off") as address:
            yield address, database, storage


@pytest.fixture
def service(backend):
    return Service(*backend)


@pytest.fixture
def client(service):
    with service.client() as found:
        yield found


def _put(client, model, revision=None, alias="production", **body):
    headers = {} if revision is None else {"If-Match": f'"{revision}"'}
    return client.put(f"/models/aliases/{alias}", json={"model": model.id, **body}, headers=headers)


def _code(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()["code"]


def test_models_are_listed_in_pages_and_shown_by_id_and_number(service, client):
    added = [service.add() for _ in range(3)]
    first = client.get("/models", params={"limit": 2}).json()
    rest = client.get("/models", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [model["number"] for model in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    for name in ("2", added[1].id):
        model = Model.model_validate(client.get(f"/models/{name}").json())
        assert (model.id, model.number, model.version) == (added[1].id, 2, "best-01234567")
    assert _code(client.get("/models", params={"cursor": "x"}), 422) == "invalid_input"


@pytest.mark.parametrize("name", ["0", "x", "..", "%2e%2e", "1/../2", "-1", "1" * 19, "A" * 32, "a" * 31, "²"])
def test_other_names_are_no_models(client, name):
    assert client.get(f"/models/{name}").status_code in (404, 422)


def test_models_of_others_are_not_there(service, client):
    model = service.add()
    with service.client(tenant="other") as other:
        assert other.get("/models").json()["items"] == []
        assert other.get("/models/aliases").json()["items"] == []
        for path in (f"/{model.id}", f"/{model.id}/card", f"/{model.id}/file", "/aliases/candidate"):
            assert _code(other.get(f"/models{path}"), 404) == "not_found"
        assert _code(_put(other, model), 404) == "not_found"
    assert client.get(f"/models/{model.id}").status_code == 200


def test_every_call_needs_its_scope(service):
    model = service.add()
    calls = {
        Scope.READ: [
            ("GET", path)
            for path in ("", "/1", "/1/card", "/1/file", "/aliases", "/aliases/candidate", "/aliases/candidate/history")
        ],
        Scope.WRITE: [("POST", "")],
        Scope.PROMOTE: [("PUT", "/aliases/production"), ("POST", "/aliases/production/rollback")],
    }
    for scope, asked in calls.items():
        others = [other for other in Scope if other != scope]
        with service.client(*others) as client:
            for method, path in asked:
                assert _code(client.request(method, f"/models{path}", json={"model": model.id}), 403) == "forbidden", (
                    path
                )
                bare = httpx.request(method, f"{service.address}/api/v1/models{path}", trust_env=False, timeout=60)
                assert _code(bare, 401) == "unauthenticated"


def test_a_role_is_given_looked_at_and_taken_back(service, client):
    old, new = service.add(), service.add()
    assert _code(client.get("/models/aliases/production"), 404) == "not_found"
    given = _put(client, old, 0)
    assert (given.status_code, given.headers["etag"], given.json()["number"]) == (200, '"1"', 1)
    service.evaluate(old, 0.9)
    service.evaluate(new, 0.95)
    assert _put(client, new, 1).json()["revision"] == 2
    shown = client.get("/models/aliases/production")
    assert (shown.headers["etag"], shown.json()["model_id"]) == ('"2"', new.id)
    assert {state["alias"]: state["number"] for state in client.get("/models/aliases").json()["items"]} == {
        "candidate": 2,
        "production": 2,
    }
    assert client.get("/models/2").json()["aliases"] == ["candidate", "production"]
    back = client.post("/models/aliases/production/rollback", json={"reason": "worse"}, headers={"If-Match": '"2"'})
    assert (back.status_code, back.headers["etag"], back.json()["number"]) == (200, '"3"', 1)
    assert _code(client.post("/models/aliases/production/rollback", json={}), 409) == "conflict"
    page = client.get("/models/aliases/production/history", params={"limit": 2}).json()
    assert [(entry["number"], entry["reason"]) for entry in page["items"]] == [(1, "worse"), (2, "")]
    rest = client.get("/models/aliases/production/history", params={"cursor": page["next_cursor"]}).json()
    assert [entry["gate"] for entry in rest["items"]] == ["no production model to compare with"]


def test_a_change_names_the_state_that_it_means(service, client):
    old, new = service.add(), service.add()
    _put(client, old)
    assert _code(_put(client, new, force=True, reason="x"), 428) == "precondition_required"
    assert _code(_put(client, new, 7, force=True, reason="x"), 412) == "precondition_failed"
    for wrong in ("1", "*", 'W/"1"', '"1", "2"', '"x"'):
        answer = client.put("/models/aliases/production", json={"model": new.id}, headers={"If-Match": wrong})
        assert _code(answer, 422) == "invalid_input"
    rollback = client.post("/models/aliases/production/rollback", json={}, headers={"If-Match": '"7"'})
    assert _code(rollback, 412) == "precondition_failed"
    assert _code(_put(client, new, 1, alias="best"), 422) == "invalid_input"
    assert client.get("/models/aliases/production").headers["etag"] == '"1"'


def test_the_gate_refuses_and_can_be_overruled(service, client):
    old, new = service.add(), service.add()
    _put(client, old)
    refused = _put(client, new, 1)
    assert _code(refused, 409) == "gate_refused"
    assert f"--model {old.id}" in refused.json()["hint"]
    service.evaluate(old, 0.9)
    service.evaluate(new, 0.8)
    assert "0.8000" in _put(client, new, 1).json()["detail"]
    assert _code(_put(client, new, 1, force=True), 422) == "options_invalid"
    assert _put(client, new, 1, force=True, reason="left hands").status_code == 200
    entry = client.get("/models/aliases/production/history").json()["items"][0]
    assert (entry["forced"], entry["reason"]) == (True, "left hands")
    assert entry["by"].startswith("key ")


def test_a_rollback_sent_again_with_its_key_goes_back_once(service, client):
    models_ = [service.add() for _ in range(3)]
    for revision, model in enumerate(models_):
        _put(client, model, revision, force=True, reason="x")
    answers = [
        client.post("/models/aliases/production/rollback", json={}, headers={"Idempotency-Key": "again"})
        for _ in range(3)
    ]
    assert [answer.json()["number"] for answer in answers] == [2, 2, 2]
    assert client.get("/models/aliases/production").json()["revision"] == 4


def test_a_file_is_downloaded_with_its_hash_also_in_parts(service, client):
    content = os.urandom(100_000)
    model = service.add(content)
    whole = client.get(f"/models/{model.number}/file")
    assert whole.content == content
    assert whole.headers["x-content-sha256"] == hashlib.sha256(content).hexdigest() == model.sha256
    assert whole.headers["content-disposition"] == 'attachment; filename="model-1.pt"'
    part = client.get("/models/1/file", headers={"Range": "bytes=99990-"})
    assert (part.status_code, part.content) == (206, content[99990:])
    assert client.get("/models/1/file", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


def test_a_card_is_that_of_the_training_or_a_short_one(service, client):
    trained = service.add()
    stored = service.storage.put_bytes(f"jobs/{trained.job_id}/1/card", b"# My card\n")
    with service.database.transaction() as session:
        session.add(
            tables.Artifact(
                job_id=trained.job_id, attempt=1, name="model_card.md", media_type="text/markdown", **stored._asdict()
            )
        )
        job = add_job(session, JobKind.MODEL_IMPORT, tenant=service.tenant)
    card = client.get("/models/1/card")
    assert (card.text, card.headers["content-type"]) == ("# My card\n", "text/markdown; charset=utf-8")
    imported = service.add(source=ModelSource.IMPORT, job=job, version="</x> *_`\n# forged-01234567")
    service.evaluate(imported, 0.875)
    card = client.get("/models/2/card").text
    assert card.startswith("# Model 2\n\nIt was imported")
    assert "accuracy 0.8750 on 10 rows" in card
    assert sha256_of("data")[:12] in card
    assert "\n# forged" not in card


def test_an_import_is_stored_and_a_job_checks_it(service, client):
    content = os.urandom(50_000)
    headers = {**_PT, "Idempotency-Key": "one"}
    answers = [client.post("/models", content=content, headers=headers, params={"name": "mine"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    job = Job.model_validate(answers[0].json())
    assert answers[0].headers["location"] == f"/api/v1/jobs/{job.id}"
    assert (job.kind, job.name) == (JobKind.MODEL_IMPORT, "mine")
    digest = hashlib.sha256(content).hexdigest()
    assert job.request["key"] == f"imports/{digest}.pt"
    assert b"".join(service.storage.open(job.request["key"])) == content
    other = client.post("/models", content=b"other", headers=headers, params={"name": "mine"})
    assert _code(other, 422) == "idempotency_key_reused"


def test_an_import_that_is_none_is_refused(client):
    assert _code(client.post("/models", content=b"", headers=_PT), 422) == "model_invalid"
    assert _code(client.post("/models", files={"file": b"x"}), 415) == "unsupported_media_type"
    too_large = bytes(_MAX_MODEL_BYTES + 1)
    assert _code(client.post("/models", content=too_large, headers=_PT), 413) == "content_too_large"
    pieces = (too_large[start : start + 65536] for start in range(0, len(too_large), 65536))
    assert _code(client.post("/models", content=pieces, headers=_PT), 413) == "content_too_large"
    assert _code(client.post("/models", content=b"x", headers=_PT, params={"name": "a/b"}), 422) == "invalid_input"


def test_without_a_classifier_none_is_in_use(service):
    with service.client(Scope.RECOGNIZE) as client:
        assert _code(client.get("/asl/model"), 503) == "model_not_loaded"
    with service.client(Scope.READ) as client:
        assert _code(client.get("/asl/model"), 403) == "forbidden"
