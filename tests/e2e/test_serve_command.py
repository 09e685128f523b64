"""`asl serve` as its user meets it: what it prints, what it refuses, how it ends."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pace import PATIENCE_S, wait_until

ASL = [sys.executable, "-c", "from asl.cli.main import main; main()", "serve"]


class Command:
    """A running `asl serve`, and what it said so far."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self._log = folder / "serve.log"
        # Jobs that give way would starve beside other tests.
        self.environment = os.environ | {"ASL_HOME": str(folder / "home"), "ASL_JOB_NICENESS": "0"} | settings
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*ASL, *options], cwd=folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, limit_s: float = 180) -> str:
        deadline = time.monotonic() + limit_s
        while text not in self.said:
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"expected {text!r} in:\n{self.said}")
            time.sleep(0.05)
        return self.said

    def end(self, number: signal.Signals) -> None:
        """Send a signal, and check that all ends well."""
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE_S) == 128 + number
        assert "Application shutdown complete" in self.said
        assert "Traceback" not in self.said


@pytest.fixture
def run(tmp_path: Path, landmarker_path: Path) -> Iterator[Callable[..., Command]]:  # noqa: ARG001 - skips without
    started: list[Command] = []

    def start(*options: str, **settings: str) -> Command:
        started.append(Command(tmp_path, *options, **settings))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.terminate()
            command.process.wait(PATIENCE_S)


def test_serves_tries_itself_and_ends_with_its_child(run: Callable[..., Command], free_port: Callable[[], int]) -> None:
    port = free_port()
    command = run("--port", str(port))
    said = command.wait_for("Ctrl-C\n")
    assert re.search(r"a rendered hand signing L was read as L \(\d\.\d\d\), \d+ ms", said)
    assert f"http://127.0.0.1:{port}/docs" in said

    line = next(line for line in said.splitlines() if "curl -F" in line)
    words = shlex.split(line)[1:]
    picture = Path(words[2].removeprefix("file=@"))
    assert picture.read_bytes().startswith(b"\xff\xd8")
    if shutil.which("curl"):
        done = subprocess.run([words[0], "-s", *words[1:]], capture_output=True, text=True, timeout=120, check=True)
        assert '"letter":"L"' in done.stdout

    command.end(signal.SIGINT)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=60)


def test_without_its_model_it_serves_and_says_why(run: Callable[..., Command], free_port: Callable[[], int]) -> None:
    command = run("--port", str(free_port()), ASL_CLASSIFIER_PATH="gone.pt")
    said = command.wait_for("Ctrl-C\n")
    assert "not ready: classifier" in said
    assert "was read as" not in said
    command.end(signal.SIGTERM)


def test_a_port_in_use_is_told_before_anything_starts(free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run([*ASL, "--port", str(port)], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert f"--port {port + 1}" in done.stderr
    assert "starting" not in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "example.org"])  # noqa: S104 - refused
def test_no_key_and_an_address_that_others_can_reach_are_refused_together(host: str) -> None:
    done = subprocess.run(
        [*ASL, "--host", host],
        env=os.environ | {"ASL_REQUIRE_KEY": "false"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 2
    assert host in done.stderr
    assert "ASL_REQUIRE_KEY" in done.stderr


def test_where_others_can_reach_it_calls_need_a_key(
    run: Callable[..., Command], free_port: Callable[[], int], hand_jpeg: Callable[..., bytes], tmp_path: Path
) -> None:
    port = free_port()
    command = run("--host", "0.0.0.0", "--port", str(port))  # noqa: S104 - the point
    said = command.wait_for("Ctrl-C\n")
    assert f"http://127.0.0.1:{port}/docs" in said
    assert "rendered" not in said
    made = subprocess.run(
        [*ASL[:-1], "key", "create", "tablet"], cwd=tmp_path, env=command.environment, capture_output=True, text=True,
        timeout=180, check=True,
    )  # fmt: skip
    url, files = f"http://127.0.0.1:{port}/api/v1/asl/recognitions", {"file": ("l.jpg", hand_jpeg("L"))}
    assert httpx.post(url, files=files, trust_env=False, timeout=60).status_code == 401
    key = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert httpx.post(url, files=files, headers=key, trust_env=False, timeout=60).json()["letter"] == "L"


def test_a_worker_that_dies_is_started_again(run: Callable[..., Command], free_port: Callable[[], int]) -> None:
    port = free_port()
    command = run("--port", str(port), "--no-demo")
    command.wait_for("worker ready")
    children = Path(f"/proc/{command.process.pid}/task/{command.process.pid}/children").read_text().split()
    (worker,) = (int(pid) for pid in children if b"services.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(worker, signal.SIGKILL)
    command.wait_for("it is started again")
    made = httpx.post(f"http://127.0.0.1:{port}/api/v1/jobs", json={"kind": "probe"}, trust_env=False, timeout=60)
    job = f"http://127.0.0.1:{port}{made.headers['Location']}"
    wait_until(lambda: httpx.get(job, trust_env=False, timeout=60).json()["state"] == "succeeded", 180)
    command.end(signal.SIGTERM)


def test_a_wrong_setting_ends_it_with_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ASL_MAX_NUM_HANDS=many\n")
    done = subprocess.run(ASL, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 2
    assert "ASL_MAX_NUM_HANDS" in done.stderr
    assert "Traceback" not in done.stderr
