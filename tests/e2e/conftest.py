"""The gateway as a process of its own, started on a free port as an operator would."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import server_process
from axe import Axe
from browsers import STILL_LETTERS, BrowserMissing, Visit, running, write_film
from PIL import Image
from playwright.sync_api import Browser

from asl.errors import PageUnavailable
from asl.infra import page_files

RECOGNITIONS = "/api/v1/asl/recognitions"
_START_LIMIT_S = 180


class Served:
    """A running gateway."""

    def __init__(self, command: list[str], port: int, folder: Path, settings: dict[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "server.log"
        home = {"ASL_HOME": str(folder / "home")}
        kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=kept | home | settings, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120, trust_env=False)

    def recognize(self, data: bytes, **kwargs: object) -> httpx.Response:
        return httpx.post(
            self.url + RECOGNITIONS, files={"file": ("a.jpg", data)}, timeout=120, trust_env=False, **kwargs
        )

    def talk(self, parts: Iterable[bytes], limit_s: float = 60) -> bytes:
        """Send bytes as they are, and return all that comes back until the server closes the connection."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=limit_s) as connection:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    answer += piece
        return answer

    def wait_until_answering(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError), self.client() as client:
                client.get("/healthz")
                return
            time.sleep(0.05)
        pytest.fail(f"the server did not start:\n{self.log}")

    def wait_for_log(self, text: str, limit_s: float = 90) -> str:
        deadline = time.monotonic() + limit_s
        while text not in self.log:
            if time.monotonic() > deadline:
                pytest.fail(f"expected {text!r} in:\n{self.log}")
            time.sleep(0.05)
        return self.log

    def end(self, number: int = signal.SIGTERM, limit_s: float = 60) -> int:
        self.process.send_signal(number)
        return self.process.wait(limit_s)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    return server_process.free_port


@pytest.fixture(scope="session")
def start_service(
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
    landmarker_path: Path,  # noqa: ARG001 - skips where there is none
) -> Iterator[Callable[..., Served]]:
    """Start gateways with settings of their own, in folders of their own; all are ended with the tests."""
    started: list[Served] = []

    def start(*, folder: Path | None = None, **settings: str) -> Served:
        port = free_port()
        command = [sys.executable, "-m", "services.gateway"]
        command += ["--port", str(port)]
        started.append(Served(command, port, folder or tmp_path_factory.mktemp("service"), settings))
        started[-1].wait_until_answering()
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.end()


@pytest.fixture(scope="session")
def service(start_service: Callable[..., Served]) -> Served:
    return start_service(ASL_RECOGNITION_THREADS="2")


@pytest.fixture(scope="session")
def blank_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (320, 240), "teal").save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="session")
def page_is_there() -> None:
    if not page_files.folder().is_dir():
        _miss("the page's files are missing: asl page")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, page_is_there: None) -> Path:  # noqa: ARG001 - skips where it is not
    """Return a film of a hand that shows the letters of `STILL_LETTERS`, one after another."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mjpeg", STILL_LETTERS)


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    """Lend a browser whose camera sees the film.

    Ended with its module: Playwright keeps an event loop running, and other tests run loops of their own.
    """
    with contextlib.ExitStack() as stack:
        try:
            lent = stack.enter_context(running(film))
        except BrowserMissing as error:
            _miss(str(error))
        yield lent


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Axe:
    try:
        return Axe(tmp_path_factory.mktemp("axe"))
    except PageUnavailable as error:
        _miss(error.message)


def _miss(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _is_kept(name: str) -> bool:
    """Leave a developer's own settings out, but for where the landmarker lies."""
    return not name.startswith("ASL_") or name == "ASL_HAND_LANDMARKER_PATH"


@pytest.fixture(scope="module")
def run(browser: Browser, service: Served) -> Iterator[Callable[[str], Any]]:
    """Run lines of JavaScript among the page's modules, and return what they return."""
    with Visit(browser, service.url) as visit:
        yield lambda lines: visit.page.evaluate(f"(async () => {{ {lines} }})()")
