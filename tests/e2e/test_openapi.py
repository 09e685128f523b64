"""The gateway against its own OpenAPI document: nothing it answers is a surprise, and nothing given to it is told."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from gateways import bearer
from openapi_hooks import picture
from platforms import OneMachine
from registered import add_model

from asl.contracts import JobError, Queue
from asl.core.classifier import starter_path
from asl.infra import jobs, keys
from asl.pipelines.files import sha256_of

CONFIG = Path(__file__).with_name("openapi_checks.toml")
IS_LONG = os.environ.get("ASL_CHAOS") == "long"
PROBLEM = {"$ref": "#/components/schemas/Problem"}
PUBLIC = {"GET /healthz", "GET /readyz", "GET /metrics"}
WITHOUT_404 = {"GET /api/v1/models/aliases/{alias}/history"}
"""A role that nobody has had yet has a history without entries."""
MARK = "zq7mark"
_TEXTS = ("../../", "..\\", "%2e%2e%2f", "\x00", "a\r\nX-A: ", "\x1b[2J", "\x7f")
HOSTILE = [*(quote(text + MARK, safe="") for text in _TEXTS), f"..%2f{MARK}", f"%2e%2e%2f{MARK}", MARK * 600]
"""As they stand in an address."""
SECRETS = {"ASL_WEBHOOK_SECRET": "w" * 12 + "zq7webhook" * 2, "ASL_STORAGE_SECRET_KEY": "zq7storage-secret"}
LIMIT_S = 1500 if IS_LONG else 600


class World:
    """A gateway that asks for keys, and one of everything for it to show."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.report_path = folder, folder / "report.txt"
        self.platform = OneMachine(folder, ASL_REQUIRE_KEY="true", ASL_MAX_UNFINISHED_JOBS="100000", **SECRETS)
        self.things: dict[str, list[str]] = {}

    def __enter__(self):
        try:
            self.platform.start_gateway()
            self.secret, _ = keys.create(self.platform.database, name="all")
            with self.platform.client(headers=bearer(self.secret)) as client:
                self.document = client.get("/openapi.json").json()
                self._add_photographs(client)
                self._play_jobs(client)
            self._add_models()
        except BaseException:
            self.platform.close()
            raise
        return self

    def __exit__(self, *_):
        self.platform.close()

    def schemathesis(self, *options):
        """Run it; returns its exit status."""
        shutil.copy(CONFIG, self.folder)
        for name, values in self.things.items():
            (self.folder / f"{name}.txt").write_text("\n".join(map(json.dumps, values)))
        url = self.platform.url
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG.name, "run"]
        command += [f"{url}/openapi.json", "--url", url, *options]
        secrets = " ".join([self.secret, *SECRETS.values()])
        environment = {"ASL_API_KEY": self.secret, "ASL_TEST_SECRETS": secrets, "PYTHONPATH": str(CONFIG.parent)}
        environment = os.environ | environment | {"COLUMNS": "120"}
        with self.report_path.open("w") as report:
            ran = subprocess.run(
                command, cwd=self.folder, env=environment, stdout=report, stderr=report, check=False, timeout=LIMIT_S
            )
        return ran.returncode

    def _add_photographs(self, client):
        made = client.post("/api/v1/datasets", json={"name": "letters"})
        dataset = made.raise_for_status().json()["id"]
        samples = []
        for label, colour in (("A", "teal"), ("B", "navy")):
            sample = client.post(
                f"/api/v1/datasets/{dataset}/samples",
                files={"file": ("a.png", picture(colour))},
                data={"label": label},
            )
            samples.append(sample.raise_for_status().json()["id"])
        version = client.post(f"/api/v1/datasets/{dataset}/versions").raise_for_status().json()
        self.digest = version["digest"]
        self.things |= {"dataset": [dataset, "letters"], "sample": samples, "number": ["1"], "alias": ["candidate"]}

    def _play_jobs(self, client):
        """Have one job in each of most states, the first with an artifact."""
        ids = [client.post("/api/v1/jobs", json={"kind": "probe"}).raise_for_status().json()["id"] for _ in range(4)]
        stored = self.platform.storage.put_bytes(f"jobs/{ids[0]}/1/report", b"0123456789")
        file = jobs.NewArtifact("report.txt", stored.key, stored.sha256, stored.size_bytes, "text/plain")
        with self.platform.database.transaction() as session:
            held = [jobs.claim(session, [Queue.CPU], "w", 3600.0) for _ in range(3)]
            assert jobs.succeed(session, held[0], {}, [file])
            assert jobs.fail(session, held[1], JobError(code="crashed", message="it crashed"), retry=False)
        self.things |= {"job_id": ids, "name": ["report.txt"]}

    def _add_models(self):
        stored = self.platform.storage.put("models/starter.pt", starter_path(), sha256=sha256_of(starter_path()))
        with self.platform.database.transaction() as session:
            models = [
                add_model(session, stored=(stored.key, stored.sha256, stored.size_bytes), version=f"starter-{n}")
                for n in range(2)
            ]
            for model, job in zip(models, self.things["job_id"], strict=False):
                # Trained on the data set, which so is kept although schemathesis deletes what it can.
                model.lineage = {**model.lineage, "job_id": job, "dataset_versions": [self.digest]}
            self.things |= {"model": [models[0].id, "2"], "model_id": [model.id for model in models]}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("openapi")) as world:
        yield world


