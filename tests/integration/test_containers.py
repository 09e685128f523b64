"""What the images and configuration of the full stack promise, read in their files."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from asl.infra import page_files
from asl.infra.settings import Settings
from services.gateway.limits import JSON_BYTES, path_limits

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "deploy" / "images"
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
STACK = COMPOSE["services"]
WATCHING = yaml.safe_load((REPOSITORY / "deploy" / "observability.yml").read_text())["services"]
DOCKERFILE = (IMAGES / "Dockerfile").read_text()
NGINX = (REPOSITORY / "deploy" / "nginx" / "nginx.conf").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
TRAINING_ONLY = {"celery", "matplotlib", "optuna", "redis", "scikit-learn", "torch"}
"""What the gateway does without; PyTorch has a lock of its own."""


def test_redis_asks_for_a_password_and_forgets_nothing_for_want_of_memory():
    command = STACK["redis"]["command"][-1]
    assert "requirepass" in command
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_each_image_is_built_once():
    built = [service["image"] for service in STACK.values() if "build" in service]
    ours = {service["image"] for service in STACK.values() if "asl-platform/" in service["image"]}
    assert sorted(built) == sorted(ours)


def test_images_end_without_root_and_without_tools_that_install():
    for target in ("gateway", "worker"):
        stage = _stage(target)
        assert stage.startswith("FROM bare")
        assert "USER" not in stage
        assert "RUN" not in stage
        assert "org.opencontainers.image.revision=${CODE_VERSION}" in stage
    assert _stage("bare").rstrip().endswith("USER 10001:10001")
    assert "venv --without-pip" in DOCKERFILE
    assert not re.search(r"^(ADD|# syntax)|curl|wget|<<", DOCKERFILE, re.MULTILINE)


def test_everything_that_images_install_has_a_hash():
    installs = [
        line for line in re.findall(r"pip .*?install[^&\n]*(?:\\\n[^&\n]*)*", DOCKERFILE) if "/wheels" not in line
    ]
    assert len(installs) >= 4
    assert all("--require-hashes" in install for install in installs)
    for lock in IMAGES.glob("*.lock"):
        packages = re.findall(r"^\S+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64})", lock.read_text(), re.MULTILINE)
        lines = [line for line in lock.read_text().splitlines() if "==" in line and not line.startswith("#")]
        assert len(packages) == len(lines) > 0, lock.name


@pytest.mark.parametrize("lock", ["gateway", "worker", "build", "page", "torch-cpu", "torch-cuda"])
def test_locks_have_the_versions_of_constraints(lock):
    pinned = _versions(REPOSITORY / "constraints.txt")
    locked = _versions(IMAGES / f"{lock}.lock")
    assert {name: version for name, version in locked.items() if pinned.get(name, version) != version} == {}


def test_the_gateways_packages_are_the_distributions():
    wanted = {_name(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["tracing"]}
    listed = {_name(line) for line in (IMAGES / "gateway.in").read_text().splitlines() if line[0] != "#"}
    assert listed == wanted - TRAINING_ONLY, "is a new dependency one of the gateway's? then: make locks"
    assert listed <= _versions(IMAGES / "gateway.lock").keys()
    assert wanted - {"torch"} <= _versions(IMAGES / "worker.lock").keys()


def test_the_page_is_fetched_with_the_npm_that_it_names():
    assert page_files.NPM_WHEEL.replace("-binaries", "") in (IMAGES / "page.in").read_text().splitlines()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs",
        "/api/v1/asl/recognitions",
        "/api/v1/asl/recognitions/batch",
        "/api/v1/asl/recognitions/sequence",
        "/api/v1/datasets/x/samples",
        "/api/v1/datasets/x/archive",
        "/api/v1/models",
    ],
)
def test_nginx_passes_bodies_as_large_as_the_gateway_takes(path):
    call = f"POST {path}"
    limits = [limit.max_bytes for limit in path_limits(Settings(_env_file=None)) if limit.pattern.fullmatch(call)]
    (taken,) = limits or [JSON_BYTES]
    assert taken <= _nginx_lid(path) <= 1.1 * taken + 2**20


def test_nginx_passes_what_the_gateway_needs():
    assert "client_header_timeout 5s;" in NGINX
    assert "proxy_request_buffering off;" in NGINX
    live = NGINX[NGINX.index("location = /api/v1/asl/live") :]
    assert "Upgrade $http_upgrade" in live
    assert "buffering off" in NGINX[NGINX.index("/events$") :]
    problems = re.findall(r"return (\d+) '(.*)';", NGINX)
    assert len(problems) >= 5
    for status, body in problems:
        problem = json.loads(body.replace("\\'", "'").replace("$id", "x"))
        assert problem["status"] == int(status)
        assert {"type", "title", "code", "detail", "hint", "request_id"} <= problem.keys()


def test_secrets_are_made_once_random_and_private(tmp_path):
    file = tmp_path / ".env"
    file.write_text("ASL_CLASSIFIER_PATH=mine.pt")  # a developer's own line, not ended

    subprocess.run([REPOSITORY / "deploy" / "make-env.sh", file], check=True, capture_output=True)
    first = file.read_text()
    subprocess.run([REPOSITORY / "deploy" / "make-env.sh", file], check=True, capture_output=True)

    assert file.read_text() == first
    assert file.stat().st_mode & 0o077 == 0
    own, *secrets = first.splitlines()
    assert own == "ASL_CLASSIFIER_PATH=mine.pt"
    values = dict(line.split("=") for line in secrets)
    assert all(re.fullmatch("[0-9a-f]{40}", value) for value in values.values())
    assert len(set(values.values())) == 4
    example = (REPOSITORY / "deploy" / "env.example").read_text()
    assert all(f"\n{name}=\n" in example for name in values)


def test_what_is_missing_for_make_up_is_told_by_its_name():
    assert "docker is not on this machine" in _need_docker(PATH="/nowhere")
    said = _need_docker(DOCKER_HOST="unix:///nowhere.sock")
    assert re.search("docker is not on|docker has no Compose|no Docker engine answers: .*nowhere.sock", said)


def _need_docker(**environment):
    tried = subprocess.run(
        [REPOSITORY / "deploy" / "need-docker.sh"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 1
    return tried.stderr


def test_every_variable_is_in_the_example():
    example = (REPOSITORY / "deploy" / "env.example").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", (REPOSITORY / "docker-compose.yml").read_text()))
    assert {name for name in used - {"CODE_VERSION"} if not re.search(rf"^#?{name}=", example, re.MULTILINE)} == set()


def test_rules_and_dashboard_ask_for_figures_that_there_are():
    folder = REPOSITORY / "deploy" / "observability"
    told = "".join(file.read_text() for file in (REPOSITORY / "services" / "gateway").glob("*.py"))
    rules = (folder / "rules.yml").read_text()
    dashboard = json.loads((folder / "grafana" / "dashboard.json").read_text())
    drawn = "\n".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])

    asked = set(re.findall(r"\basl_\w+", rules + drawn))
    assert len(asked) > 8
    assert {name for name in asked if f'"{re.sub("_(total|bucket)$", "", name)}"' not in told} == set()
    recorded = set(re.findall(r"record: (\S+)", rules))
    assert set(re.findall(r"\basl:[\w:]+", drawn)) <= recorded


def test_grafana_finds_the_dashboard_and_each_panel_its_source_and_place():
    folder = REPOSITORY / "deploy" / "observability" / "grafana"
    mounts = dict(volume.split(":")[:2] for volume in WATCHING["grafana"]["volumes"])
    assert mounts["./deploy/observability/grafana/datasource.yml"] == "/etc/grafana/provisioning/datasources/asl.yml"
    assert mounts["./deploy/observability/grafana/dashboards.yml"] == "/etc/grafana/provisioning/dashboards/asl.yml"
    (provider,) = yaml.safe_load((folder / "dashboards.yml").read_text())["providers"]
    shown = Path(mounts["./deploy/observability/grafana/dashboard.json"])
    assert (str(shown.parent), shown.suffix) == (provider["options"]["path"], ".json")
    (source,) = yaml.safe_load((folder / "datasource.yml").read_text())["datasources"]
    assert set(WATCHING["prometheus"]["networks"]) & set(WATCHING["grafana"]["networks"])
    assert source["url"] == "http://prometheus:9090"

    panels = json.loads((folder / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": source["type"], "uid": source["uid"]}
    cells = [cell for panel in panels for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "two panels lie on each other"
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_to_do_and_is_tested():
    folder = REPOSITORY / "deploy" / "observability"
    groups = yaml.safe_load((folder / "rules.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    tests = (folder / "rules_test.yml").read_text()
    for alert in alerts:
        assert alert["annotations"].keys() == {"summary", "action"}
        assert f'alertname="{alert["alert"]}"' in tests


def test_alerts_fire_when_they_should(prometheus):
    folder = REPOSITORY / "deploy" / "observability"
    for words in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        tried = subprocess.run(
            [prometheus / "promtool", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert tried.returncode == 0, tried.stdout + tried.stderr


def _cells(place):
    for x in range(place["x"], place["x"] + place["w"]):
        yield from ((x, y) for y in range(place["y"], place["y"] + place["h"]))


def _nginx_lid(path):
    """Return how large a body of a call may be: of the location that nginx chooses, or of all."""
    exact, patterns = {}, {}
    for kind, where, block in re.findall(r"location ([=~]) (\S+) \{(.*?)\}", NGINX, re.DOTALL):
        size = re.search(r"client_max_body_size (\d+)([mg]);", block)
        (exact if kind == "=" else patterns)[where] = size
    found = exact.get(path) or next((size for where, size in patterns.items() if re.search(where, path)), None)
    number, unit = (found or re.search(r"client_max_body_size (\d+)([mg]);", NGINX)).groups()
    return int(number) * {"m": 2**20, "g": 2**30}[unit]


def _stage(name):
    return re.search(rf"^FROM \S+ AS {name}\n.*?(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)[0]


def _versions(file):
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", file.read_text(), re.MULTILINE)
    return {_name(name): version for name, version in found}


def _name(requirement):
    return re.split(r"[\[>=<; ]", requirement)[0].lower().replace("_", "-").replace(".", "-")
