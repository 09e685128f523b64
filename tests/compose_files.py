"""The files that make the full stack's containers, and what may not stand in them (fault S10 of the attacks)."""

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
DOCKERFILE = REPOSITORY / "deploy" / "images" / "Dockerfile"
OVERRIDES = {"gpu": REPOSITORY / "deploy" / "gpu.yml", "watching": REPOSITORY / "deploy" / "observability.yml"}
ONCE = {"migrate", "bucket", "minio-volume"}
"""Services that do one thing at each start, and end."""
OWN_IMAGES = {"asl-platform/gateway", "asl-platform/worker", "asl-platform/worker-cuda"}
"""Built here, under a name without a tag."""

_KNOWN = {
    "build", "cap_drop", "command", "cpu_shares", "cpus", "depends_on", "deploy", "dns_opt", "environment",
    "healthcheck", "image", "init", "logging", "mem_limit", "networks", "pids_limit", "ports", "profiles", "read_only",
    "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip
"""Whatever else Compose knows gives a container more: who needs it thinks about it, and adds it here."""
_OF_THE_VOLUMES_JOB = {"cap_add", "network_mode"}
_NETWORKS = {"nginx": {"front", "edge"}, "gateway": {"edge", "data"}, "minio-volume": set()}
_WATCHING_NETWORKS = {"prometheus": {"edge", "watch"}, "grafana": {"watch", "front"}}
_PORTS = {
    "nginx": ["${HTTP_BIND:-127.0.0.1}:${HTTP_PORT:-8000}:8080"],
    "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
}
_USERS = {"10001:10001", "postgres", "redis", "nobody", "472"}
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY")
_REQUIRED = re.compile(r"\$\{\w+:\?[^}]+\}")


def load():
    """Return the stack's file with its overrides laid upon it, as Compose merges what they use of it."""
    stack = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    for file in OVERRIDES.values():
        over = yaml.safe_load(file.read_text())
        for name, service in over["services"].items():
            stack["services"][name] = stack["services"].get(name, {}) | service
        for kind in ("networks", "volumes"):
            stack[kind] |= over.get(kind, {})
    return stack


def faults(stack):
    """Return what is wrong with a stack, a line each that begins with the service's name."""
    found = [f"{name}: {fault}" for name, service in stack["services"].items() for fault in _service(name, service)]
    for name, network in stack["networks"].items():
        if network != (None if name == "front" else {"internal": True}):
            found.append(f"network {name}: has a way out, or more than it needs")
    return found + [f"volume {name}: has options" for name, volume in stack["volumes"].items() if volume]


def dockerfile_faults(text):
    """Return what is wrong with the images' file."""
    found = []
    stages = {"${PYTHON_IMAGE}"}
    for image, stage in re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE):
        if image not in stages:
            found.append(f"{stage}: from {image}")
        stages.add(stage)
    if not re.search(r"^ARG PYTHON_IMAGE=\S+:\d\S+$", text, re.MULTILINE):
        found.append("the base image has no version")
    if re.findall(r"^USER .*", text, re.MULTILINE) != ["USER 10001:10001"]:
        found.append("the user is not 10001")
    found += [
        f"{line[:60]}: sets a secret"
        for line in re.findall(r"^(?:ENV|ARG|LABEL) .*", text, re.MULTILINE)
        if _SECRET.search(line)
    ]
    found += re.findall(r"^(?:ADD|# syntax).*|.*\b(?:curl|wget|sudo)\b.*|.*<<.*|.*chmod [ug+]*s.*", text, re.MULTILINE)
    return found


def _service(name, service):
    known = _KNOWN | (_OF_THE_VOLUMES_JOB if name == "minio-volume" else set())
    yield from (f"{key}: may it have that?" for key in service.keys() - known)
    yield from _rights(name, service)
    yield from _limits(service)
    yield from _ways(name, service)
    yield from _life(name, service)
    yield from _secrets(service)


def _rights(name, service):
    if service.get("read_only") is not True:
        yield "read_only: can write to its root"
    if service.get("cap_drop") != ["ALL"]:
        yield "cap_drop: keeps capabilities"
    if service.get("cap_add", []) != (["CHOWN"] if name == "minio-volume" else []):
        yield "cap_add: has capabilities"
    if service.get("security_opt") != ["no-new-privileges:true"]:
        yield "security_opt: may gain rights"
    image = service.get("image", "")
    image = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", image)
    if image not in OWN_IMAGES and not re.search(r":(?!latest$)[\w.-]+$", image):
        yield f"image: {image} has no version"
    user = service.get("user")
    if name == "minio-volume":  # gives a folder away; it has no network, and ends
        if (user, service.get("network_mode"), service.get("restart")) != ("0:0", "none", "no"):
            yield "user: root with a network, or for long"
    elif user is not None if image in OWN_IMAGES else user not in _USERS:  # our own images say so themselves
        yield f"user: {user}"


def _limits(service):
    if not service.get("mem_limit"):
        yield "mem_limit: none"
    if not 0 < service.get("pids_limit", 0) <= 512:
        yield "pids_limit: none"
    if not service.get("logging", {}).get("options", {}).get("max-size"):
        yield "logging: fills the disk"
    if not all("size=" in mount for mount in service.get("tmpfs", [])):
        yield "tmpfs: has no size"


def _ways(name, service):
    if set(service.get("networks", [])) != (_NETWORKS | _WATCHING_NETWORKS).get(name, {"data"}):
        yield "networks: not its own"
    if service.get("ports", []) != _PORTS.get(name, []):
        yield "ports: publishes what it need not"
    if name in _WATCHING_NETWORKS and service.get("profiles") != ["observability"]:
        yield "profiles: starts unasked"
    for volume in service.get("volumes", []):
        if not re.fullmatch(r"[\w-]+:/[\w/.-]+|\./deploy/[\w/.-]+:/[\w/.-]+:ro", str(volume)):
            yield f"volumes: {volume}"
    devices = service.get("deploy", {}).keys() - {"replicas"}
    if devices != ({"resources"} if name == "worker-gpu" else set()):
        yield "deploy: more than replicas"


def _life(name, service):
    if service.get("restart") != ("no" if name in ONCE else "unless-stopped"):
        yield "restart: not started again, or for ever"
    if name not in ONCE and not (service.get("healthcheck", {}).get("test") and service.get("stop_grace_period")):
        yield "healthcheck: nobody watches it"
    for other, how in service.get("depends_on", {}).items():
        if how["condition"] != ("service_completed_successfully" if other in ONCE else "service_healthy"):
            yield f"depends_on: does not wait for {other}"


def _secrets(service):
    """No secret has a value here, nor one to fall back on: in the environment, in an address, in a command."""
    for key, value in service.get("environment", {}).items():
        if _SECRET.search(key) and not _REQUIRED.fullmatch(str(value)):
            yield f"environment: {key} has a value"
    if service.get("environment", {}).get("ASL_REQUIRE_KEY", "true") != "true":
        yield "environment: answers without a key"
    text = yaml.safe_dump(service, width=10_000)
    for password in re.findall(r"://\w*:(.*?)@", text):
        if not _REQUIRED.fullmatch(password):
            yield "an address with a password"
    for variable, fallback in re.findall(r"\$\{(\w+)(.*?)\}", text):
        if _SECRET.search(variable) and not fallback.startswith(":?"):
            yield f"{variable}: has a default"
