"""`asl serve`: the platform on this machine, tried once before it is handed over."""

import ipaddress
import os
import socket
import sys
import time
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from asl.cli import console
from asl.cli.server_processes import ServerProcess, ServerProcesses
from asl.cli.service_trial import Service, introduce
from asl.errors import OptionsInvalid, Unavailable
from asl.infra.settings import Settings, load_settings

_GATEWAY: Final = "services.gateway"
_WORKER: Final = "services.worker"
_POLL_S: Final = 0.1
_GRACE_S: Final = 15.0
"""How long all may take to end, in which a training saves a checkpoint, before they are killed."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=65535))] = 8000,
    reload: Annotated[bool, Parameter(negative=())] = False,
    demo: bool = True,
    worker: bool | None = None,
) -> None:
    """Serve recognition, data sets, jobs and models over HTTP until Ctrl-C.

    Example: `asl serve`

    Starts the gateway and a worker for jobs; nothing else is needed: without other settings data lie in ASL_HOME.
    Prints the address, where the API's documentation is, and a curl line to try. Models and limits are settings
    (ASL_CLASSIFIER_PATH, ...), read from the environment and from .env in the current folder.

    Args:
        host: Address to listen on; where other machines can reach it, calls need a key (asl key create).
        port: Port to listen on.
        reload: Start anew whenever a source file changes; for development.
        demo: Recognise a rendered hand first, and print the answer.
        worker: Start a worker; by default unless ASL_REDIS_URL is set, since workers are then elsewhere.
    """
    settings = load_settings()  # a wrong value ends the command here, with one line
    needs_key = _needs_key(settings, host)
    _check_port(host, port)
    gateway = [sys.executable, "-m", _GATEWAY, "--host", host, "--port", str(port)]
    environment = {"ASL_REQUIRE_KEY": str(needs_key).lower()}
    servers = ServerProcesses(_GRACE_S)
    console.err.print("starting; models are being loaded ...")
    with servers.guarded():
        command = [*gateway, *(["--reload"] if reload else [])]
        servers.add(ServerProcess("gateway", command, environment, restarts=False))
        if worker if worker is not None else settings.redis_url is None:
            servers.add(ServerProcess("worker", [sys.executable, "-m", _WORKER], environment, restarts=True))
        service = Service(_reachable(host), port)
        while servers.look() and not service.is_up():
            time.sleep(_POLL_S)
        if servers.look():
            introduce(service, demo=demo and not needs_key)
            if needs_key:
                console.err.print("key      calls need one: asl key create NAME", markup=False)
        status = servers.wait()
    sys.exit(status)


def _needs_key(settings: Settings, host: str) -> bool:
    """Tell whether calls need a key: always where other machines can reach the service."""
    if _is_loopback(host):
        return settings.keys_required
    if settings.require_key is False:
        raise OptionsInvalid(
            f"{host} can be reached from other machines, and ASL_REQUIRE_KEY lets calls through without a key",
            hint="Use --host 127.0.0.1, or leave ASL_REQUIRE_KEY out.",
        )
    return True


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
