"""How a live stream is let in, bounded and ended: a real server with short limits, and a rendered hand."""

import contextlib
import json
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import httpx
import numpy as np
import pytest
from gateways import bearer, running, settings_of
from pace import at_some_pace, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from asl.contracts import LiveReading, Scope
from asl.core.checkpoint import load_model
from asl.core.classifier import Classifier, starter_path
from asl.core.synthetic.renderer import render_hand
from asl.infra import keys, schema
from asl.infra.database import Database
from services.gateway.key_ring import KeyRing
from services.gateway.live_streams import LiveStreams
from services.gateway.served_model import ServedModel, Source

PATH = "/api/v1/asl/live"
PROTOCOL = "asl.live.v1"
_PATIENCE_S = 60
_LANDMARKS = render_hand("L", seed=1).landmarks
_LAST_SEQ = 2**31


@pytest.fixture
def gateway(tmp_path):
    """A gateway with the starter model, and no landmarker."""
    with running(settings_of(tmp_path, classifier_path=None)) as client:
        yield client


@pytest.fixture
def guarded(tmp_path):
    """The same, where calls need a key, and its database."""
    settings = settings_of(tmp_path, classifier_path=None, require_key=True)
    database = Database(settings.database)
    schema.upgrade(database)
    with running(settings) as client:
        yield client, database
    database.close()


def _limit(client, **limits):
    client.app.state.live = LiveStreams(**{"n_image_streams": 2} | limits)


@contextmanager
def _stream(client, **options):
    """Connect; the hello is still to come."""
    given = {
        "subprotocols": [PROTOCOL],
        "proxy": None,
        "compression": None,
        "max_size": None,
        "open_timeout": _PATIENCE_S,
    }
    with connect(f"ws://127.0.0.1:{client.base_url.port}{PATH}", **given | options) as connection:
        yield connection


def _next(connection):
    return json.loads(connection.recv(timeout=_PATIENCE_S))


