"""The live socket: a real server, a real WebSocket client, rendered hands."""

import contextlib
import json
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pace import PATIENCE_S, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from asl.contracts import LiveHello, LiveReading

Render = Callable[..., bytes]
PATH = "/api/v1/asl/live"
PROTOCOL = "asl.live.v1"
RECOGNITIONS = "/api/v1/asl/recognitions"


class Stream:
    """One connection, its hello taken."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.hello = self.next()

    def next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE_S))
        return message

    def send(self, **message: object) -> None:
        self.connection.send(json.dumps(message))

    def until(self, kind: str, seq: int | None = None) -> dict[str, Any]:
        while True:
            message = self.next()
            if message["type"] == kind and seq in (None, message["seq"]):
                return message

    def closed_with(self) -> int:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.connection.recv(timeout=PATIENCE_S)
        return int(self.connection.close_code or 0)


@contextmanager
def stream_to(service: Any, **options: Any) -> Iterator[Stream]:
    given: dict[str, Any] = {"subprotocols": [PROTOCOL], "proxy": None, "max_size": None, "compression": None}
    given["open_timeout"] = PATIENCE_S
    with connect(f"ws://127.0.0.1:{service.port}{PATH}", **given | options) as connection:
        yield Stream(connection)


@pytest.fixture(scope="module")
def hand(service: Any, hand_jpeg: Render) -> Callable[[str], dict[str, Any]]:
    """Return the landmarks of a rendered letter, as a client would send them."""

    def find(letter: str) -> dict[str, Any]:
        with service.client() as client:
            answer = client.post(
                RECOGNITIONS, files={"file": hand_jpeg(letter, seed=1)}, params={"landmarks": True}
            ).json()
        assert answer["letter"] == letter
        size = {"image_width": 480, "image_height": 480}
        return {"landmarks": answer["landmarks"], "handedness": answer["handedness"], **size}

    return find


def packed(seq: int, hand: dict[str, Any]) -> bytes:
    side = ["left", "right"].index(hand["handedness"])
    head = struct.pack("<BBHIHH", 1, side, 0, seq, hand["image_width"], hand["image_height"])
    return head + np.array(hand["landmarks"], "<f4").tobytes()


def image(seq: int, data: bytes) -> bytes:
    return struct.pack("<BBHI", 2, 0, 0, seq) + data


def test_says_hello_and_reads_landmarks_in_both_forms(service: Any, hand: Any) -> None:
    found = hand("L")
    with stream_to(service) as stream:
        assert LiveHello.model_validate(stream.hello).protocol == 1
        assert stream.connection.subprotocol == PROTOCOL
        stream.send(type="landmarks", seq=7, **found)
        as_json = stream.next()
        stream.connection.send(packed(8, found))
        as_bytes = stream.next()
    assert (as_json["seq"], as_json["letter"], as_bytes["seq"]) == (7, "L", 8)
    assert as_json["alternatives"] == as_bytes["alternatives"]
    assert LiveReading.model_validate(as_json).model_version == stream.hello["model_version"]
    assert 0 < as_json["ms"] < 1000 * PATIENCE_S


def test_a_stream_tells_what_differs_from_the_letter_where_asked_for(
    service: Any, hand: Any, hand_jpeg: Render
) -> None:
    found = hand("L")
    with stream_to(service) as stream:
        stream.send(type="landmarks", seq=1, **found)
        assert "explanation" not in stream.next()
        stream.send(type="options", explain=True, expected="D")
        stream.send(type="landmarks", seq=2, **found)
        told = LiveReading.model_validate(stream.until("reading", 2)).explanation
        assert told is not None
        assert (told.expected, told.finger) == ("D", "thumb")
        stream.send(type="options", expected=None)
        stream.connection.send(image(3, hand_jpeg("L", seed=1)))
        again = LiveReading.model_validate(stream.until("reading", 3)).explanation
        assert again is not None
        assert again.expected == "L"


def test_a_held_letter_is_told_once_and_its_end_once(service: Any, hand: Any) -> None:
    letters = {name: hand(name) for name in "LY"}
    with stream_to(service) as stream:
        times = iter(range(0, 10_000, 40))
        seq = 0
        for name in ("L", "L", "Y", "L", "Y", None):  # one Y alone is a flicker
            n_frames = 1 if name == "Y" and seq < 60 else 25
            for _ in range(n_frames):
                moment = {"seq": seq, "t_ms": next(times)}
                if name is None:
                    stream.send(type="no_hand", **moment)
                else:
                    stream.send(type="landmarks", **moment, **letters[name])
                seq += 1
        told = []
        while True:
            message = stream.next()
            if message["type"] != "reading":
                told.append((message["type"], message["letter"]))
            elif message["seq"] == seq - 1:
                break
    assert told == [("letter", "L"), ("released", "L"), ("letter", "Y"), ("released", "Y")]


def test_images_are_followed_and_the_newest_wins(service: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    with stream_to(service) as stream:
        for seq in range(100):
            stream.connection.send(image(seq, picture))
        last = stream.until("reading", 99)
        assert last["letter"] == "L"
        assert len(last["landmarks"]) == 21
        assert last["n_dropped"] > 0
        stream.connection.send(image(100, b"no picture"))
        assert stream.until("error")["code"] == "image_type_unsupported"
        stream.connection.send(image(101, picture))
        assert stream.until("reading", 101)["letter"] == "L"


def test_no_landmark_frame_is_dropped(service: Any, hand: Any) -> None:
    frame, n = hand("L"), 3000
    frames = [packed(seq, frame) for seq in range(n)]
    with stream_to(service) as stream:
        for message in frames:
            stream.connection.send(message)
        readings = []
        while len(readings) < n:
            message = stream.next()
            if message["type"] == "reading":
                readings.append(message["seq"])
    assert readings == list(range(n))


def test_options_change_answers(service: Any, hand: Any) -> None:
    with stream_to(service) as stream:
        stream.send(type="options", top_k=5, mirrored=True)
        frame = hand("L")
        stream.send(type="landmarks", seq=0, **frame)
        reading = stream.next()
    assert len(reading["alternatives"]) == 5
    assert reading["handedness"] != frame["handedness"]


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        "[]",
        '{"type":"dance"}',
        '{"type":"no_hand"}',
        '{"type":"options","top_k":0}',
        b"",
        b"\x01",
        b"\x09" * 264,
        struct.pack("<BBHIHH", 1, 0, 0, 1, 0, 0) + bytes(252),
        struct.pack("<BBHIHH", 1, 0, 0, 1, 9, 9) + bytes(200),
    ],
)
def test_what_is_not_of_the_protocol_ends_the_stream(service: Any, message: str | bytes) -> None:
    with stream_to(service) as stream:
        stream.connection.send(message)
        assert stream.closed_with() == 4400


def test_a_hand_that_cannot_be_one_costs_only_its_frame(service: Any, hand: Any) -> None:
    good = hand("L")
    with stream_to(service) as stream:
        stream.connection.send(packed(0, good | {"landmarks": np.full((21, 3), np.nan)}))
        stream.send(type="landmarks", seq=1, **good | {"landmarks": [[0.5, 0.5, 0]] * 21})
        stream.send(type="landmarks", seq=2, **good | {"landmarks": [[0.5, 0.5, 0]] * 20})
        stream.connection.send(packed(3, good))
        answers = [stream.next() for _ in range(4)]
    assert [(answer["type"], answer["seq"]) for answer in answers] == [
        ("error", 0),
        ("error", 1),
        ("error", 2),
        ("reading", 3),
    ]
    assert {answer["code"] for answer in answers[:3]} == {"landmarks_invalid"}


def _refusal(service: Any, **options: Any) -> int:
    """Return the code with which a stream is closed at once."""
    with connect(f"ws://127.0.0.1:{service.port}{PATH}", proxy=None, **options) as connection:
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=PATIENCE_S)
        return int(connection.close_code or 0)


def test_a_foreign_site_is_refused(service: Any) -> None:
    own, foreign = f"http://127.0.0.1:{service.port}", "https://example.org"
    with stream_to(service, origin=own) as stream:
        assert stream.hello["type"] == "hello"
    assert _refusal(service, origin=foreign) == 4403


def test_a_frame_larger_than_allowed_ends_the_stream(service: Any) -> None:
    with stream_to(service) as stream:
        size = stream.hello["max_frame_bytes"] + 100_000
        with contextlib.suppress(ConnectionClosed):  # the server need not take all of it
            stream.connection.send(image(0, bytes(size)))
        assert stream.closed_with() in {1006, 1009}


def test_streams_that_break_off_leave_nothing_behind(service: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    for _ in range(20):  # more than there are places for streams of images
        with stream_to(service) as stream:
            stream.connection.send(image(0, picture))
            stream.connection.socket.close()
    with service.client() as client:
        wait_until(lambda: "asl_live_streams 0.0\n" in client.get("/metrics").text)
        with stream_to(service) as stream:
            stream.connection.send(image(1, picture))
            assert stream.until("reading", 1)["letter"] == "L"
        assert 'asl_live_frames_total{kind="image",outcome="letter"}' in client.get("/metrics").text


def test_keys_are_asked_for_as_over_http(start_service: Any, tmp_path: Any) -> None:
    service = start_service(ASL_REQUIRE_KEY="true", folder=tmp_path)
    assert _refusal(service, subprotocols=[PROTOCOL]) == 4401
    assert _refusal(service, subprotocols=[PROTOCOL, "asl.key.wrong"]) == 4401


def test_the_readme_s_example_works(
    service: Any, hand_jpeg: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = Path(__file__).parents[2] / "README.md"
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (block for block in blocks if "ws://" in block)
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "sign.jpg").write_bytes(hand_jpeg("L", seed=1))
    monkeypatch.chdir(tmp_path)
    exec(compile(example.replace("8000", str(service.port)), "README.md", "exec"), {})  # noqa: S102 - our own README
    assert capsys.readouterr().out.splitlines()[-2:] == ["letter L", "L L"]


def test_plain_http_is_no_stream(service: Any) -> None:
    with service.client() as client:
        assert client.get(PATH).status_code == 404
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{service.port}/api/v1/asl/lives", proxy=None)
