"""Why a live stream ends."""

from enum import IntEnum
from typing import Final

_MAX_REASON_BYTES: Final = 123  # RFC 6455, section 5.5


class CloseCode(IntEnum):
    """Of the WebSocket; those from 4000 on are this protocol's own."""

    DONE = 1000
    UNFORESEEN = 1011
    NOT_READY = 1013
    FOREIGN = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    IDLE = 4408
    TOO_MANY = 4429


class LiveEnd(Exception):
    """Ends a stream."""

    def __init__(self, code: int, reason: str = "", *, is_told: bool = False) -> None:
        """Say why.

        Args:
            code: The WebSocket's close code.
            reason: For people; what does not fit into a close frame is cut off.
            is_told: The client ended it, or is gone: there is nobody to tell.
        """
        super().__init__(reason)
        self.code = int(code)
        self.reason = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        self.is_told = is_told
