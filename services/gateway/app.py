"""The gateway as an ASGI application: `uvicorn --factory services.gateway.app:create_app`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
import torch
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from asl.errors import AslError
from asl.infra import logs, traces
from asl.infra.settings import Settings, load_settings, unknown_names
from services.gateway import errors, native_memory, startup
from services.gateway.dependencies import DependencyWatch
from services.gateway.limits import JSON_BYTES, BodyLimit, path_limits
from services.gateway.metrics import Metrics, RequestMetrics
from services.gateway.own_sites import OwnSites
from services.gateway.request_log import RequestLog
from services.gateway.routes import (
    archives,
    artifacts,
    classifier,
    datasets,
    health,
    job_events,
    jobs,
    landmarks,
    live,
    metrics,
    models,
    page,
    recognitions,
    samples,
)

_log = structlog.get_logger()

_ROUTES: Final = (
    landmarks,
    recognitions,
    live,
    classifier,
    datasets,
    samples,
    archives,
    jobs,
    job_events,
    artifacts,
    models,
    health,
    metrics,
)

_WATCHED: Final = frozenset({"/healthz", "/readyz", "/metrics"})

_SWITCH_S: Final = 0.0005
"""A recognizer that is back from MediaPipe waits for the interpreter no longer; with Python's own 5 ms its core stood
still for as long as the event loop had something to do (deploy/decisions/0008)."""

_DESCRIPTION = """Reads the American Sign Language manual alphabet from photographs, and learns to read it better.

Try it: `curl -F "file=@sign.jpg" http://localhost:8000/api/v1/asl/recognitions`

Every error is an RFC 9457 problem (`application/problem+json`) with a stable `code` and a `hint`. Each answer carries
`X-Request-ID`; send your own to find the request in the log."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; models are loaded when it starts.

    Args:
        settings: For tests; read from the environment and `.env` where None.
    """
    settings = settings or settings_or_exit()
    logs.configure(as_json=settings.log_json)
    app: FastAPI = FastAPIOffline(
        title="ASL fingerspelling",
        description=_DESCRIPTION,
        version=version("asl-platform"),
        lifespan=_lifespan(settings),
        redirect_slashes=False,
        telemetry=_telemetry(),
    )
    for module in _ROUTES:
        app.include_router(module.router)
    app.include_router(page.router)
    page.install(app)
    errors.install(app)
    app.state.metrics = Metrics()
    # Added last is outermost.
    if not settings.keys_required:
        app.add_middleware(OwnSites, names=settings.allowed_hosts)
    app.add_middleware(BodyLimit, max_bytes=JSON_BYTES, by_path=path_limits(settings))
    app.add_middleware(RequestLog)
    app.add_middleware(RequestMetrics, metrics=app.state.metrics)
    return app


def _telemetry() -> TelemetryConfig:
    """Let FastAPI trace calls where traces are wanted; what watches the gateway asks too often to be of interest."""
    return {
        "tracing": traces.install("asl-gateway"),
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope["path"] in _WATCHED,
    }


def settings_or_exit() -> Settings:
    """Read the settings; a wrong one ends the process with one line."""
    try:
        return load_settings()
    except AslError as error:
        logs.configure(as_json=False)
        _log.critical("settings not usable", why=error.message, hint=error.hint)
        sys.exit(1)


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        # The network is too small to be worth a division (0.09 ms with one thread and with two), and the recognizers
        # keep all cores at work already.
        torch.set_num_threads(1)
        sys.setswitchinterval(_SWITCH_S)
        native_memory.bound()
        for name, nearest in unknown_names().items():
            _log.warning("unknown setting", name=name, did_you_mean=nearest)
        app.state.gateway = gateway = await asyncio.to_thread(startup.load, settings)
        app.state.watch = DependencyWatch(settings, gateway.database, gateway.storage)
        app.state.metrics.watch(gateway)
        await asyncio.to_thread(app.state.watch.start)
        gateway.follow()
        yield
        app.state.watch.stop()
        await asyncio.to_thread(gateway.close)

    return run
