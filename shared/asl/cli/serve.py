"""`asl serve`: the HTTP service on this machine, tried once before it is handed over."""

import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from asl.cli import console
from asl.cli.service_trial import Service, introduce
from asl.errors import OptionsInvalid, Unavailable
from asl.infra.settings import load_settings

_APP: Final = "services.gateway.app:create_app"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_S: Final = 0.1
_DRAIN_S: Final = 5
"""How long the server lets calls at work finish."""
_GRACE_S: Final = _DRAIN_S + 5.0
"""How long the server may take to end before it is killed."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = 8000,
    reload: Annotated[bool, Parameter(negative=())] = False,
    demo: bool = True,
    open_to_network: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Serve recognition over HTTP until Ctrl-C.

    Example: `asl serve`

    Prints the address, where the API's documentation is, and a curl line to try. Models and limits are settings
    (ASL_CLASSIFIER_PATH, ...), read from the environment and from .env in the current folder.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        reload: Start anew whenever a source file changes; for development.
        demo: Recognise a rendered hand first, and print the answer.
        open_to_network: Allow a host that other machines can reach: anyone there can then use the service, because it
            asks for no key.
    """
    _check_host(host, open_to_network=open_to_network)
    load_settings()  # a wrong value ends the command here, with one line
    _check_port(host, port)
    command = [sys.executable, "-m", "uvicorn", "--factory", _APP, "--host", host, "--port", str(port)]
    command += ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", str(_DRAIN_S)]
    sys.exit(_run([*command, *(["--reload"] if reload else [])], Service(_reachable(host), port), demo=demo))


def _check_host(host: str, *, open_to_network: bool) -> None:
    if not open_to_network and not _is_loopback(host):
        raise OptionsInvalid(
            f"{host} can be reached from other machines, and the service asks for no key",
            hint="Use --host 127.0.0.1, or add --open-to-network if everyone on that network may use it.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reachable(host: str) -> str:
    """Return an address at which this machine itself reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def _check_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0).lower()}",
            hint=f"Another server may run there already; choose another port: asl serve --port {port + 1}",
        ) from error


def _run(command: list[str], service: Service, *, demo: bool) -> int:
    """Start the server, introduce it when it answers, and wait for its end; returns the exit status."""
    console.err.print("starting; models are being loaded ...")
    # A process group of its own: Ctrl-C in a terminal reaches this process alone, which then ends the server once.
    with (
        _signals_noted() as received,
        subprocess.Popen(command, process_group=0) as server,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(server.kill)  # whatever goes wrong here, no server is left behind
        while server.poll() is None and not received and not service.is_up():
            time.sleep(_POLL_S)
        if server.poll() is None and not received:
            introduce(service, demo=demo)
        status = _wait(server, received)
    if received:
        return 128 + received[0]
    return status if status >= 0 else 128 - status


def _wait(server: subprocess.Popen[bytes], received: list[int]) -> int:
    """Wait for the server's end; a signal ends it, and a second one, or patience, kills it."""
    deadline = 0.0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return server.wait(_POLL_S)
        if not received:
            continue
        if not deadline:
            server.terminate()
            deadline = time.monotonic() + _GRACE_S
        elif len(received) > 1 or time.monotonic() > deadline:
            server.kill()


@contextlib.contextmanager
def _signals_noted() -> Iterator[list[int]]:
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
