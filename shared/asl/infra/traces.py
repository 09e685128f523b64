"""Traces for OpenTelemetry: one from the call that submits a job to the job's end, wherever its parts ran.

Nothing is traced, and nothing sent anywhere, unless OTEL_EXPORTER_OTLP_ENDPOINT names a receiver of one's own. What
goes from process to process is a W3C `traceparent`: in calls by HTTP in its header, with jobs in their rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from asl.infra.settings import are_traces_wanted

_HEADER: Final = "traceparent"
_FORM: Final = TraceContextTextMapPropagator()
_PATIENCE_S: Final = 3.0
"""With a receiver that is away; a process that ends waits for it so long."""
_TRACER: Final = trace.get_tracer("asl")
"""Costs next to nothing until `install` has given it somewhere to send to."""

_log = structlog.get_logger()


@cache
def install(service: str) -> bool:
    """Send this process's spans to the receiver that the environment names; do nothing where it names none.

    Args:
        service: What this process is called there.

    Returns:
        Whether spans are sent.
    """
    if not are_traces_wanted():
        return False
    try:  # the extra `tracing` brings them; a tenth of a second that processes without traces do not spend
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        _log.error("traces are not sent", why=str(error), hint="pip install 'asl-platform[tracing]'")
        return False
    told = {"service.name": service, "service.version": version("asl-platform")}
    provider = TracerProvider(resource=Resource.create(told))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=_PATIENCE_S)))
    trace.set_tracer_provider(provider)
    return True


def current_parent() -> str | None:
    """Name the span at work, for whoever goes on with its work elsewhere; None where nothing is traced."""
    carrier: dict[str, str] = {}
    _FORM.inject(carrier)
    return carrier.get(_HEADER)


@contextmanager
def following(parent: str | None, name: str, attributes: dict[str, str | int]) -> Iterator[None]:
    """Trace a block as a part of what was begun elsewhere.

    Args:
        parent: As `current_parent` named it there; None begins a trace.
        name: Of the span.
        attributes: What is told of it.
    """
    context = _FORM.extract({_HEADER: parent} if parent else {}, Context())
    told = {f"asl.{key}": value for key, value in attributes.items()}
    with _TRACER.start_as_current_span(name, context, SpanKind.CONSUMER, attributes=told):
        yield


def note_step(name: str, started_ns: int, ended_ns: int) -> None:
    """Tell of a part of the span at work that was done, and timed, by another process.

    Args:
        name: Of the part.
        started_ns: Since 1970.
        ended_ns: Since 1970.
    """
    _TRACER.start_span(name, start_time=started_ns).end(ended_ns)


def note_failure(code: str) -> None:
    """Mark the span at work as failed, with an error's code."""
    trace.get_current_span().set_status(StatusCode.ERROR, code)
