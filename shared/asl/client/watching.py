"""A job's events as they happen, whatever becomes of the connection that they come over."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import httpx
from pydantic import ValidationError

from asl.client import event_stream
from asl.client.transport import Call, Transport
from asl.contracts import ENDED, EventKind, Job, JobEvent
from asl.errors import AslError, Unavailable

_SILENCE_S: Final = 45.0
"""The server says something every 15 s; a connection that is silent for longer is dead."""
_RECONNECT_S: Final = 0.3
_MAX_FRUITLESS: Final = 3
_POLL_S: Final = 1.0


def events(transport: Transport, path: str, after: int) -> Iterator[JobEvent]:
    """Read events over one connection.

    Args:
        transport: The server.
        path: Of a job's events.
        after: Only events with a larger id.

    Raises:
        Unavailable: The connection was cut, or does not carry events.
    """
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(after)} if after else {})}
    # Not tried again here: `watch` sees to that, and knows what else to do where the server has too many who watch.
    call = Call("GET", path, headers=headers, timeout_s=_SILENCE_S, is_repeatable=False)
    with transport.stream(call, is_read_in_parts=True) as response:
        if response.status_code == HTTPStatus.NO_CONTENT:
            return
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise Unavailable(f"expected events from {path}, found {response.headers.get('Content-Type', 'none')}")
        try:
            for event in event_stream.parse(response.iter_bytes()):
                yield JobEvent.model_validate_json(event.data, extra="ignore")
        except httpx.TransportError as error:
            raise Unavailable(f"the connection was cut ({error or type(error).__name__})") from error
        except ValidationError as error:
            raise AslError(f"expected events of a job from {path}, found others") from error


def watch(connect: Callable[[int], Iterator[JobEvent]], look: Callable[[], Job], after: int) -> Iterator[JobEvent]:
    """Read events until the job has ended, each once: over new connections where one ends, by looking where none holds.

    Args:
        connect: Reads events after an id over one connection.
        look: Reads the job.
        after: Only events with a larger id.
    """
    last, n_fruitless = after, 0
    while n_fruitless < _MAX_FRUITLESS:
        had_ended = look().state in ENDED  # before connecting: then all its events are there to be read
        n_fruitless += 1
        try:
            for event in connect(last):
                last, n_fruitless = max(last, event.id), 0
                yield event
                if is_end(event):
                    return
            if had_ended:
                return
        except Unavailable:
            pass
        time.sleep(_RECONNECT_S * n_fruitless)
    yield from _poll(look, last)


def is_end(event: JobEvent) -> bool:
    """Tell whether nothing comes after an event."""
    return event.kind is EventKind.STATE and event.data.get("state") in ENDED


def _poll(look: Callable[[], Job], last: int) -> Iterator[JobEvent]:
    """Tell what can be seen of a job from outside: its state and its progress, when they change."""
    seen = None
    while True:
        job = look()
        progress = job.progress.model_dump(mode="json")
        if seen is None or seen.progress != job.progress:
            yield JobEvent(id=last, at=_now(), kind=EventKind.PROGRESS, attempt=job.attempt, data=progress)
        if seen is None or seen.state is not job.state:
            error = {"error": job.error.model_dump()} if job.error else {}
            data = {"state": str(job.state), **error}
            yield JobEvent(id=last, at=_now(), kind=EventKind.STATE, attempt=job.attempt, data=data)
        if job.state in ENDED:
            return
        seen = job
        time.sleep(_POLL_S)


def _now() -> datetime:
    return datetime.now(UTC)
