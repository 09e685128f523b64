"""Jobs keep the trace of the call that submitted them; without a receiver of traces nothing is traced."""

import subprocess
import sys

import pytest
from databases import fresh
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from sqlalchemy import select

from asl.contracts import JobKind, Queue
from asl.infra import jobs, traces
from asl.infra.jobs.queueing import add_divided
from asl.infra.tables import Job

TRACE_ID, CLIENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{CLIENT_ID}-01"


@pytest.fixture
def within_a_call():
    context = SpanContext(int(TRACE_ID, 16), int(CLIENT_ID, 16), is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        yield


def _parents(request, folder):
    with fresh("sqlite", request, folder) as database:
        with database.transaction() as session:
            common = {"tenant": "a", "submitted_by": "a", "kind": JobKind.PROBE, "queue": Queue.CPU, "request": {}}
            jobs.add(session, Job(**common))
            part = {"submitted_by": "a", "kind": JobKind.PROBE, "request": {}, "request_id": "", "max_attempts": 1}
            add_divided(session, Job(**common), [part] * 2)
        with database.reading() as session:
            return session.scalars(select(Job.trace_parent)).all()


@pytest.mark.usefixtures("within_a_call")
def test_jobs_and_their_parts_keep_the_trace_of_their_call(request, tmp_path):
    assert _parents(request, tmp_path) == [PARENT] * 4


def test_without_a_receiver_nothing_is_traced(request, tmp_path):
    assert not traces.install("here")
    with traces.following(PARENT, "job", {}):
        assert not trace.get_current_span().is_recording()
    assert _parents(request, tmp_path) == [None] * 4


def test_a_receiver_without_the_extra_is_told_and_stops_nobody():
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; from asl.infra import traces; print(traces.install('x'))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "asl-platform[tracing]" in ended.stdout
    assert ended.stdout.endswith("False\n")
