"""`asl bench` against a real gateway, and what its load generator counts."""

import contextlib
import json
import socket
import socketserver
import threading
import time

import pytest
from gateways import running, settings_of
from pace import at_some_pace

from asl.cli.load import Connection, Sample, Target, drive, percentile
from asl.errors import OptionsInvalid, Unavailable

SMALL = ("--clients", "1", "3")
SECONDS = 0.3


@pytest.fixture(scope="module")
def url(tmp_path_factory, landmarker_path):
    folder = tmp_path_factory.mktemp("gateway")
    settings = settings_of(folder, classifier_path=None, hand_landmarker_path=landmarker_path)
    with running(settings) as client:
        yield str(client.base_url)


@pytest.fixture
def bench(asl_main, tmp_path, url):
    """Run the command for a moment, or for as much longer as a slow machine needs."""
    return lambda pace, *words: asl_main(tmp_path, "bench", "--url", url, *SMALL, "--seconds", SECONDS * pace, *words)


def test_each_mode_and_number_of_clients_is_a_row(bench):
    def check(pace):
        ended = bench(pace, "--json")
        rows = json.loads(ended.out)
        assert ended.status == 0
        assert [(row["mode"], row["clients"]) for row in rows] == [
            (mode, n) for mode in ("photographs", "raw", "landmarks") for n in (1, 3)
        ]
        for row in rows:
            assert row["answered"] > 0
            assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
            assert row["calls_per_second"] > 0
            assert (row["refused"], row["failed"]) == (0, {})

    at_some_pace(check)


def test_photographs_of_ones_own_are_sent(bench, tmp_path, hand_jpeg):
    (tmp_path / "mine" / "A").mkdir(parents=True)
    (tmp_path / "mine" / "A" / "1.JPG").write_bytes(hand_jpeg("A"))
    (tmp_path / "mine" / "A" / "2.png").write_bytes(b"damaged")

    def check(pace):
        for row in json.loads(bench(pace, "--photos", "mine", "--modes", "raw", "--json").out):
            assert row["answered"] > 0
            assert list(row["failed"]) == ["415"]

    at_some_pace(check)
    table = bench(1, "--photos", "mine", "--modes", "raw").out
    assert "calls/s" in table
    assert len(table.splitlines()) == 3


def test_a_server_that_reads_nothing_is_told(asl_main, tmp_path, url):
    empty = asl_main(tmp_path, "bench", "--url", url, "--photos", str(tmp_path), *SMALL)
    assert (empty.status, empty.err.splitlines()[0]) == (3, f"error: no photographs in {tmp_path}")
    elsewhere = asl_main(tmp_path, "bench", "--url", f"{url}/elsewhere", "--modes", "landmarks", *SMALL)
    assert elsewhere.status == 1
    assert "found 404 alone" in elsewhere.err
    nobody = asl_main(tmp_path, "bench", "--url", "http://127.0.0.1:9", "--modes", "landmarks", *SMALL)
    assert nobody.status == 1
    assert "cannot reach 127.0.0.1 port 9" in nobody.err


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://"])
def test_urls_of_no_http_server_are_refused(url):
    with pytest.raises(OptionsInvalid, match="expected a URL such as"):
        Target.of(url)


class _Script(socketserver.StreamRequestHandler):
    """Answers each call as its body asks: a status, and for how long it thinks, in ms."""

    def handle(self):
        while line := self.rfile.readline():
            n_bytes = 0
            while line.strip():
                if line.lower().startswith(b"content-length:"):
                    n_bytes = int(line.split(b":")[1])
                line = self.rfile.readline()
            status, wait_ms, close = self.rfile.read(n_bytes).split()
            time.sleep(int(wait_ms) / 1000)
            head = b"HTTP/1.1 %b X\r\nRetry-After: 99\r\nContent-Length: 2\r\n" % status
            self.wfile.write(head + (b"Connection: close\r\n" if close == b"1" else b"") + b"\r\n{}")
            if close == b"1":
                return


@pytest.fixture
def scripted():
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Script) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        target = Target("127.0.0.1", server.server_address[1])
        yield target, lambda *words: target.request("/", " ".join(map(str, words)).encode(), "text/plain")
        server.shutdown()
        thread.join()


def test_a_body_in_chunks_is_read_to_its_end():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\n[1,2,\r\n2\r\n3]\r\n0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection(Target("127.0.0.1", server.getsockname()[1]))
        with server.accept()[0] as peer, contextlib.closing(connection):
            peer.sendall(2 * chunked)
            answers = [connection.call(b"x") for _ in range(2)]
    assert [(answer.status, answer.body, answer.closes) for answer in answers] == 2 * [(200, b"[1,2,3]", False)]


def test_answers_refusals_and_failures_are_counted_apart(scripted):
    target, request = scripted
    sample = drive(target, [request(200, 5, 0), request(500, 0, 1), request(200, 0, 1)], n_calls=7, n_clients=2)
    assert (len(sample.seconds), len(sample.refused_s), sample.failed) == (5, 0, {500: 2})
    assert max(sample.seconds) >= 0.005
    assert sample.per_second == 5 / sample.wall_s


def test_who_is_refused_waits_as_told_but_not_beyond_the_end(scripted):
    target, request = scripted

    def check(pace):
        for status in (503, 429):
            began = time.monotonic()
            sample = drive(target, [request(status, 0, 0)], n_clients=3, seconds=0.4 * pace)
            assert time.monotonic() - began >= 0.4 * pace
            assert (len(sample.refused_s), sample.seconds, sample.share_refused) == (3, [], 1.0)

    at_some_pace(check)


def test_calls_at_a_pace_come_when_they_are_due(scripted):
    target, request = scripted
    sample = drive(target, [request(503, 0, 0), request(200, 0, 0)], n_clients=4, n_calls=20, per_second=50)
    assert sample.wall_s >= 19 / 50
    assert (len(sample.seconds), len(sample.refused_s)) == (10, 10)


def test_a_server_that_goes_away_is_an_error(scripted):
    target, _ = scripted
    with pytest.raises(Unavailable, match="no answer from 127"):
        drive(target, [b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nx y"], n_calls=1)


def test_percentiles_of_few_and_of_no_calls():
    assert [percentile([3.0, 1.0, 2.0], rank) for rank in (0, 0.5, 0.99)] == [1.0, 2.0, 3.0]
    assert percentile([], 0.5) != percentile([], 0.5)
    assert Sample().share_refused == 0
