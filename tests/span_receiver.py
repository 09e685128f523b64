"""A receiver of traces, as a collector of OpenTelemetry's is."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class SpanReceiver(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and keeps every span: its name, the service that sent it, and the span."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.spans = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, trace_id, *names):
        """Wait until there is a span of each name, of any trace where None is given; returns the first of each."""
        deadline = time.monotonic() + 90
        while True:
            found = [one for one in list(self.spans) if trace_id in (None, one[2].trace_id.hex())]
            firsts = [next((one for one in found if one[0] == name), None) for name in names]
            if all(firsts):
                return firsts
            assert time.monotonic() < deadline, [one[:2] for one in self.spans]
            time.sleep(0.05)

    def wait_for_job(self, job_id):
        """Wait until there is the span of a job's attempt, and return it."""
        deadline = time.monotonic() + 90
        while True:
            for _, _, span in list(self.spans):
                if values(span.attributes).get("asl.job") == job_id:
                    return span
            assert time.monotonic() < deadline, [one[:2] for one in self.spans]
            time.sleep(0.05)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for of_process in request.resource_spans:
            service = values(of_process.resource.attributes)["service.name"]
            self.server.spans += [
                (span.name, service, span) for scope in of_process.scope_spans for span in scope.spans
            ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def values(attributes):
    """Return attributes of a span or of its sender by their names."""
    return {one.key: one.value.string_value or one.value.int_value for one in attributes}
