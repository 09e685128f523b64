"""uvicorn's WebSocket protocol, which tells at the server's end that it is gone, and not that it starts again."""

from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

_GOING_AWAY: Final = 1001


class LeavingWebSocketProtocol(WebSocketsSansIOProtocol):
    """Closes open connections with 1001 (RFC 6455: going away); uvicorn itself says 1012 (service restart)."""

    def shutdown(self) -> None:
        """End the connection; called by uvicorn, before the application hears of the end."""
        if self.conn.state is State.OPEN and self.handshake_complete and not self.close_sent:
            # What uvicorn closes with is fixed in its code; a connection that closes already is left to it.
            self.queue.put_nowait({"type": "websocket.disconnect", "code": _GOING_AWAY})
            self.conn.send_close(_GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()
