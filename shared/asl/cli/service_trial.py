"""A first call to a service that has just started: a rendered hand, posted as any client would."""

import http.client
import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from asl.cli import console
from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand

RECOGNITIONS: Final = "/api/v1/asl/recognitions"
_SAMPLE_LETTER: Final = "L"
_SAMPLE_SEED: Final = 1
_BOUNDARY: Final = "asl-sample-boundary"  # never within a JPEG file: the sample is ours
_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class Service:
    """Where a service listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address for people."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def is_up(self) -> bool:
        """Tell whether anything answers; `/readyz` may still say that a model is missing."""
        try:
            self.call("GET", "/readyz")
        except OSError:
            return False
        return True

    def call(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> tuple[int, Any]:
        """Send one request; returns the status and the JSON of the answer."""
        # Not urllib's openers: those follow proxy settings of the environment, even to this machine.
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body or None, {"Content-Type": content_type} if content_type else {})
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()


def introduce(service: Service, *, demo: bool) -> None:
    """Print what is served where, what came of a first call, and the line with which to make the next."""
    picture = _render_sample()
    _print(f"serving  {service.url}")
    _print(f"docs     {service.url}/docs")
    status, readiness = service.call("GET", "/readyz")
    if status != http.client.OK:
        console.err.print(f"not ready: {readiness['detail']}", style="red", markup=False)
        _print(f"hint:  {readiness['hint']}")
    elif demo:
        _print(_try_sample(service, picture))
    _print(f"try      curl -F {shlex.quote(f'file=@{_save(picture)}')} {service.url}{RECOGNITIONS}")
    _print("stop     Ctrl-C")


def _render_sample() -> bytes:
    return encode_jpeg(render_hand(_SAMPLE_LETTER, seed=_SAMPLE_SEED).image)


def _save(picture: bytes) -> Path:
    """Keep the sample where the user can send it from; a read-only cache folder only costs the user the file."""
    path = platformdirs.user_cache_path("asl-platform") / f"sample-{_SAMPLE_LETTER}.jpg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    except OSError:
        return Path("path/to/sign_image.jpg")
    return path


def _try_sample(service: Service, picture: bytes) -> str:
    started = time.perf_counter()
    status, answer = service.call("POST", RECOGNITIONS, _form(picture), f"multipart/form-data; boundary={_BOUNDARY}")
    took_ms = round((time.perf_counter() - started) * 1000)
    if status != http.client.OK:
        return f"sample   a rendered hand was not read: {answer['detail']}"
    read = f"read as {answer['letter']} ({answer['confidence']:.2f})" if answer["letter"] else "not found"
    return f"sample   a rendered hand signing {_SAMPLE_LETTER} was {read}, {took_ms} ms"


def _form(picture: bytes) -> bytes:
    disposition = f'Content-Disposition: form-data; name="file"; filename="sample-{_SAMPLE_LETTER}.jpg"'
    head = f"--{_BOUNDARY}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
    return head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _print(line: str) -> None:
    console.err.print(line, markup=False)