def _end(connection):
    """Read to the end of a stream; returns its close code."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=_PATIENCE_S)
    return connection.close_code


def _packed(seq):
    return struct.pack("<BBHIHH", 1, 1, 0, seq, 480, 480) + _LANDMARKS.astype("<f4").tobytes()


def _image(seq, data=b"\xff\xd8\xff"):
    return struct.pack("<BBHI", 2, 0, 0, seq) + data


def _figures(client, name):
    lines = client.get("/metrics").text.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith(name))


def _exchange(client, **changes):
    trained = replace(load_model(starter_path()), **changes)
    classifier = Classifier(trained)
    client.app.state.gateway.serving.exchange(ServedModel(classifier, "0" * 64, Source.PATH))
    return classifier


def test_a_stream_without_messages_ends_though_it_is_pinged(gateway):
    _limit(gateway, idle_limit_s=0.6)
    with _stream(gateway) as connection:
        assert _next(connection)["idle_limit_s"] == 0.6
        started = time.monotonic()
        with contextlib.suppress(ConnectionClosed):
            while time.monotonic() - started < _PATIENCE_S:
                connection.ping().wait(1)
                time.sleep(0.05)
        assert _end(connection) == 4408


def test_messages_keep_a_stream_open(gateway):
    def check(pace):
        _limit(gateway, idle_limit_s=0.6 * pace)
        with _stream(gateway) as connection:
            _next(connection)
            for seq in range(6):  # for one and a half times as long as silence would be allowed
                time.sleep(0.15 * pace)
                connection.send(f'{{"type":"no_hand","seq":{seq}}}')
                assert _next(connection)["reason"] == "no_hand"

    at_some_pace(check)


def test_no_more_streams_than_there_are_places_and_each_is_given_back(gateway):
    _limit(gateway, n_streams=1)
    for _ in range(3):
        with _stream(gateway) as connection:
            _next(connection)
            with _stream(gateway) as another:
                assert _end(another) == 4429
        wait_until(lambda: _figures(gateway, "asl_live_streams")["asl_live_streams"] == "0.0")


def test_streams_of_images_have_places_of_their_own(gateway):
    _limit(gateway, n_image_streams=0)
    with _stream(gateway) as connection:
        _next(connection)
        connection.send(_packed(0))
        assert _next(connection)["seq"] == 0
        connection.send(_image(1))
        assert _end(connection) == 4429


def test_without_a_landmarker_landmarks_are_read_and_images_are_not(gateway):
    with _stream(gateway) as connection:
        _next(connection)
        connection.send(_packed(0))
        assert _next(connection)["letter"]
        connection.send(_image(1))
        assert _end(connection) == 1013


def test_without_a_classifier_there_is_no_stream(tmp_path):
    with running(settings_of(tmp_path)) as client, _stream(client) as connection:
        assert _end(connection) == 1013


def test_another_protocol_is_refused(gateway):
    with _stream(gateway, subprotocols=["asl.live.v2"]) as connection:
        assert _end(connection) == 4400


def test_a_key_opens_a_stream_by_header_and_by_subprotocol(guarded):
    client, database = guarded
    secret, _ = keys.create(database, name="a", scopes=[Scope.RECOGNIZE])
    for options in ({"additional_headers": bearer(secret)}, {"subprotocols": [PROTOCOL, f"asl.key.{secret}"]}):
        with _stream(client, **options) as connection:
            assert _next(connection)["type"] == "hello"
            assert connection.subprotocol == PROTOCOL


def test_a_key_that_may_not_recognize_opens_none(guarded):
    client, database = guarded
    secret, _ = keys.create(database, name="reader", scopes=[Scope.READ])
    with _stream(client, additional_headers=bearer(secret)) as connection:
        assert _end(connection) == 4403


def test_a_stream_counts_as_a_call_of_its_key(guarded):
    client, database = guarded
    secret, _ = keys.create(database, name="few", calls_per_minute=1)
    _limit(client, recheck_s=0.05)
    with _stream(client, additional_headers=bearer(secret)) as connection:
        _next(connection)
        time.sleep(0.3)  # looking at the key again is no call
        connection.send(_packed(0))
        assert _next(connection)["seq"] == 0
    with _stream(client, additional_headers=bearer(secret)) as connection:
        assert _end(connection) == 4429


def test_a_revoked_key_ends_its_stream(guarded):
    client, database = guarded
    secret, _ = keys.create(database, name="gone")
    assert client.get("/api/v1/asl/model", headers=bearer(secret)).status_code == 200
    client.app.state.desk = replace(client.app.state.desk, ring=KeyRing(database, fresh_s=0.1))
    _limit(client, recheck_s=0.2)
    with _stream(client, additional_headers=bearer(secret)) as connection:
        assert _next(connection)["type"] == "hello"
        with database.transaction() as session:
            keys.revoke(session, "gone")
        assert _end(connection) == 4401


def test_another_model_answers_in_the_midst_of_a_stream(gateway):
    with _stream(gateway) as connection:
        before = _next(connection)["model_version"]
        connection.send(_packed(0))
        assert _next(connection)["model_version"] == before
        after = _exchange(gateway, name="another").version
        connection.send(_packed(1))
        assert _next(connection)["model_version"] == after != before


def test_a_hand_that_is_refused_is_told_counted_and_held_as_no_letter(gateway):
    _exchange(gateway, unsure_below=1.0, not_a_letter_below=0.5)
    with _stream(gateway) as connection:
        _next(connection)
        hand = {"landmarks": _LANDMARKS.tolist(), "image_width": 480, "image_height": 480, "handedness": "right"}
        for seq in range(30):
            connection.send(json.dumps({"type": "landmarks", "seq": seq, "t_ms": seq * 40, **hand}))
        answers = [LiveReading.model_validate(_next(connection)) for _ in range(30)]
    assert {(answer.letter, answer.reason, answer.stable) for answer in answers} == {(None, "unsure", None)}
    counted = {'asl_live_frames_total{kind="landmarks",outcome="unsure"}': "30.0"}
    wait_until(lambda: _figures(gateway, "asl_live_frames_total") == counted)


def test_the_end_of_the_server_is_told(tmp_path):
    with contextlib.ExitStack() as stack:
        with running(settings_of(tmp_path, classifier_path=None)) as client:
            connection = stack.enter_context(_stream(client))
            _next(connection)
        assert _end(connection) == 1001


def test_others_are_served_while_one_floods(gateway):
    others_served, sent, answered = Event(), [], []

    def flood(connection):
        while not others_served.is_set():
            sent.append(len(sent))
            connection.send(_packed(sent[-1]))
        connection.send(_packed(_LAST_SEQ))

    def read(connection):
        while (message := _next(connection))["seq"] != _LAST_SEQ:
            if message["type"] == "reading":
                answered.append(message["seq"])

    with (
        _stream(gateway) as connection,
        httpx.Client(base_url=gateway.base_url, timeout=_PATIENCE_S, trust_env=False) as other,
        ThreadPoolExecutor(2) as threads,
    ):
        _next(connection)
        ends = [threads.submit(work, connection) for work in (flood, read)]
        try:
            wait_until(lambda: len(answered) > 1000)
            for _ in range(10):
                assert other.get("/healthz").status_code == 200
        finally:
            others_served.set()
        for end in ends:
            end.result(_PATIENCE_S)
    assert answered == sent


def test_thousands_of_small_messages_are_taken(gateway):
    with _stream(gateway) as connection:
        _next(connection)
        for _ in range(3000):
            connection.send('{"type":"options"}')
        connection.send(_packed(5))
        assert _next(connection)["seq"] == 5


def test_what_came_before_a_foreign_message_is_answered(gateway):
    with _stream(gateway) as connection:
        _next(connection)
        for seq in range(100):
            connection.send(_packed(seq))
        connection.send("{")
        seen = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                seen.append(_next(connection))
    assert [message["seq"] for message in seen if message["type"] == "reading"] == list(range(100))
    assert connection.close_code == 4400


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_numbers_beyond_measure_cost_their_frame_alone(gateway, value):
    points = np.full((21, 3), value, "<f4")
    points[0] = 0
    with _stream(gateway) as connection:
        _next(connection)
        connection.send(struct.pack("<BBHIHH", 1, 0, 0, 0, 480, 480) + points.tobytes())
        connection.send(_packed(1))
        assert [(message["type"], message["seq"]) for message in (_next(connection), _next(connection))] == [
            ("error", 0),
            ("reading", 1),
        ]


def test_a_text_that_is_no_unicode_ends_the_stream(gateway):
    with _stream(gateway) as connection:
        _next(connection)
        connection.send(b"\xff\xfe", text=True)
        assert _end(connection) == 1007


def test_each_stream_has_one_line_in_the_log(tmp_path, capsys):
    with running(settings_of(tmp_path, classifier_path=None)) as client:
        with _stream(client) as connection:
            _next(connection)
            connection.send(_packed(0))
            connection.send(_packed(1)[:-8] + struct.pack("<ff", np.nan, 0))
            _next(connection)
            _next(connection)
        deadline = time.monotonic() + _PATIENCE_S
        log = ""
        while "n_landmarks" not in log:
            assert time.monotonic() < deadline, log
            time.sleep(0.02)
            log += capsys.readouterr().err
    (line,) = (line for line in log.splitlines() if "n_landmarks" in line)
    assert PATH in line
    for figure in ("close_code=1000", "n_landmarks=2", "n_images=0", "n_dropped=0", "n_errors=1"):
        assert figure in line
