"""Bodies too large for memory: streamed to a temporary file, and counted on their way."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from asl.errors import Unavailable

_PIECE_BYTES: Final = 2**20


@asynccontextmanager
async def spooled(request: Request, max_bytes: int) -> AsyncIterator[Path]:
    """Write a request's body to a file in the system's folder for temporary files (`TMPDIR`), removed at the end.

    Args:
        request: Nothing of its body has been read.
        max_bytes: Largest body accepted.

    Raises:
        HTTPException: 413 for a larger body; where Content-Length tells, before any of it is read.
        ClientDisconnect: The client left before the end.
        Unavailable: The disk is full.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise HTTPException(413)
    with tempfile.NamedTemporaryFile(prefix="asl-upload-", buffering=0) as file:
        try:
            await _write(request, file, max_bytes)
        except OSError as error:
            raise Unavailable(
                f"the upload could not be written to a temporary file ({error.strerror})",
                hint="The operator makes room on the disk, or sets TMPDIR to a larger one.",
            ) from error
        yield Path(file.name)


async def _write(request: Request, file: IO[bytes], max_bytes: int) -> None:
    n_bytes = 0
    piece = bytearray()
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise HTTPException(413)
        piece += part
        if len(piece) >= _PIECE_BYTES:
            await run_in_threadpool(_write_all, file, piece)
            piece = bytearray()
    await run_in_threadpool(_write_all, file, piece)


def _write_all(file: IO[bytes], piece: bytearray) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]
