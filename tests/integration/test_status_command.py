"""`asl status` against gateways: whole, with a part missing, without what recognition needs, and against none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from server_process import free_port


class Readyz:
    """Answers as `/readyz` does, with what a test wants told."""

    def __init__(self):
        self.answer = 200, {}
        readyz = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = readyz.answer
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def readyz():
    server = Readyz()
    yield server
    server.close()


WHOLE = {"landmarker": {"ok": True, "detail": "loaded"}, "database": {"ok": True, "detail": "schema 0001"}}
BROKEN = WHOLE | {"broker": {"ok": False, "detail": "does not [answer]"}}


def test_every_part_stands_in_the_table(asl_main, tmp_path, readyz):
    readyz.answer = 200, {"status": "ready", "checks": WHOLE}

    ended = asl_main(tmp_path, "status", "--url", readyz.url)

    assert ended.status == 0
    assert all(word in ended.out for word in ("landmarker", "loaded", "database", "schema 0001", "yes"))
    assert ended.err == f"{readyz.url} is ready\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"status": "degraded", "checks": BROKEN}), "degraded"),
        ((503, {"code": "unavailable", "detail": "no model", "status": 503, "checks": BROKEN}), "unavailable"),
    ],
)
def test_a_missing_part_is_told_and_ends_with_status_1(asl_main, tmp_path, readyz, answer, said):
    readyz.answer = answer

    shown = asl_main(tmp_path, "status", "--url", readyz.url)
    as_json = asl_main(tmp_path, "status", "--url", readyz.url, "--json")

    assert (shown.status, as_json.status) == (1, 1)
    assert "NO" in shown.out
    assert "does not [answer]" in shown.out
    assert json.loads(as_json.out) == {"status": said, "checks": BROKEN}


@pytest.mark.parametrize("answer", [(503, b"<html>"), (200, b"[]"), (503, {"code": "unavailable", "detail": "away"})])
def test_what_is_no_answer_of_the_platform_is_an_error(asl_main, tmp_path, readyz, answer):
    readyz.answer = answer

    ended = asl_main(tmp_path, "status", "--url", readyz.url)

    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("error: ")


def test_no_server_is_an_error(asl_main, tmp_path, monkeypatch):
    monkeypatch.setattr("asl.cli.remote._PATIENCE_S", 0.5)

    ended = asl_main(tmp_path, "status", "--url", f"http://127.0.0.1:{free_port()}")

    assert ended.status == 1
    assert "no answer from" in ended.err
