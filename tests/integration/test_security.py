"""Every route of the API document, each with no key, wrong keys, and another tenant's key: it gives nothing away.

The calls are made from the document, so that a new route is covered as it appears; where it takes an id or a body that
these tests do not know, they fail and say what to add.
"""

import re
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from databases import KINDS, fresh_url
from gateways import bearer, running, settings_of

from asl.contracts import JobKind, Queue, Scope
from asl.infra import jobs, keys, schema, tables
from asl.infra.database import Database
from asl.infra.stores import storage_of

PUBLIC = {"GET /healthz", "GET /readyz", "GET /metrics"}
OUTSIDE_THE_DOCUMENT = {"/docs", "/redoc", "/openapi.json"}
PAGE = {"/", "/page/hand_landmarker.task"}
"""Files, the same for everybody."""
RECOGNITION = {
    "POST /api/v1/asl/recognitions",
    "POST /api/v1/asl/recognitions/batch",
    "POST /api/v1/asl/recognitions/landmarks",
    "POST /api/v1/asl/recognitions/sequence",
    "GET /api/v1/asl/model",
}
NAMES_OF_ROLES = {"alias"}
"""Parameters of paths that every tenant has: no ids of anybody's."""
MARK = "tenant-a-"
"""What A's things are called: found in an answer to B, it is a leak."""
JPEG = b"\xff\xd8\xff\xe0 no more than its first bytes"
SHA256 = "ab" * 32
HAND = {"landmarks": [[x / 21, 0.5] for x in range(21)], "image_width": 9, "image_height": 9, "handedness": "left"}
FILM = {"frames": [{"t_ms": 0, "landmarks": None}], "image_width": 9, "image_height": 9}
INVALID = ("", "Bearer", "Bearer asl_unknown", "Bearer \xe9\xff", f"Bearer {'x' * 4096}", "Basic YTpi")
INVALID += ("bearer null", "Bearer {a},{a}", "Bearer {a}x", "Token {a}", "{a}")


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    media_type: str | None

    @property
    def name(self):
        return f"{self.method} {self.path}"

    @property
    def parameters(self):
        return set(re.findall(r"\{(\w+)\}", self.path))

    @property
    def names_something(self):
        return bool(self.parameters - NAMES_OF_ROLES)


@pytest.fixture(params=KINDS)
def world(request, tmp_path):
    """A gateway that asks for keys, with all kinds of things of tenant A, and a key of each tenant."""
    with fresh_url(request.param, request, tmp_path) as url:
        settings = settings_of(tmp_path, database_url=url, require_key=True)
        database = Database(url)
        schema.upgrade(database)
        with running(settings) as client:
            things = _furnish(database, storage_of(settings))
            secrets = {tenant: keys.create(database, name=f"{tenant}-key", tenant=tenant)[0] for tenant in ("a", "b")}
            yield SimpleNamespace(client=client, database=database, things=things, secrets=secrets)
        database.close()


def _furnish(database, storage):
    """Make one of everything for tenant A; returns the ids by the names of the paths' parameters."""
    file = storage.put_bytes(f"jobs/x/1/{SHA256}-{MARK}file", b"private")
    with database.transaction() as session:
        dataset = tables.Dataset(tenant="a", name=f"{MARK}letters")
        job = tables.Job(tenant="a", submitted_by="a", kind=JobKind.TRAINING, queue=Queue.CPU, request={})
        session.add(dataset)
        session.flush()
        stored = {"sha256": file.sha256, "size_bytes": file.size_bytes, "key": file.key}
        sample = tables.Sample(dataset_id=dataset.id, name=f"{MARK}x.jpg", label="A", signer="", **stored)
        version = tables.DatasetVersion(
            dataset_id=dataset.id, number=1, digest=SHA256, manifest_key=file.key, n_samples=1, counts=[]
        )
        jobs.add(session, job)
        held = jobs.claim(session, [Queue.CPU], "w", 60.0)
        published = jobs.NewArtifact(name=f"{MARK}model_card.md", media_type="text/markdown", **stored)
        card = jobs.NewArtifact(
            name="model_card.md", media_type="text/markdown", **stored | {"key": file.key.replace("file", "card")}
        )
        storage.put_bytes(card.key, b"private")
        assert jobs.succeed(session, held, {}, [published, card])
        lineage = {"job_id": job.id, "code_version": "", "features": [], "dataset_versions": []}
        model = tables.Model(
            tenant="a",
            number=1,
            version=f"{MARK}1",
            source="training",
            job_id=job.id,
            label_names=["A"],
            metrics={},
            lineage=lineage,
            **stored,
        )
        session.add_all([sample, version, model])
        session.flush()
        for alias in ("production", "candidate"):
            session.add(tables.ModelAlias(tenant="a", alias=alias, model_id=model.id, revision=1))
        return {
            "dataset": dataset.id,
            "sample": sample.id,
            "number": "1",
            "job_id": job.id,
            "name": published.name,
            "model": model.id,
            "alias": "production",
        }


