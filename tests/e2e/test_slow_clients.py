"""Clients that mean to keep connections: closed in time, while others are served."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

RECOGNITIONS = "/api/v1/asl/recognitions"
N_SLOW = 60
LIMIT_S = 20
"""Five seconds are allowed for headers; uvicorn by itself has no limit, and a busy machine may stand still."""


def _drip(port: int) -> float:
    """Send a header a byte at a time; return after how long the server had enough."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        connection.settimeout(0.25)
        while time.monotonic() - started < 3 * LIMIT_S:
            try:
                connection.sendall(b"a")
                if not connection.recv(1000).startswith(b"HTTP/1.1 408"):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
            else:
                break
    return time.monotonic() - started


def test_dripping_headers_are_closed_and_others_served_meanwhile(service: Any, hand_jpeg: Any) -> None:
    picture = hand_jpeg("L", seed=1)
    with ThreadPoolExecutor(N_SLOW) as pool:
        slow = [pool.submit(_drip, service.port) for _ in range(N_SLOW)]
        time.sleep(0.5)
        assert [service.recognize(picture).json()["letter"] for _ in range(5)] == ["L"] * 5
        took_s = [one.result() for one in slow]
    assert max(took_s) < LIMIT_S
    assert min(took_s) > 1


def test_a_connection_that_says_nothing_is_closed(service: Any) -> None:
    started = time.monotonic()
    answer = service.talk([], limit_s=LIMIT_S)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started < LIMIT_S


def test_a_connection_that_is_used_again_and_again_stays(service: Any) -> None:
    with service.client() as client:
        assert client.get("/healthz").status_code == 200
        for _ in range(3):
            time.sleep(2)
            assert client.get("/healthz").status_code == 200


def test_the_gateway_explains_itself() -> None:
    command = [sys.executable, "-m", "services.gateway", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "--host" in done.stdout
