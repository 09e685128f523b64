"""Bytes on their way between files and a store: read in pieces, hashed, and compared with what was expected."""

import hashlib
import io
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from asl.errors import InvalidInput, NotFound, Unavailable

CHUNK_BYTES: Final = 1024 * 1024


class Digest(NamedTuple):
    """What tells one content from another."""

    sha256: str
    size_bytes: int


class Source(NamedTuple):
    """A content that can be read as often as an upload has to be tried."""

    opened: Callable[[], BinaryIO]
    digest: Digest


def source_of_file(path: Path, sha256: str | None) -> Source:
    """Hash a file that is to be stored.

    Raises:
        NotFound: It cannot be read.
        InvalidInput: It has another hash than expected.
    """
    try:
        with path.open("rb") as file:
            digest = digest_of(pieces(file))
    except OSError as error:
        raise NotFound(f"expected a file to store at {path}, found none ({error.strerror})") from error
    if sha256 not in (None, digest.sha256):
        raise InvalidInput(f"{path.name}: expected the SHA-256 {sha256}, found {digest.sha256}")
    return Source(lambda: path.open("rb"), digest)


def source_of_bytes(data: bytes) -> Source:
    """Hash bytes that are to be stored."""
    return Source(lambda: io.BytesIO(data), digest_of([data]))


def pieces(file: BinaryIO, size_bytes: int | None = None) -> Iterator[bytes]:
    """Read a file piece by piece from where it stands, to its end or as many bytes as given."""
    left = size_bytes
    while left != 0 and (piece := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))):
        left = None if left is None else left - len(piece)
        yield piece


def digest_of(content: Iterable[bytes]) -> Digest:
    """Hash and count bytes."""
    hasher, size_bytes = hashlib.sha256(), 0
    for piece in content:
        hasher.update(piece)
        size_bytes += len(piece)
    return Digest(hasher.hexdigest(), size_bytes)


def compare(key: str, expected: Digest, found: Digest) -> None:
    """Check what a store gives back.

    Raises:
        Unavailable: It is not what the store was given.
    """
    if expected != found:
        raise Unavailable(
            f"{key}: expected {expected.size_bytes:,} bytes of SHA-256 {expected.sha256} from the store, "
            f"found {found.size_bytes:,} bytes of {found.sha256}",
            hint="Try again; if it stays so, the object is damaged.",
        )


def fetch(key: str, content: Iterator[bytes], path: Path, sha256: str) -> None:
    """Write an object's bytes to a file, which is there whole or not at all.

    Raises:
        Unavailable: The bytes have another hash, or the file cannot be written.
    """
    try:
        with _replacing(path) as part:
            with part.open("xb") as file:
                digest = digest_of(_written(content, file))
            compare(key, Digest(sha256, digest.size_bytes), digest)
    except OSError as error:
        raise Unavailable(
            f"could not write {key} to {path}: {error}", hint="Check the folder's permissions and the room on its disk."
        ) from error


def primed(content: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece now, so that errors come now; an iterator dropped later closes what it reads from."""
    return chain([next(content, b"")], content)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _written(content: Iterator[bytes], file: BinaryIO) -> Iterator[bytes]:
    for piece in content:
        file.write(piece)
        yield piece