def _calls(world):
    for path, operations in world.client.app.openapi()["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            yield Call(method.upper(), path, next(iter(content), None))


def _protected(world):
    return [call for call in _calls(world) if call.name not in PUBLIC]


def _bodies(things):
    """Bodies that fit, of tenant A's things, by the call."""
    promotion = {"model": things["model"], "force": True, "reason": "because"}
    training = {"kind": "training", "data": [{"job": things["job_id"]}]}
    return {
        "POST /api/v1/asl/recognitions/landmarks": HAND,
        "POST /api/v1/asl/recognitions/sequence": FILM,
        "POST /api/v1/datasets": {"name": "new"},
        "POST /api/v1/datasets/{dataset}/hashes": {"sha256": [SHA256]},
        "PATCH /api/v1/datasets/{dataset}/samples/{sample}": {"label": "B"},
        "POST /api/v1/jobs": training,
        "POST /api/v1/jobs/chain": {"jobs": [training]},
        "PUT /api/v1/models/aliases/{alias}": promotion,
        "POST /api/v1/models/aliases/{alias}/rollback": {"reason": "because"},
    }


def _send(world, call, secret=None, **options):
    """Make a call with everything that belongs to it; returns its answer, of which an endless one is not read."""
    unknown = call.parameters - world.things.keys()
    assert not unknown, f"{call.name}: tell _furnish which {unknown} tenant A has"
    headers = {"If-Match": '"1"', **(bearer(secret) if secret else {})}
    if call.media_type == "application/json":
        bodies = _bodies(world.things)
        assert call.name in bodies, f"{call.name}: give _bodies a body that fits"
        options.setdefault("json", bodies[call.name])
    elif call.media_type == "multipart/form-data":
        options |= {"files": {"file": ("a.jpg", JPEG)}, "data": {"label": "A"}}
    elif call.media_type:
        options["content"] = b"PK"
        headers["Content-Type"] = call.media_type
    path = call.path.format_map(world.things)
    with world.client.stream(call.method, path, headers=headers, **options) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        return answer


def _text(answer):
    return answer.text if answer.is_stream_consumed else ""


def _state(world):
    with world.database.reading() as session:
        return {
            table.name: sorted(map(str, session.execute(table.select())))
            for table in tables.Base.metadata.sorted_tables
            if table.name not in ("api_key", "component")
        }


def test_the_document_tells_of_all_routes_and_which_need_a_key(world):
    calls = {call.name for call in _calls(world)}
    assert calls >= PUBLIC | RECOGNITION
    document = world.client.app.openapi()["paths"]
    for call in _calls(world):
        assert bool(document[call.path][call.method.lower()].get("security")) == (call.name not in PUBLIC), call.name
    hidden = {route.path for route in world.client.app.routes if getattr(route, "include_in_schema", None) is False}
    assert {path for path in hidden if not path.startswith(tuple(OUTSIDE_THE_DOCUMENT))} <= PAGE | {
        "/static-offline-docs"
    }


def test_public_routes_answer_without_a_key(world):
    for call in _calls(world):
        if call.name in PUBLIC:
            assert _send(world, call).status_code in (200, 503)  # 503: /readyz of a gateway without models


def test_no_route_answers_without_a_valid_key(world):
    before = _state(world)
    for authorization in INVALID:
        given = authorization.format(a=world.secrets["a"]).encode("latin-1")
        world.client.headers = {"Authorization": given} if given else {}
        for call in _protected(world):
            answer = _send(world, call)
            assert answer.status_code == 401, (call.name, authorization, answer.status_code, _text(answer))
            assert answer.headers["www-authenticate"] == "Bearer"
            assert call.method == "HEAD" or answer.json()["code"] == "unauthenticated"
            assert MARK not in _text(answer)
    assert _state(world) == before


def test_a_revoked_key_opens_nothing(world):
    secret, _ = keys.create(world.database, name="gone", tenant="a")
    with world.database.transaction() as session:
        keys.revoke(session, "gone")
    for call in _protected(world):
        assert _send(world, call, secret).status_code == 401, call.name


def test_a_key_without_scopes_opens_nothing(world):
    before = _state(world)
    secret, _ = keys.create(world.database, name="none", tenant="a", scopes=[])
    for call in _protected(world):
        assert _send(world, call, secret).status_code == 403, call.name
    assert _state(world) == before


def test_each_scope_opens_only_its_own(world):
    before = _state(world)
    recognizer, _ = keys.create(world.database, name="recognizer", tenant="a", scopes=[Scope.RECOGNIZE])
    reader, _ = keys.create(world.database, name="reader", tenant="a", scopes=[Scope.READ])
    writer, _ = keys.create(world.database, name="writer", tenant="a", scopes=[Scope.READ, Scope.WRITE])
    for call in _protected(world):
        if call.name in RECOGNITION:
            assert _send(world, call, reader).status_code == 403, call.name
            assert _send(world, call, recognizer).status_code != 403, call.name
            continue
        assert _send(world, call, recognizer).status_code == 403, call.name
        if call.method not in ("GET", "HEAD"):
            assert _send(world, call, reader).status_code == 403, call.name
        if "alias" in call.path and call.method not in ("GET", "HEAD"):
            assert _send(world, call, writer).status_code == 403, call.name
    assert _state(world) == before


def test_what_another_tenant_has_is_not_there(world):
    before = _state(world)
    named = [call for call in _protected(world) if call.names_something]
    assert named
    for call in named:
        answer = _send(world, call, world.secrets["b"])
        assert answer.status_code == 404, (call.name, answer.status_code, _text(answer))
        assert MARK not in _text(answer)
    assert _state(world) == before


def test_lists_and_roles_show_nothing_of_another_tenant(world):
    marks = {MARK, *(thing for name, thing in world.things.items() if name not in ("alias", "number"))}
    for call in _protected(world):
        if not call.names_something and call.method == "GET":
            answer = _send(world, call, world.secrets["b"])
            assert answer.status_code < 500 or call.name in RECOGNITION, (call.name, _text(answer))
            assert not [mark for mark in marks if mark in _text(answer)], call.name


def test_another_tenants_ids_are_of_no_use_in_a_body(world):
    things, before = world.things, _state(world)
    data = [{"job": things["job_id"]}]
    by_job, by_id = {"job": things["job_id"]}, {"id": things["model"]}
    requests = [
        {"kind": "extraction", "dataset": things["dataset"]},
        {"kind": "extraction", "dataset": f"{MARK}letters"},
        {"kind": "training", "data": data},
        {"kind": "training", "data": [{"dataset": things["dataset"]}]},
        {"kind": "training", "data": data, "resume": things["job_id"]},
        {"kind": "training", "data": data, "pretrained": by_id},
        {"kind": "evaluation", "model": by_id, "data": data},
        {"kind": "evaluation", "model": {"alias": "production"}, "data": data},
        {"kind": "export", "model": by_id},
        {"kind": "export", "model": by_job},
        {"kind": "export", "model": {"alias": "production"}},
        {"kind": "probe", "depends_on": [things["job_id"]]},
    ]
    calls = {call.name: call for call in _protected(world)}
    sent = [(calls["POST /api/v1/jobs"], request) for request in requests]
    sent += [(calls["POST /api/v1/jobs/chain"], {"jobs": [request]}) for request in requests]
    sent.append((calls["PUT /api/v1/models/aliases/{alias}"], {"model": things["model"], "force": True, "reason": "x"}))
    for call, body in sent:
        answer = _send(world, call, world.secrets["b"], json=body)
        assert answer.status_code in (404, 422), (call.name, body, answer.status_code, _text(answer))
        assert MARK not in _text(answer) or MARK in str(body)
    assert _state(world) == before


def test_the_owner_is_let_in_everywhere(world):
    """Proves that the refusals above are not for want of a real id or a body that fits."""
    calls = sorted(_protected(world), key=lambda call: (call.method == "DELETE", call.method not in ("GET", "HEAD")))
    for call in calls:
        answer = _send(world, call, world.secrets["a"])
        assert answer.status_code not in (401, 403, 404), (call.name, answer.status_code, _text(answer))
        assert answer.status_code != 500, (call.name, _text(answer))
