"""Load on a server: ready-made requests, written to plain sockets by threads, which cost its cores next to nothing."""

import contextlib
import itertools
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import urlsplit

from asl.errors import OptionsInvalid, Unavailable

RECOGNITIONS: Final = "/api/v1/asl/recognitions"
_BOUNDARY: Final = b"asl-load-boundary-5f1c0a9e"
_REFUSALS: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Target:
    """Where the calls go."""

    host: str
    port: int
    is_tls: bool = False
    path: str = ""
    """What stands before the paths of the API."""
    api_key: str | None = None

    @classmethod
    def of(cls, url: str, api_key: str | None = None) -> Self:
        """Read a server's URL.

        Raises:
            OptionsInvalid: It is none of HTTP.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise OptionsInvalid(f"expected a URL such as http://127.0.0.1:8000, found {url}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.hostname, port, parts.scheme == "https", parts.path.rstrip("/"), api_key)

    def request(self, path: str, body: bytes, content_type: str) -> bytes:
        """Build a POST, from its first line to the end of its body."""
        lines = [f"POST {self.path}{path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Type: {content_type}"]
        if self.api_key:
            lines.append(f"Authorization: Bearer {self.api_key}")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    def form(self, picture: bytes) -> bytes:
        """Build the request that sends a picture as a form's file, as curl and browsers do."""
        head = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n'
        body = head % _BOUNDARY + b"\r\n" + picture + b"\r\n--%b--\r\n" % _BOUNDARY
        return self.request(RECOGNITIONS, body, f"multipart/form-data; boundary={_BOUNDARY.decode()}")

    def raw(self, picture: bytes) -> bytes:
        """Build the request whose body is the picture."""
        return self.request(RECOGNITIONS, picture, "image/jpeg")

    def landmarks(self, hand: dict[str, Any]) -> bytes:
        """Build the request that sends a hand's landmarks."""
        return self.request(f"{RECOGNITIONS}/landmarks", json.dumps(hand).encode(), "application/json")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    retry_after_s: float
    body: bytes
    closes: bool


@dataclass
class Sample:
    """What came of one load; latencies in seconds, those of one client in the order of its calls."""

    seconds: list[float] = field(default_factory=list)
    """Of calls answered with 200, from the first byte sent to the last one read."""
    refused_s: list[float] = field(default_factory=list)
    """Of calls refused with 503 or 429: they count nowhere else."""
    failed: Counter[int] = field(default_factory=Counter)
    """How many had another status."""
    wall_s: float = 0.0

    @property
    def per_second(self) -> float:
        """Calls answered with 200 in a second."""
        return len(self.seconds) / self.wall_s

    @property
    def share_refused(self) -> float:
        """Refused calls among all."""
        n_calls = len(self.seconds) + len(self.refused_s) + self.failed.total()
        return len(self.refused_s) / max(1, n_calls)

    def add(self, other: "Sample") -> None:
        """Take in what came of another load of the same kind."""
        self.seconds += other.seconds
        self.refused_s += other.refused_s
        self.failed += other.failed
        self.wall_s += other.wall_s


def percentile(seconds: Sequence[float], rank: float) -> float:
    """Return the latency that a share of calls does not exceed, in the sequence's unit; NaN where there are none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * rank))] if ordered else float("nan")


class Connection:
    """A connection that is kept alive, and opened again where the server closes it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._open()

    def call(self, request: bytes) -> Answer:
        """Send a request and read its answer.

        Raises:
            Unavailable: The server went away, or does not speak as expected.
        """
        try:
            self._socket.sendall(request)
            answer = self._read()
            if answer.closes:
                self.close()
                self._open()
        except (OSError, ValueError) as error:
            raise Unavailable(f"no answer from {self._target.host} port {self._target.port}: {error}") from error
        return answer

    def close(self) -> None:
        """Close it."""
        self._answers.close()
        self._socket.close()

    def _open(self) -> None:
        target = self._target
        try:
            self._socket = socket.create_connection((target.host, target.port), timeout=_TIMEOUT_S)
            if target.is_tls:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=target.host)
        except OSError as error:
            raise Unavailable(f"cannot reach {target.host} port {target.port}: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def _read(self) -> Answer:
        status, headers = self._answers.readline(), {}
        if not status:
            raise ConnectionResetError("it closed the connection")
        while (line := self._answers.readline().strip().lower()) != b"":
            name, _, value = line.partition(b":")
            headers[name] = value.strip()
        if b"content-length" in headers:
            body, ends = self._answers.read(int(headers[b"content-length"])), False
        elif headers.get(b"transfer-encoding") == b"chunked":
            body, ends = b"".join(self._chunks()), False
        else:
            body, ends = b"", True
        return Answer(
            int(status.split(maxsplit=2)[1]),
            float(headers.get(b"retry-after", 0)),
            body,
            closes=ends or headers.get(b"connection") == b"close",
        )

    def _chunks(self) -> Iterator[bytes]:
        """Read a body as RFC 9112 has it in section 7.1, without trailers, which nobody sends."""
        n_bytes = -1
        while n_bytes:
            n_bytes = int(self._answers.readline().partition(b";")[0], 16)
            yield self._answers.read(n_bytes)
            self._answers.readline()


def drive(
    target: Target,
    requests: Sequence[bytes],
    *,
    n_clients: int = 1,
    seconds: float = float("inf"),
    n_calls: int | None = None,
    per_second: float | None = None,
) -> Sample:
    """Send requests, over and over in their order, and measure.

    A client sends its next call when the last is answered; one that is refused waits first, as Retry-After says. With
    `per_second`, calls are due at fixed times instead, whatever becomes of them, and nobody waits after a refusal.

    Args:
        target: The server.
        requests: From `Target`.
        n_clients: Connections, each with a thread.
        seconds: After this no call is begun.
        n_calls: After so many none is begun.
        per_second: How many calls are due in a second; clients should be plenty, for one is taken up by each call.

    Raises:
        Unavailable: The server cannot be reached, or went away.
    """
    numbers = iter(range(n_calls)) if n_calls is not None else itertools.count()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(Connection(target))) for _ in range(n_clients)]
        started = time.perf_counter()
        plan = _Plan(requests, numbers, started, started + seconds, per_second)
        with ThreadPoolExecutor(n_clients) as threads:
            parts = list(threads.map(plan.follow, connections))
        whole = Sample(wall_s=time.perf_counter() - started)
    for part in parts:
        whole.add(part)
    return whole


@dataclass(frozen=True)
class _Plan:
    requests: Sequence[bytes]
    numbers: Iterator[int]
    started: float
    deadline: float
    per_second: float | None

    def follow(self, connection: Connection) -> Sample:
        sample = Sample()
        for number in self.numbers:
            if not self._wait_for(number):
                break
            request = self.requests[number % len(self.requests)]
            began = time.perf_counter()
            answer = connection.call(request)
            took_s = time.perf_counter() - began
            if answer.status == HTTPStatus.OK:
                sample.seconds.append(took_s)
            elif answer.status in _REFUSALS:
                sample.refused_s.append(took_s)
                if self.per_second is None:
                    self._sleep_until(time.perf_counter() + answer.retry_after_s)
            else:
                sample.failed[answer.status] += 1
        return sample

    def _wait_for(self, number: int) -> bool:
        """Wait until a call is due; tell whether it is still to be sent."""
        if self.per_second is not None:
            self._sleep_until(self.started + number / self.per_second)
        return time.perf_counter() < self.deadline

    def _sleep_until(self, moment: float) -> None:
        threading.Event().wait(max(0.0, min(moment, self.deadline) - time.perf_counter()))
