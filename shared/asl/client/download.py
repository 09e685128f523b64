"""Files from the server: resumed where a download was cut off, checked by their hash, and never there half."""

import hashlib
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx

from asl.client.transport import Call, Transport
from asl.errors import AslError, Unavailable

OnBytes = Callable[[int], None]
"""Told how many bytes of a file are done."""

_PIECE_BYTES: Final = 1024 * 1024
_MAX_CUTS: Final = 5
_CUT_DELAY_S: Final = 0.2


def download(
    transport: Transport, path: str, target: Path, *, sha256: str, size_bytes: int, on_bytes: OnBytes | None = None
) -> Path:
    """Fetch a file whose content is known by its hash.

    What came of an earlier download stands beside the target under a name with the hash, and is gone on with.

    Args:
        transport: The server.
        path: Where the file is on the server.
        target: Where it is to be.
        sha256: Of its content.
        size_bytes: Of its content.
        on_bytes: Told of the progress.

    Returns:
        The target.

    Raises:
        AslError: The content is not what the hash says.
        Unavailable: The connection was cut again and again.
    """
    part = target.with_name(f".{target.name}.{sha256[:16]}.part")
    # A part of an earlier run may be damaged: then the whole is fetched once more.
    for is_last in (False, True):
        _fetch(transport, path, part, size_bytes, on_bytes)
        if _sha256(part) == sha256:
            part.replace(target)
            return target
        part.unlink()
        if is_last:
            break
    raise AslError(
        f"expected {target.name} with the SHA-256 {sha256}, found other content",
        hint="Try again; if it stays so, the stored file is damaged.",
    )


def _fetch(transport: Transport, path: str, part: Path, size_bytes: int, on_bytes: OnBytes | None) -> None:
    n_cuts, n_before = 0, _size(part)
    while True:
        try:
            _append(transport, path, part, size_bytes, on_bytes)
        except httpx.TransportError as error:
            n_cuts = 1 if _size(part) > n_before else n_cuts + 1
            n_before = _size(part)
            if n_cuts > _MAX_CUTS:
                raise Unavailable(f"the download of {path} was cut off again and again ({error})") from error
            time.sleep(_CUT_DELAY_S * n_cuts)
        else:
            return


def _append(transport: Transport, path: str, part: Path, size_bytes: int, on_bytes: OnBytes | None) -> None:
    done = _size(part)
    if done > size_bytes:
        part.unlink()
        done = 0
    if done == size_bytes and part.exists():
        return
    headers = {"Range": f"bytes={done}-"} if done else {}
    with transport.stream(Call("GET", path, headers=headers), is_read_in_parts=True) as response:
        is_rest = response.status_code == HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if is_rest else "wb") as file:
            for piece in response.iter_bytes(_PIECE_BYTES):
                file.write(piece)
                if on_bytes:
                    on_bytes(file.tell())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
