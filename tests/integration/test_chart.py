"""The chart, rendered by Helm: valid for Kubernetes, refused where values are wrong, true to what the code has."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from charts import CHART, VALUES
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from asl.contracts import JobKind, Queue
from asl.infra import jobs, schema
from asl.infra.database import Database
from asl.infra.settings import load_settings, unknown_names
from asl.infra.tables import Job
from services.gateway.job_collector import JobCollector

REPOSITORY = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
SCALED_OBJECT_FIELDS = {
    "scaleTargetRef", "pollingInterval", "cooldownPeriod", "minReplicaCount", "maxReplicaCount", "advanced", "triggers",
}  # fmt: skip
"""Those of KEDA's ScaledObject that the chart uses: https://keda.sh/docs/latest/reference/scaledobject-spec/."""

values = pytest.mark.parametrize("name", VALUES)


@values
def test_helms_linter_has_nothing_against_it(chart_tools, name):
    said = chart_tools.lint(VALUES[name])
    assert said.returncode == 0, said.stdout
    assert not re.search(r"\[(WARNING|ERROR)\]", said.stdout)


@values
def test_kubernetes_knows_every_field(chart_tools, name):
    manifests = chart_tools.manifests(name)
    judged = [manifest for manifest in manifests if manifest["kind"] != "ScaledObject"]
    assert len(judged) >= 8
    assert {
        _full_name(manifest): chart_tools.faults(manifest) for manifest in judged if chart_tools.faults(manifest)
    } == {}
    names = [_full_name(manifest) for manifest in manifests]
    assert len(names) == len(set(names))


def test_the_schemas_do_refuse(chart_tools):
    deployment = next(found for found in chart_tools.manifests("minimal") if found["kind"] == "Deployment")
    assert chart_tools.faults(deployment | {"spec": deployment["spec"] | {"replcas": 2}})


def test_what_must_be_named_is_asked_for(chart_tools):
    refused = chart_tools.template(CHART / "values.yaml")
    assert refused.returncode != 0
    for name in ("/database/existingSecret", "/redis/existingSecret", "/storage/url", "/networkPolicy/database/to"):
        assert name in refused.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("storage.url=s3://key:secret@host/bucket", "/storage/url"),  # no secrets in values
        ("settings.ASL_REQUIRE_KEY=false", "ASL_REQUIRE_KEY"),  # nobody calls without a key
        ("settings.LEASE_S=3", "LEASE_S"),
        ("webhooks.hosts={hooks.example.org}", "/webhooks/existingSecret"),
        ("gateway.replcas=3", "replcas"),
        ("workers.gpu.terminationGracePeriodSeconds=5", "terminationGracePeriodSeconds"),
        ("workers.cpu.resources.limits.memory=null", "/workers/cpu/resources/limits"),
        ("ingress.enabled=true", "/ingress/host"),
    ],
)
def test_wrong_values_are_refused_by_their_names(chart_tools, change, told):
    refused = chart_tools.template(VALUES["minimal"], change)
    assert refused.returncode != 0
    assert told in refused.stderr


def test_who_installs_it_reads_how_to_go_on(chart_tools):
    notes = chart_tools.notes(VALUES["full"])
    assert "asl key create NAME" in notes
    assert "https://asl.example.org" in notes
    assert "workers can reach everything" in chart_tools.notes(VALUES["plain"])


def test_the_chart_has_the_distributions_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


@values
def test_every_part_runs_what_compose_runs(chart_tools, name):
    parts = {
        manifest["metadata"]["name"].removeprefix("demo-asl-platform-"): manifest
        for manifest in _pods(chart_tools, name)
    }
    assert parts.keys() == {"gateway", "dispatcher", "worker-cpu", "worker-gpu", "migrate"}
    for part, manifest in parts.items():
        command = _container(manifest)["command"]
        if part != "gateway":  # whose image says it
            assert command == COMPOSE[part]["command"]
    image = (REPOSITORY / "deploy" / "images" / "Dockerfile").read_text()
    assert yaml.safe_dump(_container(parts["gateway"])["command"], default_flow_style=True, width=999).strip().replace(
        "'", ""
    ) == re.findall(r"^CMD (\[.*)$", image, re.MULTILINE)[-1].replace('"', "")


