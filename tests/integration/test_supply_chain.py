"""What images hold is listed, and looked up for known vulnerabilities; where nobody could tell, the answer is red."""

import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cyclonedx.schema
import jsonschema_rs
import pytest

from asl.core import landmarker

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "supply-chain"
IMAGES = ("gateway", "worker", "worker-cuda")
ROOT = "http://cyclonedx.org/schema/"


@pytest.fixture(scope="module")
def scripts():
    """Import the scripts, which find each other by their folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(FOLDER)
        import audit  # noqa: PLC0415 - here they are found
        import locks  # noqa: PLC0415
        import sbom  # noqa: PLC0415

        yield type("Scripts", (), {"audit": audit, "locks": locks, "sbom": sbom})


@pytest.fixture(scope="module")
def standard():
    folder = Path(cyclonedx.schema.__file__).parent / "_res"
    bom, *parts = (folder / f"{name}.SNAPSHOT.schema.json" for name in ("bom-1.6", "spdx", "jsf-0.82"))
    registry = jsonschema_rs.Registry([(ROOT + part.name, json.loads(part.read_text())) for part in parts])
    return jsonschema_rs.Draft7Validator(json.loads(bom.read_text()), registry=registry)


@pytest.mark.parametrize("image", IMAGES)
def test_a_list_is_cyclonedx_and_has_every_locked_package_with_its_hashes(scripts, standard, image):
    made = json.loads(scripts.sbom.as_json(scripts.sbom.bill_of(image)))
    assert [error.message for error in standard.iter_errors(made)] == []
    found = {component["purl"]: component for component in made["components"] if "purl" in component}
    pinned = [
        package
        for lock in scripts.sbom.IMAGES[image].locks
        for package in scripts.locks.read(REPOSITORY / "deploy" / "images" / f"{lock}.lock")
    ]
    assert len(pinned) > 40
    for package in pinned:
        (reference,) = found[f"pkg:pypi/{package.name}@{package.version}"]["externalReferences"]
        assert {digest["content"] for digest in reference["hashes"]} == set(package.sha256)
    assert any(package.name == "torch" for package in pinned)
    assert made["metadata"]["properties"][0]["name"] == "asl:debian-packages", "it says what is left out"


def test_the_standard_does_refuse(scripts, standard):
    made = json.loads(scripts.sbom.as_json(scripts.sbom.bill_of("gateway")))
    made["components"][0]["type"] = "thing"
    assert not standard.is_valid(made)


def test_models_are_listed_too(scripts):
    models = {
        component.name: component
        for component in scripts.sbom.bill_of("gateway").components
        if component.type == "machine-learning-model"
    }
    (digest,) = models["starter.pt"].hashes
    starter = REPOSITORY / "shared" / "asl" / "assets" / "starter.pt"
    assert digest.content == hashlib.sha256(starter.read_bytes()).hexdigest()
    assert str(models["hand_landmarker.task"].purl) == f"pkg:pypi/{landmarker._WHEEL.replace('==', '@')}"  # noqa: SLF001


def test_an_image_that_was_looked_into_has_its_system_too_and_only_what_is_locked(scripts):
    packages = {
        package.name.replace("-", "_"): package.version + ("+cpu" if package.name == "torch" else "")
        for lock in scripts.sbom.IMAGES["gateway"].locks
        for package in scripts.locks.read(REPOSITORY / "deploy" / "images" / f"{lock}.lock")
    }
    inside = scripts.sbom.Inspected(
        "3.11.9", packages | {"asl-platform": "0.1.0"}, [("zlib1g:amd64", "1:1.2", "amd64")]
    )
    listed = {str(component.purl) for component in scripts.sbom.bill_of("gateway", inside).components}
    assert {"pkg:generic/python@3.11.9", "pkg:deb/debian/zlib1g@1:1.2?arch=amd64"} <= listed
    for change in ({"numpy": "1.0"}, {"left-pad": "1.0"}):
        with pytest.raises(ValueError, match=r"left-pad|numpy"):
            scripts.sbom.bill_of("gateway", inside._replace(packages=packages | change))


def test_a_package_that_was_not_looked_up_is_not_taken_for_sound(scripts):
    report = {
        "dependencies": [
            {"name": "A_b", "version": "1", "vulns": []},
            {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1"}]},
            {"name": "d", "skip_reason": "Dependency not found on PyPI and could not be audited: d (3)"},
        ]
    }
    assert scripts.audit.read(json.dumps(report)) == {("a-b", "1"): [], ("c", "2"): ["PYSEC-1"]}


@pytest.mark.parametrize(
    ("status", "vulnerable", "ends_with", "told"),
    [
        (200, "", 0, "8 packages looked up, 0 with known vulnerabilities"),
        (200, "tomlkit", 1, "VULNERABLE: tomlkit "),
        (503, "", 2, "NOT AUDITED: 8 of 8: hatchling "),
    ],
)
def test_an_audit_is_green_only_where_everything_was_looked_up_and_sound(status, vulnerable, ends_with, told):
    """Against a small OSV server; the real ones cannot be asked in a test."""

    class Osv(BaseHTTPRequestHandler):
        def do_POST(self):
            name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            affected = [{"package": {"name": name, "ecosystem": "PyPI"}}]
            known = {"vulns": [{"id": "PYSEC-2026-1", "affected": affected}]}
            answer = json.dumps(known if name == vulnerable else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/query"
        lock = REPOSITORY / "deploy" / "images" / "build.lock"
        words = [sys.executable, FOLDER / "audit.py", lock, "--osv-url", url]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        server.shutdown()
    assert ended.returncode == ends_with, ended.stdout + ended.stderr
    assert told in ended.stdout
    assert ("--osv-url URL" in ended.stdout) == (ends_with == 2), "it says what to do"
