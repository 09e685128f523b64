"""HTTP connections whose headers have to come in time, and on which an answer leaves as a whole.

uvicorn itself would wait for headers for ever, and writes an answer's own apart from its body.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_S: Final = 5.0
"""From the connection, or a request's first byte, to the end of its headers."""

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class TimedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, a clock that runs until a request's headers are there, and one write for a short answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the clock."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start the clock for the next request of a connection; the first one's runs already."""
        super().on_message_begin()
        if self._clock is None:
            self._start_clock()

    def on_headers_complete(self) -> None:
        """Stop the clock: what the body may take is up to `limits.BodyLimit`."""
        self._stop_clock()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.transport = JoinedWrites(self.transport, self.loop)  # type: ignore[assignment] # all that it uses

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(HEADERS_S, self._end)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _end(self) -> None:
        self._clock = None
        self.transport.write(_TOO_SLOW)
        self.transport.close()


class JoinedWrites:
    """A transport for one answer: its headers wait for its body as long as the event loop does nothing else.

    Each write is a call of the system, and one more time that the client is woken.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._has_begun = False

    def write(self, data: bytes) -> None:
        """Hold what comes first; write what comes later, with what is held."""
        if not self._has_begun:
            self._has_begun, self._held = True, data
            self._loop.call_soon(self._flush)
        elif self._held is None:
            self._transport.write(data)
        else:
            self._transport.writelines((self._held, data))
            self._held = None

    def is_closing(self) -> bool:
        """Tell whether the connection ends."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End the connection when all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, None
        if held is not None and not self._transport.is_closing():
            self._transport.write(held)
