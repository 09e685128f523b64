"""What the readers of zip and tar archives share: limits, an entry, and foreign errors told as ours."""

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from asl.errors import DatasetInvalid

CHUNK_BYTES: Final = 64 * 1024
"""How much is read at a time."""

RATIO_FREE_BYTES: Final = 2**20
"""Up to here any compression ratio is believed: short files of one colour, and headers, shrink to next to nothing."""

_MAX_REASON_CHARACTERS: Final = 200
_DAMAGED: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    # zipfile: NotImplementedError and RuntimeError for features it lacks, ValueError and OverflowError for offsets
    # that no file has.
    RuntimeError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True)
class ArchiveLimits:
    """How much of an archive is read at most."""

    max_entries: int = 100_000
    max_image_bytes: int = 20 * 2**20
    max_total_bytes: int = 20 * 2**30
    """Of all files once unpacked; of a tar, its headers and padding too."""
    max_ratio: int = 200
    """Unpacked to packed, of the whole and of each zip member, where more than `RATIO_FREE_BYTES` are unpacked."""


@dataclass(frozen=True)
class Entry:
    """One file or folder of an archive, before its name is checked."""

    raw_name: str
    size_bytes: int
    is_folder: bool
    read: Callable[[], bytes]
    """Its content, exactly `size_bytes` or DatasetInvalid; only until the next entry is asked for."""


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Turn what the standard library raises on damaged archives into DatasetInvalid."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DatasetInvalid(
            f"expected names in UTF-8, found another encoding ({error.reason} at byte {error.start})",
            hint="Rename the files with letters, digits, '-', '_' and '.', and pack the folder again.",
        ) from error
    except _DAMAGED as error:
        raise damaged(repr(error)[:_MAX_REASON_CHARACTERS]) from error


def damaged(found: str) -> DatasetInvalid:
    """Return the error for an archive that is cut off or broken; `found` says where."""
    return DatasetInvalid(
        f"expected a whole archive, found one that is damaged: {found}",
        hint="Pack the folder and upload it again.",
    )


def too_many_entries(max_entries: int) -> DatasetInvalid:
    """Return the error for an archive of too many files and folders."""
    return DatasetInvalid(
        f"expected at most {max_entries:,} files and folders, found more", hint="Divide it into several archives."
    )


def too_much_content(max_bytes: int) -> DatasetInvalid:
    """Return the error for an archive that unpacks to too much."""
    return DatasetInvalid(
        f"expected at most {max_bytes:,} bytes once unpacked, found more", hint="Divide it into several archives."
    )


def too_dense(what: str, max_ratio: int) -> DatasetInvalid:
    """Return the error for what unpacks to far more than photographs do."""
    return DatasetInvalid(
        f"expected {what} to unpack to at most {max_ratio} times its size, found more",
        hint="Photographs hardly shrink; leave the other files out.",
    )
