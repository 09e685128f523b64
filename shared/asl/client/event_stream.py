"""Server-sent events, read from bytes as they come in (WHATWG HTML, section 9.2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    """One event."""

    id: str
    name: str
    data: str


def parse(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Read events; what is cut off at the end is none.

    Args:
        pieces: The stream, cut anywhere.
    """
    last_id, name, data = "", "", list[str]()
    for line in _lines(pieces):
        if not line:
            if data:
                yield ServerEvent(last_id, name, "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            last_id = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    # Not str.splitlines: it also splits at characters that texts of a log may well hold, such as U+2028.
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
