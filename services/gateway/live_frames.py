"""A live client's messages: packed frames and JSON, to what they ask for."""

import json
import struct
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from pydantic import ValidationError
from starlette.types import Message

from asl.contracts import LIVE_REQUEST, Handedness, LiveLandmarks, LiveOptions
from asl.core.hand import N_LANDMARKS, Hand
from asl.core.recognition import hand_of
from asl.errors import InvalidInput, LandmarksInvalid
from services.gateway.live_end import CloseCode, LiveEnd

_HEADER: Final = struct.Struct("<BBHI")
_SIZE: Final = struct.Struct("<HH")
_POINTS_AT: Final = _HEADER.size + _SIZE.size
_N_VALUES: Final = N_LANDMARKS * 3
_PACKED_BYTES: Final = _POINTS_AT + _N_VALUES * 4
_LANDMARKS, _IMAGE = 1, 2
_SIDES: Final = (Handedness.LEFT, Handedness.RIGHT)
_UNKNOWN: Final = np.full((N_LANDMARKS, 3), np.nan, np.float32)
_POINTS_FIELDS: Final = frozenset({"landmarks", "world_landmarks"})


class HandFrame(NamedTuple):
    """What the client itself has found in a frame."""

    seq: int
    hand: Hand | None
    t_ms: float | None
    """By the client's clock, where it told."""
    came_s: float


class ImageFrame(NamedTuple):
    """A frame as an image file."""

    seq: int
    data: bytes
    came_s: float


class BadFrame(NamedTuple):
    """A frame that cannot be read, while the stream can go on."""

    seq: int
    error: InvalidInput


Asked: TypeAlias = HandFrame | ImageFrame | BadFrame | LiveOptions


def parse(message: Message, came_s: float) -> Asked:
    """Read one message.

    Args:
        message: ASGI's `websocket.receive`.
        came_s: When it came, by the session's clock.

    Raises:
        LiveEnd: It is no message of this protocol.
    """
    data = message.get("bytes")
    return _parse_text(message["text"], came_s) if data is None else _parse_packed(data, came_s)


def _parse_packed(data: bytes, came_s: float) -> HandFrame | ImageFrame:
    if len(data) < _HEADER.size:
        raise _foreign(f"expected a frame with a header of {_HEADER.size} bytes, found {len(data)} bytes")
    kind, side, reserved, seq = _HEADER.unpack_from(data)
    if kind == _IMAGE and not side and not reserved:
        return ImageFrame(seq, data[_HEADER.size :], came_s)
    if kind != _LANDMARKS or side > 1 or reserved:
        raise _foreign("expected a frame of kind 1 (side 0 or 1) or 2 (side 0), and 0 where the header is reserved")
    if len(data) != _PACKED_BYTES:
        raise _foreign(f"expected {_PACKED_BYTES} bytes in a frame of landmarks, found {len(data)}")
    size = _SIZE.unpack_from(data, _HEADER.size)
    if not all(size):
        raise _foreign("expected a picture with a width and a height")
    points = np.frombuffer(data, "<f4", _N_VALUES, _POINTS_AT).reshape(N_LANDMARKS, 3)
    return HandFrame(seq, Hand(points, _UNKNOWN, _SIDES[side], 1.0, 0.0, size), None, came_s)


def _parse_text(text: str, came_s: float) -> HandFrame | BadFrame | LiveOptions:
    try:
        asked = LIVE_REQUEST.validate_json(text)
    except ValidationError as error:
        places = [found["loc"] for found in error.errors(include_url=False, include_input=False)]
        if all(len(place) > 1 and place[1] in _POINTS_FIELDS for place in places):
            problem = f"expected {N_LANDMARKS} points (x, y) or (x, y, z) of finite numbers, found others"
            return BadFrame(json.loads(text)["seq"], LandmarksInvalid(problem, hint="Leave that frame out."))
        where = ", ".join(sorted({".".join(map(str, place[:2])) for place in places})) or "JSON"
        raise _foreign(f"these do not fit the protocol: {where}") from error
    if isinstance(asked, LiveOptions):
        return asked
    hand = hand_of(asked) if isinstance(asked, LiveLandmarks) else None
    return HandFrame(asked.seq, hand, asked.t_ms, came_s)


def _foreign(reason: str) -> LiveEnd:
    return LiveEnd(CloseCode.FOREIGN, reason)
