"""The full stack on a real Docker engine: started as its user does, looked into, and broken."""

import json
import os
import secrets
import subprocess
import time
from pathlib import Path

from server_process import free_port

from asl.client import Client
from asl.errors import Unavailable

REPOSITORY = Path(__file__).parents[2]

# Leases and checkpoints as short as tests need them; all else is as it is delivered.
_OVERRIDE = """
services:
  worker-cpu: &quick
    environment: {ASL_CHECKPOINT_S: "0.5"}
  worker-gpu: *quick
"""


def why_no_engine():
    """Tell why there is no Docker engine to use; None where there is one."""
    for command in (["docker", "version"], ["docker", "compose", "version"]):
        try:
            tried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{' '.join(command)}: {error}"
        if tried.returncode:
            return f"{' '.join(command)}: {tried.stderr.strip()[-200:]}"
    return None


class Stack:
    """One project of Compose, with volumes of its own."""

    def __init__(self, folder, name=None):
        self.name = name or f"asl-test-{secrets.token_hex(3)}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env_file = folder / f"{self.name}.env"
        self._override = folder / f"{self.name}.yml"
        self._override.write_text(_OVERRIDE)
        subprocess.run([REPOSITORY / "deploy" / "make-env.sh", self.env_file], check=True, capture_output=True)
        with self.env_file.open("a") as file:
            file.write(f"HTTP_PORT={self.port}\nLEASE_S=5\n")
        self._compose = ["docker", "compose", "--project-name", self.name, "--env-file", self.env_file]
        self._compose += ["--file", "docker-compose.yml", "--file", self._override]
        self.key = None

    def compose(self, *words):
        """Run `docker compose`; returns what it printed."""
        return _run([*self._compose, *words], 300, cwd=REPOSITORY)

    def run_script(self, name, *words):
        """Run a script of `deploy/` on this stack."""
        command = [REPOSITORY / "deploy" / name, *words]
        return _run(command, 300, cwd=REPOSITORY, env=os.environ | {"COMPOSE": " ".join(map(str, self._compose))})

    def build(self):
        revision = _run(["git", "rev-parse", "HEAD"], 10, cwd=REPOSITORY).strip()
        # One after the other: an engine without BuildKit would build what the images have in common twice.
        environment = os.environ | {"CODE_VERSION": revision, "COMPOSE_PARALLEL_LIMIT": "1"}
        _run([*self._compose, "build"], 1200, cwd=REPOSITORY, env=environment)
        return revision

    def up(self, *words):
        """Start all and wait until it is healthy; returns how many seconds that took."""
        started = time.monotonic()
        self.compose("up", "--detach", "--wait", "--no-build", *words)
        return time.monotonic() - started

    def down(self, *words):
        self.compose("down", *words)

    def make_key(self):
        made = self.compose("exec", "-T", "gateway", "asl", "key", "create", f"key-{secrets.token_hex(3)}", "--json")
        self.key = json.loads(made)["secret"]
        return self.key

    def client(self, patience_s=60):
        return Client(self.url, self.key, patience_s=patience_s)

    def containers(self, service):
        """List the ids of a service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def run_in(self, container, code):
        """Run a line of Python in a container; returns what it printed."""
        return _run(["docker", "exec", container, "python", "-c", code], 60)

    def logs_of(self, container):
        found = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        return found.stdout + found.stderr

    def holder(self, job_id, service, timeout_s=60):
        """Wait until a container of a service has taken a job, and return its id."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for container in self.containers(service):
                if any("job taken" in line and job_id in line for line in self.logs_of(container).splitlines()):
                    return container
            time.sleep(0.5)
        raise AssertionError(f"no {service} took {job_id}")

    def wait_until(self, is_so, timeout_s=90):
        """Wait until what `/readyz` tells fits."""
        deadline = time.monotonic() + timeout_s
        found = None
        while time.monotonic() < deadline:
            with self.client(patience_s=1) as client:
                try:
                    found = client.readiness()
                except Unavailable:
                    found = None
            if found and is_so(found):
                return found
            time.sleep(0.5)
        raise AssertionError(f"last found: {found}\n{self.compose('logs', '--tail', '20')}")

    def docker(self, *words):
        return _run(["docker", *words], 120)


def is_whole(readiness):
    return readiness["status"] == "ready"


def _run(command, timeout_s, **options):
    words = [str(word) for word in command]
    options |= {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    done = subprocess.run(words, timeout=timeout_s, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