def test_every_reference_of_the_document_resolves(world):
    references = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(world.document)))
    assert references
    for reference in references:
        found = world.document
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part, {})
        assert found, reference


def test_every_operation_documents_the_problems_with_which_it_can_answer(world):
    for name, operation in _operations(world.document):
        assert _expected_statuses(name, operation) <= set(operation["responses"]), name
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert answer["content"] == {"application/problem+json": {"schema": PROBLEM}}, (name, status)


def test_hostile_names_ids_and_cursors_are_refused_and_not_repeated(world):
    n_sent = 0
    with world.platform.client(headers=bearer(world.secret)) as client:
        for name, operation in _operations(world.document):
            for url in _hostile_urls(world, name, operation):
                answer = client.request(name.partition(" ")[0], url)
                assert answer.status_code in (404, 422), (name, url[:300], answer.status_code, answer.text[:300])
                assert MARK not in answer.text + str(answer.headers), (name, url[:300], answer.text[:300])
                n_sent += 1
    assert n_sent > 500


def test_a_path_names_all_of_its_methods_where_it_has_not_the_one_asked_for(world):
    with world.platform.client() as client:
        for path, operations in world.document["paths"].items():
            answer = client.options(path.format_map({name: values[0] for name, values in world.things.items()}))
            assert answer.status_code == 405
            methods = set(answer.headers["Allow"].split(", "))
            # `chain` is also where an id may stand, for GET.
            assert methods - ({"GET"} if path.endswith("/chain") else set()) == {name.upper() for name in operations}


@pytest.mark.timeout(LIMIT_S + 100)
def test_schemathesis_meets_no_surprise(world):
    short = ("--max-examples", "4", "--seed", "7", "--phases", "examples,fuzzing,stateful")
    status = world.schemathesis(*(("--max-examples", "50") if IS_LONG else short))
    report = world.report_path.read_text()
    assert "Tested: " in report
    assert status == 0, report[-30_000:]


def test_no_secret_is_told_anywhere(world):
    """The answers to schemathesis are looked at by the check of `openapi_hooks`."""
    unknown = "asl_" + MARK
    with world.platform.client() as client:
        answers = [
            client.get("/api/v1/jobs", headers=bearer(unknown)),
            client.get("/api/v1/jobs", params={"api_key": world.secret}),
            client.get("/readyz"),
            client.get("/metrics"),
        ]
    told = [answer.text + str(answer.headers) for answer in answers]
    told += [json.dumps(world.document), *(process.log for process in world.platform.processes)]
    for secret in (world.secret, unknown, *SECRETS.values()):
        assert not [text for text in told if secret in text]


def _operations(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def _expected_statuses(name, operation):
    content = operation.get("requestBody", {}).get("content", {})
    places = {parameter["in"] for parameter in operation.get("parameters", [])}
    expected = {"500"}
    if name not in PUBLIC:
        expected |= {"401", "403", "429", "503"}
    if "path" in places and name not in WITHOUT_404:
        expected.add("404")
    if places & {"path", "query"} or content:
        expected.add("422")
    if content:
        expected.add("413")
        expected.add("400" if "application/json" in content else "415")
    return expected


def _hostile_urls(world, name, operation):
    """Put each hostile value in the place of each parameter, with real values in the others."""
    path = name.partition(" ")[2]
    real = {key: values[0] for key, values in world.things.items()}
    for parameter in operation.get("parameters", []):
        key = parameter["name"]
        for value in HOSTILE:
            if parameter["in"] == "path":
                yield path.format_map(real | {key: value})
            elif parameter["in"] == "query":
                yield f"{path.format_map(real)}?{key}={value}"
