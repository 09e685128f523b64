"""One live client on a plain socket: frames masked with zeros, which leaves them as they are, and answers counted."""

import base64
import os
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Self

from asl.cli.load import Sample, Target

_KIND_LANDMARKS, _KIND_IMAGE = 1, 2
_HANDSHAKE = (
    "GET /api/v1/asl/live HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: asl.live.v1\r\n\r\n"
)
_BATCH = 64


def landmark_frame(seq: int, hand: dict[str, object]) -> bytes:
    """Pack a hand, as the landmarks' call takes it, into a frame."""
    points = [value for point in hand["landmarks"] for value in point]
    size = struct.pack("<HH", hand["image_width"], hand["image_height"])
    side = int(hand["handedness"] == "right")
    return _message(struct.pack("<BBHI", _KIND_LANDMARKS, side, 0, seq) + size + struct.pack("<63f", *points))


def image_frame(seq: int, picture: bytes) -> bytes:
    """Pack an image file into a frame."""
    return _message(struct.pack("<BBHI", _KIND_IMAGE, 0, 0, seq) + picture)


def one_by_one(target: Target, frames: Sequence[bytes]) -> Sample:
    """Send each frame when the last is read."""
    sample = Sample()
    with LiveConnection(target) as connection:
        began = time.perf_counter()
        for frame in frames:
            sent = time.perf_counter()
            connection.send(frame)
            connection.wait_for_reading()
            sample.seconds.append(time.perf_counter() - sent)
        sample.wall_s = time.perf_counter() - began
    return sample


def pipelined(target: Target, frames: Sequence[bytes]) -> Sample:
    """Send all frames without waiting for answers; latencies are those since the first was sent."""
    sample = Sample()
    with LiveConnection(target) as connection:
        sender = threading.Thread(target=_send_all, args=(connection, frames))
        began = time.perf_counter()
        sender.start()
        for _ in frames:
            connection.wait_for_reading()
            sample.seconds.append(time.perf_counter() - began)
        sample.wall_s = sample.seconds[-1]
        sender.join()
    return sample


class LiveConnection:
    """A stream, from the handshake on."""

    def __init__(self, target: Target) -> None:
        self._socket = socket.create_connection((target.host, target.port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb", buffering=1 << 16)
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(_HANDSHAKE.format(host=target.host, port=target.port, key=key).encode())
        status = self._answers.readline()
        assert b" 101 " in status, status
        while self._answers.readline() != b"\r\n":
            pass
        assert b'"hello"' in self._read()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def wait_for_reading(self) -> None:
        """Read up to the next answer to a frame; letters that became stable come in between."""
        while b'"type":"reading"' not in (message := self._read()):
            assert b'"type":"error"' not in message, message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def _read(self) -> bytes:
        kind, length = self._answers.read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._answers.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._answers.read(8))
        message = self._answers.read(length)
        assert kind == 0x81, (kind, message)
        return message


def _send_all(connection: LiveConnection, frames: Iterable[bytes]) -> None:
    rest = iter(frames)
    while batch := b"".join(islice(rest, _BATCH)):
        connection.send(batch)


def _message(payload: bytes) -> bytes:
    length = len(payload)
    head = (
        struct.pack(">BBH", 0x82, 0x80 | 126, length) if length < 1 << 16 else struct.pack(">BBQ", 0x82, 0xFF, length)
    )
    return head + bytes(4) + payload
