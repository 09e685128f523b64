"""With a receiver of traces, one trace leads from the call to the end of its job; without one, nothing is traced."""

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from databases import fresh
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from platforms import OneMachine
from sqlalchemy import select

from asl.contracts import JobKind, Queue
from asl.infra import jobs, traces
from asl.infra.jobs.queueing import add_divided
from asl.infra.tables import Job

TRACE_ID, CLIENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{CLIENT_ID}-01"


class Receiver(ThreadingHTTPServer):
    """A receiver of OTLP over HTTP, as a collector is: keeps every span that it is sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.spans = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def named(self, *names):
        """Wait until there is a span of each name; returns the first of each."""
        deadline = time.monotonic() + 30
        while not {name for name, _, _ in self.spans} >= set(names):
            assert time.monotonic() < deadline, self.spans
            time.sleep(0.05)
        return [next(found for found in self.spans if found[0] == name) for name in names]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for of_process in request.resource_spans:
            service = _values(of_process.resource.attributes)["service.name"]
            self.server.spans += [
                (span.name, service, span) for scope in of_process.scope_spans for span in scope.spans
            ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def _values(attributes):
    return {one.key: one.value.string_value or one.value.int_value for one in attributes}


@pytest.fixture(scope="module")
def receiver():
    with Receiver() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def traced(tmp_path_factory, receiver):
    none = dict.fromkeys(("ASL_CLASSIFIER_PATH", "ASL_HAND_LANDMARKER_PATH"), "none")  # starts sooner
    settings = none | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with OneMachine(tmp_path_factory.mktemp("traced"), **settings) as platform:
        yield platform.start()


def test_one_trace_leads_from_the_call_to_the_end_of_the_jobs_process(traced, receiver):
    with traced.client() as client:
        assert client.get("/healthz").status_code == 200
        answer = client.post("/api/v1/jobs", json={"kind": "probe", "n_steps": 2}, headers={"traceparent": PARENT})
    job = traced.wait_until_ended(answer.json()["id"])

    found = receiver.named("POST /api/v1/jobs", "job probe", "run", "store")

    assert [service for _, service, _ in found] == ["asl-gateway", "asl-worker", "asl-worker", "asl-worker"]
    call, work, run, store = (span for _, _, span in found)
    assert {span.trace_id.hex() for span in (call, work, run, store)} == {TRACE_ID}
    assert call.parent_span_id.hex() == CLIENT_ID
    assert work.parent_span_id == call.span_id
    assert run.parent_span_id == store.parent_span_id == work.span_id
    assert call.start_time_unix_nano < work.start_time_unix_nano <= run.start_time_unix_nano
    assert run.end_time_unix_nano <= store.start_time_unix_nano <= store.end_time_unix_nano <= work.end_time_unix_nano
    assert _values(work.attributes)["asl.job"] == job["id"]
    assert not [name for name, _, _ in receiver.spans if "healthz" in name], (
        "what watches the gateway is of no interest"
    )


def test_a_job_that_fails_is_marked(traced, receiver):
    with traced.database.transaction() as session:
        row = Job(tenant="local", submitted_by="", kind=JobKind.EXPORT, queue=Queue.CPU, max_attempts=1)
        row.request = {"kind": "export", "model": {"job": "0" * 32}}
        jobs.add(session, row)
    ended = traced.wait_until_ended(row.id)
    assert ended["state"] == "failed"

    ((_, _, work),) = receiver.named("job export")

    assert work.status.code == Status.STATUS_CODE_ERROR
    assert work.status.message == ended["error"]["code"]
    assert work.trace_id.hex() != TRACE_ID, "a job that nobody traced begins a trace"


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