@values
def test_settings_are_the_platforms_and_can_be_read(chart_tools, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for manifest in _pods(chart_tools, name):
        with monkeypatch.context() as patched:
            for variable in _container(manifest)["env"]:
                patched.setenv(variable["name"], variable.get("value", "postgresql://a:a-secret-of-24-letters@b/c"))
            settings = load_settings()
            assert unknown_names() == {}
            assert settings.keys_required
        names = [variable["name"] for variable in _container(manifest)["env"]]
        assert len(names) == len(set(names))


def test_a_worker_has_time_for_a_checkpoint_before_it_is_killed(chart_tools):
    for manifest in _pods(chart_tools, "full"):
        pod, container = manifest["spec"]["template"]["spec"], _container(manifest)
        grace_s = pod.get("terminationGracePeriodSeconds")
        told = {variable["name"]: variable.get("value") for variable in container["env"]}
        if container["name"] == "worker":
            assert 10 <= int(told["ASL_CANCEL_GRACE_S"]) <= grace_s - 5
            assert pod["shareProcessNamespace"]
        if manifest["metadata"]["name"].endswith("gpu"):
            assert grace_s >= 300
        if container["name"] == "gateway":
            drain_s = int(container["command"][-1])
            assert container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain_s < grace_s


def test_the_schema_is_brought_up_to_date_before_anything_new_starts(chart_tools):
    hooks = [found for found in chart_tools.manifests("full") if "annotations" in found["metadata"] and _hook(found)]
    job, policy = sorted(hooks, key=lambda found: found["kind"])
    assert (job["kind"], policy["kind"]) == ("Job", "NetworkPolicy")
    assert _hook(job) == _hook(policy) == "pre-install,pre-upgrade"
    weights = [int(found["metadata"]["annotations"]["helm.sh/hook-weight"]) for found in (policy, job)]
    assert weights[0] < weights[1], "the way to the database has to be open"
    assert [variable["name"] for variable in _container(job)["env"]] == ["ASL_DATABASE_URL"]


def test_workers_are_as_many_as_the_gateways_own_figures_ask_for(chart_tools, tmp_path):
    figures = _figures(tmp_path, {Queue.CPU: 3, Queue.GPU: 1})
    asked = {}
    for scaled in (found for found in chart_tools.manifests("minimal") if found["kind"] == "ScaledObject"):
        spec = scaled["spec"]
        assert spec.keys() == SCALED_OBJECT_FIELDS
        triggers = {trigger["name"]: trigger["metadata"] for trigger in spec["triggers"]}
        modifiers = spec["advanced"]["scalingModifiers"]
        assert modifiers["formula"].split(" + ") == list(triggers)
        n_jobs = sum(figures[trigger["valueLocation"]] for trigger in triggers.values())
        asked[spec["scaleTargetRef"]["name"]] = n_jobs / int(modifiers["target"])
        assert all(trigger["format"] == "prometheus" for trigger in triggers.values())
        host = {trigger["url"] for trigger in triggers.values()}
        assert host == {"http://demo-asl-platform-gateway.asl.svc:8000/metrics"}
    assert asked == {"demo-asl-platform-worker-cpu": 3, "demo-asl-platform-worker-gpu": 1}


def test_a_gpu_is_held_only_while_there_is_work_for_it(chart_tools):
    scaled = {
        found["metadata"]["name"]: found["spec"] for found in chart_tools.manifests("minimal") if _is_scaled(found)
    }
    assert scaled["demo-asl-platform-worker-gpu"]["minReplicaCount"] == 0
    assert scaled["demo-asl-platform-worker-cpu"]["minReplicaCount"] == 1
    deployments = {found["metadata"]["name"]: found["spec"] for found in chart_tools.manifests("minimal")}
    assert all("replicas" not in deployments[name] for name in scaled), "KEDA alone says how many"
    gateway = _container(
        next(found for found in _pods(chart_tools, "minimal") if found["metadata"]["name"].endswith("gateway"))
    )
    assert {"name": "ASL_SCALED_QUEUES", "value": '["gpu"]'} in gateway["env"]
    gpu = next(found for found in _pods(chart_tools, "minimal") if found["metadata"]["name"].endswith("gpu"))
    assert _container(gpu)["resources"]["limits"]["nvidia.com/gpu"] == "1"


def _figures(folder, n_queued):
    """Return the figures of `/metrics` by what KEDA looks them up by: name and labels."""
    database = Database(f"sqlite:///{folder}/asl.db")
    schema.upgrade(database)
    with database.transaction() as session:
        for queue, n_jobs in n_queued.items():
            for _ in range(n_jobs):
                jobs.add(session, Job(tenant="a", submitted_by="a", kind=JobKind.PROBE, queue=queue, request={}))
        jobs.claim(session, [Queue.CPU], "worker", 60.0)
    registry = CollectorRegistry()
    registry.register(JobCollector(database))
    text = generate_latest(registry).decode()
    database.close()
    return {
        sample.name + "{" + ",".join(f'{label}="{value}"' for label, value in sample.labels.items()) + "}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _pods(chart_tools, name):
    return [found for found in chart_tools.manifests(name) if found["kind"] in {"Deployment", "Job"}]


def _container(manifest):
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return container


def _hook(manifest):
    return manifest["metadata"]["annotations"].get("helm.sh/hook")


def _is_scaled(manifest):
    return manifest["kind"] == "ScaledObject"


def _full_name(manifest):
    return manifest["kind"], manifest["metadata"]["name"]
