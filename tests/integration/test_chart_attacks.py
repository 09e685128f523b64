"""What every pod of the chart must hold to, read in what Helm renders: fault S10 of the account of attacks."""

import re

import pytest
from charts import VALUES

STORES = {5432, 6379, 9000}
"""Ports of database, Redis and object store in ci/full-values.yaml."""
WRITABLE = {"/tmp", "/var/lib/asl", "/var/lib/asl/scratch"}  # noqa: S108 - names, nothing is opened


@pytest.fixture(params=VALUES)
def manifests(request, chart_tools):
    return chart_tools.manifests(request.param)


@pytest.fixture
def pods(manifests):
    return [found["spec"]["template"] for found in manifests if found["kind"] in {"Deployment", "Job"}]


def test_pods_hold_to_the_restricted_standard(pods):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and what it does not ask for."""
    assert len(pods) == 5
    for pod in (template["spec"] for template in pods):
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"} & pod.keys()
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        security = pod["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"], security["runAsGroup"]) == (True, 10001, 10001)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            assert not any("hostPort" in port for port in container.get("ports", []))


def test_pods_write_into_bounded_empty_folders_alone(pods):
    for pod in (template["spec"] for template in pods):
        for volume in pod["volumes"]:
            assert volume.keys() == {"name", "emptyDir"}
            assert volume["emptyDir"]["sizeLimit"]
        for container in pod["containers"]:
            assert {mount["mountPath"] for mount in container["volumeMounts"]} <= WRITABLE


def test_pods_have_limits_and_are_watched(manifests):
    for found in manifests:
        if found["kind"] in {"Deployment", "Job"}:
            (container,) = found["spec"]["template"]["spec"]["containers"]
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert container["image"].rpartition(":")[2] not in {"", "latest"}
        if found["kind"] == "Deployment":
            assert container.keys() >= {"startupProbe", "livenessProbe"}


def test_no_secret_stands_in_a_manifest(pods, manifests):
    for template in pods:
        (container,) = template["spec"]["containers"]
        for variable in container["env"]:
            assert not re.search("://[^/]*:[^/]*@", variable.get("value", "")), "an address with a password"
            if re.search("SECRET|ACCESS_KEY|API_KEY|TOKEN|DATABASE_URL|REDIS_URL|PASSWORD", variable["name"]):
                assert variable.keys() == {"name", "valueFrom"}
                assert variable["valueFrom"]["secretKeyRef"].keys() == {"name", "key"}
    assert not any(found["kind"] == "Secret" for found in manifests)


def test_nothing_is_published_but_by_the_ingress_and_metrics_never(manifests):
    services = [found["spec"] for found in manifests if found["kind"] == "Service"]
    assert [service.get("type", "ClusterIP") for service in services] == ["ClusterIP"]
    for ingress in (found["spec"] for found in manifests if found["kind"] == "Ingress"):
        (rule,) = ingress["rules"]
        paths = [(path["pathType"], path["path"]) for path in rule["http"]["paths"]]
        assert ("Prefix", "/api") in paths
        assert ("Exact", "/") in paths
        assert not any("/metrics".startswith(path.rstrip("/")) for kind, path in paths if kind == "Prefix")
        assert ("Exact", "/metrics") not in paths


def test_every_deployment_survives_a_nodes_maintenance(manifests):
    budgets = [found["spec"] for found in manifests if found["kind"] == "PodDisruptionBudget"]
    deployments = [found["spec"] for found in manifests if found["kind"] == "Deployment"]
    for deployment in deployments:
        labels = deployment["template"]["metadata"]["labels"]
        assert [budget["maxUnavailable"] for budget in budgets if _selects(budget["selector"], labels)] == [1]
        assert _selects(deployment["selector"], labels)
        for constraint in deployment["template"]["spec"]["topologySpreadConstraints"]:
            assert _selects(constraint["labelSelector"], labels)


@pytest.mark.parametrize("part", ["worker-cpu", "worker-gpu", "dispatcher", "gateway", "migrate"])
def test_pods_reach_the_stores_and_nothing_else(chart_tools, part):
    """By all policies that select them together; only the dispatcher tells others of a job's end."""
    policies = [found["spec"] for found in chart_tools.manifests("full") if found["kind"] == "NetworkPolicy"]
    (labels,) = [
        found["spec"]["template"]["metadata"]["labels"]
        for found in chart_tools.manifests("full")
        if found["kind"] in {"Deployment", "Job"} and found["metadata"]["name"].endswith(part)
    ]
    ours = [policy for policy in policies if _selects(policy["podSelector"], labels)]
    assert all(policy["policyTypes"] == ["Ingress", "Egress"] for policy in ours)
    ways_in = [way for policy in ours for way in policy.get("ingress", [])]
    ways_out = [way for policy in ours for way in policy["egress"]]
    assert all(way["to"] and way["ports"] for way in ways_out), "an empty list would allow everything"
    expected = {"gateway": STORES - {6379}, "dispatcher": STORES | {443}, "migrate": {5432}}.get(part, STORES)
    ports = {(port["protocol"], port["port"]) for way in ways_out for port in way["ports"]}
    assert ports == {("TCP", port) for port in expected} | {("TCP", 53), ("UDP", 53)}
    for way in ways_out:
        if {port["port"] for port in way["ports"]} <= STORES:
            assert way["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "stores"}}}]
    if part != "gateway":
        assert ways_in == []
    else:
        assert [port["port"] for way in ways_in for port in way["ports"]] == [8000]
        assert all(way["from"] for way in ways_in)


def _selects(selector, labels):
    assert selector.keys() == {"matchLabels"}
    return selector["matchLabels"].items() <= labels.items()
