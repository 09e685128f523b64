"""Entries of a tar archive, plain or compressed by gzip, read forward only and never beyond the limits.

The standard library decodes each header; what continues a header (long names, pax) is read here, because `TarFile`
takes such a record into memory whatever its size, and spends time on it that grows with the square of its length.
"""

import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from asl.errors import DatasetInvalid
from asl.infra.archive_entries import (
    CHUNK_BYTES,
    RATIO_FREE_BYTES,
    ArchiveLimits,
    Entry,
    damaged,
    told_as_ours,
    too_dense,
    too_much_content,
)
from asl.infra.archive_names import shown

GZIP_MAGIC: Final = b"\x1f\x8b"

_MAX_EXTENSION_BYTES: Final = 64 * 1024
_MAX_EXTENSIONS_BYTES: Final = 64 * 2**20
"""In all: as much as 670 bytes for each of 100,000 entries. They compress well and take long to read."""
_MAX_EXTENSIONS: Final = 8
"""Records in front of one header: a long name, a long link and a pax record, and room."""
_MAX_SIZE_BYTES: Final = 2**63 - 1
_LONG: Final = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PAX: Final = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)


def tar_entries(path: Path, limits: ArchiveLimits) -> Iterator[Entry]:
    """Yield the entries of a tar archive as its headers come.

    Raises:
        DatasetInvalid: A header is damaged, or of a link or device; the archive ends early, goes on after its end, or
            unpacks to more than the limits allow.
    """
    with told_as_ours(), path.open("rb") as file:
        source = _source(file, path.stat().st_size, limits)
        while (header := _next_header(source)) is not None:
            # The content may have been read meanwhile, or not.
            end = source.position + header.size_bytes + -header.size_bytes % tarfile.BLOCKSIZE
            yield Entry(header.name, header.size_bytes, header.is_folder, partial(_content, source, header.size_bytes))
            source.skip(end - source.position)
        source.expect_end()


@dataclass(frozen=True)
class _Header:
    name: str
    size_bytes: int
    """0 for folders, which have no content whatever their header says."""
    is_folder: bool


class _Gunzip(io.RawIOBase):
    """Reads a single gzip stream; `gzip` would follow millions of empty ones behind each other, at 20 bytes each."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands over
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._file.read(CHUNK_BYTES)
            if not packed:
                raise EOFError("the compressed data is cut off")
            if piece := self._zlib.decompress(packed, len(target)):
                target[: len(piece)] = piece
                return len(piece)
        if self._zlib.unused_data.strip(b"\0") or self._file.read(1).strip(b"\0"):
            raise damaged("more follows after the compressed data")
        return 0


class _Source:
    """A stream that counts what was read and stops at a limit."""

    def __init__(self, stream: IO[bytes], max_bytes: int, beyond: DatasetInvalid) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._beyond = beyond
        self._extension_bytes = 0
        self.position = 0

    def read_extension(self, size: int) -> bytes:
        """Read a record that continues a header, and its padding."""
        self._extension_bytes += max(size, 0)
        if not 0 <= size <= _MAX_EXTENSION_BYTES or self._extension_bytes > _MAX_EXTENSIONS_BYTES:
            raise damaged(f"a header continues for {size:,} bytes, or all for {self._extension_bytes:,}")
        return self.read(size + -size % tarfile.BLOCKSIZE)[:size]

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes."""
        self._check(self.position + size)
        content = self._stream.read(size)
        self.position += len(content)
        if len(content) < size:
            raise EOFError("the tar archive is cut off")
        return content

    def skip(self, size: int) -> None:
        end = self.position + size
        # At once, and not only when so much was unpacked.
        self._check(end)
        while self.position < end:
            self.read(min(CHUNK_BYTES, end - self.position))

    def expect_end(self) -> None:
        """Read on to the end, so that a cut or a wrong checksum there is seen too."""
        while piece := self._stream.read(CHUNK_BYTES):
            self.position += len(piece)
            self._check(self.position)
            if piece.strip(b"\0"):
                raise damaged("more follows after the end of the tar archive")

    def _check(self, position: int) -> None:
        if position > self._max_bytes:
            raise self._beyond


def _content(source: _Source, size_bytes: int) -> bytes:
    with told_as_ours():
        return source.read(size_bytes)


def _source(file: IO[bytes], packed_bytes: int, limits: ArchiveLimits) -> _Source:
    is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    ratio_bytes = max(RATIO_FREE_BYTES, limits.max_ratio * packed_bytes)
    stream = io.BufferedReader(_Gunzip(file), CHUNK_BYTES) if is_packed else file
    if is_packed and ratio_bytes < limits.max_total_bytes:
        return _Source(stream, ratio_bytes, too_dense("the archive", limits.max_ratio))
    return _Source(stream, limits.max_total_bytes, too_much_content(limits.max_total_bytes))


def _next_header(source: _Source) -> _Header | None:
    """Read a header and what continues it, or None at the archive's end mark."""
    told: dict[str, str] = {}
    for _ in range(_MAX_EXTENSIONS + 1):
        block = source.read(tarfile.BLOCKSIZE)
        if not block.strip(b"\0"):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except tarfile.HeaderError as error:
            raise damaged(f"no tar header at byte {source.position - tarfile.BLOCKSIZE} ({error})") from error
        if info.type in _LONG or info.type in _PAX or info.type == tarfile.XGLTYPE:
            told |= _extension(source, info)
        else:
            return _header(info, told)
    raise damaged(f"more than {_MAX_EXTENSIONS} records in front of a header")


def _extension(source: _Source, info: tarfile.TarInfo) -> dict[str, str]:
    body = source.read_extension(info.size)
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": body.rstrip(b"\0").decode()}
    if info.type == tarfile.GNUTYPE_LONGLINK:
        return {}
    records = _pax_records(body)
    # Such as git's comment; a name or a size for all files makes no sense.
    if info.type == tarfile.XGLTYPE and records:
        raise damaged("one name or size is told for all files")
    return records


def _pax_records(body: bytes) -> dict[str, str]:
    """Read path and size from pax records, each `<length> <key>=<value>` and a line feed (POSIX.1-2001, pax)."""
    records = {}
    position = 0
    while position < len(body):
        digits, _, _ = body[position : position + 8].partition(b" ")
        end = position + int(digits)
        key, equals, value = body[position + len(digits) + 1 : end].partition(b"=")
        if not equals or not value.endswith(b"\n") or end > len(body):
            raise damaged("a pax record is malformed")
        if key.startswith(b"GNU.sparse."):
            raise damaged("a file has holes; pack without --sparse")
        if key in {b"path", b"size"}:
            records[key.decode()] = value[:-1].decode()
        position = end
    return records


def _header(info: tarfile.TarInfo, told: dict[str, str]) -> _Header:
    name = told.get("path", info.name)
    # An old header tells a folder by the slash at the end of its name, which may stand in the record in front.
    is_folder = info.isdir() or (info.type == tarfile.AREGTYPE and name.endswith("/"))
    if not is_folder and info.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
        raise DatasetInvalid(
            f"expected files and folders, found {shown(name)}, a link, device or file with holes",
            hint="Pack the files themselves (tar --dereference --hard-dereference, without --sparse).",
        )
    size_bytes = int(told.get("size", info.size))
    if not 0 <= size_bytes <= _MAX_SIZE_BYTES:
        raise damaged(f"{shown(name)} has a size that no file has")
    return _Header(name, 0 if is_folder else size_bytes, is_folder)
