"""A gateway within the test's own process, behind a real socket."""

import logging
import threading
import time
from contextlib import contextmanager

import httpx
import structlog
import uvicorn

from asl.infra.settings import Settings
from services.gateway.app import create_app
from services.gateway.websocket_protocol import LeavingWebSocketProtocol


def settings_of(folder, **values):
    """Settings of a gateway without models, which starts at once; recognition calls are answered with 503."""
    given = {"home": folder, "classifier_path": folder / "none.pt", "hand_landmarker_path": folder / "none.task"}
    return Settings(_env_file=None, **given | values)


@contextmanager
def running(settings):
    """Lend a client of a gateway; `client.app` is the application."""
    handlers, level = logging.root.handlers[:], logging.root.level
    app = create_app(settings)
    try:
        with (
            serving(app, ws=LeavingWebSocketProtocol) as url,
            httpx.Client(base_url=url, timeout=60, trust_env=False) as client,
        ):
            client.app = app
            yield client
    finally:
        structlog.reset_defaults()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)


@contextmanager
def serving(app, **options):
    """Lend the address of an application behind a real socket, on a port that the kernel chooses."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the gateway did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}
