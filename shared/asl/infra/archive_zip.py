"""Entries of a zip archive, after its whole index was checked against the limits and the local headers."""

import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
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
    too_many_entries,
)
from asl.infra.archive_names import shown

MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip archive, and of an empty one."""

_MAX_INDEX_BYTES: Final = 32 * 2**20
"""Of the central directory, which zipfile reads into memory at once: 335 bytes for each of 100,000 entries."""
_MAX_END_BYTES: Final = 22 + 65_536
"""The end record and its comment: the longest that zipfile reads at once beside the central directory."""
_DIRECTORY_MAGIC: Final = b"PK\x01\x02"

# Section 4.3.7 of PKWARE's APPNOTE: magic, version, flags, method, time, date, CRC, sizes, lengths of name and extra.
_LOCAL: Final = struct.Struct("<4s2xHH4x3I2H")
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
_SIZES_FOLLOW: Final = 0x0008
_UTF_8: Final = 0x0800
_IN_EXTRA: Final = 0xFFFFFFFF
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_entries(path: Path, limits: ArchiveLimits) -> Iterator[Entry]:
    """Check the index of a zip archive, then yield its entries.

    Raises:
        DatasetInvalid: The index is damaged, contradicts the local headers, or is beyond the limits.
    """
    with told_as_ours(), _IndexGuard(path, limits.max_entries) as file, zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if len(infos) > limits.max_entries:
            raise too_many_entries(limits.max_entries)
        for info in infos:
            _check(info, limits)
        if sum(info.file_size for info in infos) > max(RATIO_FREE_BYTES, limits.max_ratio * path.stat().st_size):
            raise too_dense("the archive", limits.max_ratio)
        _check_extents(file, infos, archive.start_dir)
        for info in infos:
            yield Entry(_name(info), info.file_size, info.is_dir(), partial(_content, archive, info))


class _IndexGuard(io.BufferedReader):
    """A file that refuses to read an index with too many entries, before zipfile makes an object of each."""

    def __init__(self, path: Path, max_entries: int) -> None:
        super().__init__(io.FileIO(path))
        self._max_entries = max_entries

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = _MAX_END_BYTES
        if size > _MAX_INDEX_BYTES:
            raise DatasetInvalid(
                f"expected a list of files of at most {_MAX_INDEX_BYTES:,} bytes in the archive, found more",
                hint="Use shorter names, or divide it into several archives.",
            )
        data = super().read(size)
        # The count in the end record may lie; each entry of the index starts with the magic.
        if size > _MAX_END_BYTES and data.count(_DIRECTORY_MAGIC) > self._max_entries:
            raise too_many_entries(self._max_entries)
        return data


def _check(info: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    name = shown(_name(info))
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise DatasetInvalid(
            f"expected files and folders, found {name}, a link or device",
            hint="Pack the files themselves (zip without --symlinks).",
        )
    if info.flag_bits & _ENCRYPTED:
        raise DatasetInvalid(f"expected files without a password, found {name} encrypted", hint="Pack without one.")
    if info.compress_type not in _METHODS:
        raise DatasetInvalid(
            f"expected files stored or deflated, found {name} packed by method {info.compress_type}",
            hint="Pack as a plain zip, with the method Deflate.",
        )
    if info.file_size > max(RATIO_FREE_BYTES, limits.max_ratio * info.compress_size):
        raise too_dense(name, limits.max_ratio)


def _check_extents(file: IO[bytes], infos: list[zipfile.ZipInfo], end: int) -> None:
    """Check that members lie apart and before the index: bombs let many share one piece of compressed data."""
    extents = sorted((info.header_offset, _data_end(file, info, end), _name(info)) for info in infos)
    for (_, first_end, first), (second_start, _, second) in pairwise(extents):
        if first_end > second_start:
            raise DatasetInvalid(
                f"expected files apart from each other, found {shown(first)} overlapping {shown(second)}",
                hint="Pack the folder again.",
            )


def _data_end(file: IO[bytes], info: zipfile.ZipInfo, index_start: int) -> int:
    name = shown(_name(info))
    if not 0 <= info.header_offset <= index_start - _LOCAL.size:
        raise damaged(f"{name} lies outside the archive")
    file.seek(info.header_offset)
    magic, flags, method, crc, packed, size, name_length, extra_length = _LOCAL.unpack(file.read(_LOCAL.size))
    if magic != _LOCAL_MAGIC or file.read(name_length) != _raw_name(info):
        raise damaged(f"the header of {name} is not where the index says")
    sizes = ((crc, info.CRC), (packed, info.compress_size), (size, info.file_size))
    sizes_differ = not flags & _SIZES_FOLLOW and any(local not in {told, _IN_EXTRA} for local, told in sizes)
    if method != info.compress_type or flags & _ENCRYPTED or sizes_differ:
        raise damaged(f"the header of {name} contradicts the index")
    data_end: int = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
    if data_end > index_start:
        raise damaged(f"{name} goes on beyond the end")
    return data_end


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    content = io.BytesIO()
    with told_as_ours(), archive.open(info) as member:
        while piece := member.read(min(CHUNK_BYTES, info.file_size - content.tell() + 1)):
            content.write(piece)
            if content.tell() > info.file_size:
                break
    if content.tell() != info.file_size:
        raise damaged(f"{shown(_name(info))} has not the size that the index says")
    return content.getvalue()


def _name(info: zipfile.ZipInfo) -> str:
    # `info.filename` is cut at the first NUL. macOS packs UTF-8 without saying so.
    try:
        return _raw_name(info).decode()
    except UnicodeDecodeError:
        return info.orig_filename


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF_8 else "cp437")
