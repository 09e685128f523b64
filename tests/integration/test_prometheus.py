"""A real Prometheus with our rules watches a real gateway, and answers every question of the dashboard with figures."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
import yaml
from databases import fresh
from gateways import running, settings_of
from server_process import Server
from sqlalchemy import update

from asl.contracts import JobError, JobKind, Queue
from asl.infra import components, jobs
from asl.infra.database import now
from asl.infra.tables import Job

FOLDER = Path(__file__).parents[2] / "deploy" / "observability"
PANELS = json.loads((FOLDER / "grafana" / "dashboard.json").read_text())["panels"]
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
QUESTIONS = {target["expr"] for panel in PANELS for target in panel["targets"]}
QUESTIONS |= {name for rule in RULES for name in re.findall(r"\basl[_:][\w:]+|\bup\b", rule["expr"])}
"""What the dashboard draws, and each figure that a rule looks at: an alert without its figure is never heard of."""
PATIENCE_S = 120


class Prometheus(Server):
    """Debian's package, with our configuration; only where and how often it looks is changed."""

    def __init__(self, *gateways):
        super().__init__()
        config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(FOLDER / "rules.yml")]
        (job,) = config["scrape_configs"]
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"{url.host}:{url.port}" for url in gateways]}]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=60)

    def _command(self):
        address = f"--web.listen-address=127.0.0.1:{self.port}"
        return [shutil.which("prometheus"), address, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]

    def close(self):
        self.client.close()
        super().close()

    def _is_ready(self):
        try:
            return self.client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, expression):
        """Evaluate an expression as Grafana does; returns its samples."""
        answer = self.client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]


@pytest.fixture
def database(request, tmp_path):
    with fresh("sqlite", request, tmp_path) as opened:
        yield opened


def _add(session, n_jobs, queue=Queue.CPU):
    for _ in range(n_jobs):
        jobs.add(session, Job(tenant="a", submitted_by="a", kind=JobKind.PROBE, queue=queue, request={}))


def _begin(database):
    """Make a platform at work: workers of both queues, of which one falls silent, and jobs that wait."""
    with database.transaction() as session:
        _add(session, 20)
        _add(session, 2, Queue.GPU)
        for number, queues in enumerate((["cpu"], ["gpu"])):
            components.tell(session, f"w{number}", "worker", {"queues": queues, "n_fenced": 0})
        for _ in range(5):
            assert jobs.claim(session, [Queue.CPU], "w0", lease_s=60.0)


def _go_on(database):
    """Let five jobs fall to others, and many end, most of them badly."""
    with database.transaction() as session:
        session.execute(update(Job).where(Job.lease_until.is_not(None)).values(lease_until=now() - 1))
        assert len(jobs.take_back_expired(session)) == 5
        components.tell(session, "w0", "worker", {"queues": ["cpu"], "n_fenced": 3})
        for number in range(10):
            held = jobs.claim(session, [Queue.CPU], "w0", lease_s=60.0)
            if number < 3:
                assert jobs.succeed(session, held, {})
            else:
                assert jobs.fail(session, held, JobError(code="x", message="bad"), retry=False)
        assert jobs.claim(session, [Queue.CPU], "w0", lease_s=60.0)


def _ask_all(prometheus, client):
    """Ask all questions until none is without an answer; returns those that are."""
    unanswered = QUESTIONS
    deadline = time.monotonic() + PATIENCE_S
    while unanswered and time.monotonic() < deadline:
        client.post("/api/v1/asl/recognitions", files={"file": b"no picture"})
        time.sleep(0.5)
        unanswered = {expr for expr in unanswered if not _is_answered(prometheus.ask(expr))}
    return unanswered


def _is_answered(samples):
    return any(sample["value"][1] != "NaN" for sample in samples)


@pytest.mark.usefixtures("prometheus")
def test_every_question_of_dashboard_and_rules_is_answered(database, tmp_path):
    _begin(database)
    url = database.engine.url.render_as_string(hide_password=False)
    settings = settings_of(tmp_path, database_url=url, require_key=False)
    with running(settings) as client, Prometheus(client.base_url) as prometheus:
        _wait_for(prometheus, 'asl_jobs{queue="cpu", state="running"}')
        _go_on(database)

        assert _ask_all(prometheus, client) == set()

        for queue, n_queued in (("cpu", 9), ("gpu", 2)):
            _wait_for(prometheus, f'asl:queued:jobs{{queue="{queue}"}} == {n_queued}')
        with database.transaction() as session:  # on a slow machine it was not heard of for long
            components.tell(session, "w0", "worker", {"queues": ["cpu"], "n_fenced": 3})
        _wait_for(prometheus, 'asl:jobs_per_worker{queue="cpu"} == 1')
        for alert in ("WorkersVanish", "JobsFail"):
            _wait_for(prometheus, f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
        groups = prometheus.client.get("/api/v1/rules").json()["data"]["groups"]
        judged = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
        assert judged == {rule.get("record") or rule["alert"]: "ok" for rule in RULES}


def _wait_for(prometheus, expression):
    deadline = time.monotonic() + PATIENCE_S
    while not prometheus.ask(expression):
        assert time.monotonic() < deadline, f"{expression}: {prometheus.client.get('/api/v1/targets').text}"
        time.sleep(0.2)


def test_the_configuration_is_sound(prometheus):
    tried = subprocess.run(
        [prometheus / "promtool", "check", "config", "--syntax-only", FOLDER / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
