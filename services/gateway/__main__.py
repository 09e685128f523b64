"""The gateway as a process: `python -m services.gateway`, with the options of the server that the platform needs."""

import argparse
from typing import Final

import uvicorn

from services.gateway.app import settings_or_exit
from services.gateway.http_protocol import TimedHttpProtocol
from services.gateway.websocket_protocol import LeavingWebSocketProtocol

_APP: Final = "services.gateway.app:create_app"
_FRAME_OVERHEAD_BYTES: Final = 64 * 1024
"""What a live message may hold beside an image."""


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m services.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on")
    parser.add_argument("--reload", action="store_true", help="start anew whenever a source file changes")
    parser.add_argument("--drain-s", type=int, default=5, help="how long calls at work may take to finish at the end")
    options = parser.parse_args()
    uvicorn.run(
        _APP,
        factory=True,
        host=options.host,
        port=options.port,
        reload=options.reload,
        http=TimedHttpProtocol,
        ws=LeavingWebSocketProtocol,
        ws_max_size=settings_or_exit().max_image_bytes + _FRAME_OVERHEAD_BYTES,
        ws_per_message_deflate=False,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=options.drain_s,
    )


if __name__ == "__main__":
    main()
