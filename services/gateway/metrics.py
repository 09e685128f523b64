"""What the gateway counts, for Prometheus."""

import time
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.job_collector import JobCollector
from services.gateway.startup import Gateway

OUTCOMES: Final = "outcomes"
"""Of `request.state`: what came of each picture, `letter` or why there is none."""

_RECOGNITIONS: Final = "/api/v1/asl/recognitions"
_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
_CLIENT_LEFT: Final = 499  # as in the log


class Metrics:
    """The counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "asl_http_requests", "Requests answered.", ["route", "method", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "asl_http_request_seconds",
            "Time until the answer begins.",
            ["route", "method"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.in_flight = Gauge("asl_http_requests_in_flight", "Requests at work.", registry=self._registry)
        self.recognitions = Counter(
            "asl_recognitions", "Pictures to read by what came of them.", ["outcome"], registry=self._registry
        )
        self.live_streams = Gauge("asl_live_streams", "Live streams now.", registry=self._registry)
        self.live_frames = Counter(
            "asl_live_frames",
            "Frames of live streams by how they came and what came of them.",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self.live_dropped = Counter(
            "asl_live_frames_dropped", "Images of live streams dropped for newer ones.", registry=self._registry
        )
        ProcessCollector(registry=self._registry)
        self._of_calls: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def watch(self, gateway: Gateway) -> None:
        """Tell of a gateway's recognizers and database too; call once."""
        self._registry.register(_PoolCollector(gateway))
        self._registry.register(JobCollector(gateway.database))

    def of_calls(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """Return the counter and the times of calls; kept, since looking them up takes longer than counting.

        Args:
            route: A route's template.
            method: Of HTTP, or `other`.
            status: The answer's.
        """
        found = self._of_calls.get((route, method, status))
        if found is None:
            found = self.requests.labels(route, method, str(status)), self.seconds.labels(route, method)
            self._of_calls[route, method, status] = found
        return found

    def render(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)


class RequestMetrics:
    """ASGI middleware: counts and times requests; outermost, so that it sees what is really answered."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), _CLIENT_LEFT
        seconds = None

        async def send_noted(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - started
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, send_noted)
            finally:
                self._note(scope, status, seconds)

    def _note(self, scope: Scope, status: int, seconds: float | None) -> None:
        route = _template_of(scope)
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        calls, times = self._metrics.of_calls(route, method, int(status))
        calls.inc()
        if seconds is not None:
            times.observe(seconds)
        if route.startswith(_RECOGNITIONS) and method == "POST":
            for outcome in scope.get("state", {}).get(OUTCOMES) or (_outcome_of(status),):
                self._metrics.recognitions.labels(outcome).inc()


class _PoolCollector(Collector):
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        pool = self._gateway.pool
        yield GaugeMetricFamily(
            "asl_recognizer_calls", "Pictures at work or waiting for a recognizer.", value=pool.n_calls if pool else 0
        )
        yield GaugeMetricFamily(
            "asl_recognizer_places", "Pictures that may be at work or wait.", value=pool.n_places if pool else 0
        )


def _template_of(scope: Scope) -> str:
    """Return a route's template, never the path: anyone could fill the memory with paths."""
    # Of a route in a router within a router, FastAPI keeps the whole template only here.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return str(getattr(route, "path", _OTHER))


def _outcome_of(status: int) -> str:
    if status == _CLIENT_LEFT:
        return "left"
    return "unavailable" if status >= 500 else "refused"
