"""Uploaded archives of labelled photographs (zip, tar, tar.gz), read without trust and without writing to disk."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asl.errors import DatasetInvalid
from asl.infra.archive_entries import ArchiveLimits, Entry, too_many_entries, too_much_content
from asl.infra.archive_names import Arrangement, Layout, Survey, clean_name, is_hidden, reason_to_skip, shown
from asl.infra.archive_tar import GZIP_MAGIC, tar_entries
from asl.infra.archive_zip import MAGICS, zip_entries


@dataclass(frozen=True)
class Member:
    """A labelled photograph of an archive."""

    name: str
    """Relative, with forward slashes, without the folder that an archiver put around everything."""
    signer: str
    """'' where unknown."""
    label: str
    size_bytes: int
    content: bytes = field(repr=False)
    """Whatever the file holds; whether it is a picture is for the reader of pictures to say."""


@dataclass(frozen=True)
class Skipped:
    """A file of an archive that is no photograph of a class."""

    name: str
    """As in the archive, relative and with forward slashes."""
    reason: str


def read_archive(
    path: Path, limits: ArchiveLimits | None = None, *, layout: Layout = Layout.AUTO
) -> Iterator[Member | Skipped]:
    """Check all of an archive's names, kinds and sizes at once, then return an iterator over its files.

    Files that systems hide, and what macOS adds in `__MACOSX`, are left out without a word.

    Args:
        path: A zip, tar or tar.gz, told by its content and not by its name. It must not change meanwhile.
        limits: How much is read at most.
        layout: What the folders stand for; see `archive_names.Survey.arrangement` for what is found otherwise.

    Returns:
        One file at a time, in the archive's order. It may raise DatasetInvalid too, where a file's content is damaged
        or not of the size that was told.

    Raises:
        DatasetInvalid: It is no such archive, is damaged, is beyond the limits, or holds what no data set holds.
    """
    limits = limits or ArchiveLimits()
    return _files(path, limits, _check(path, limits, layout))


def _check(path: Path, limits: ArchiveLimits, layout: Layout) -> Arrangement:
    survey = Survey()
    total_bytes = 0
    for n_entries, entry in enumerate(_entries(path, limits), start=1):
        total_bytes += entry.size_bytes
        if n_entries > limits.max_entries:
            raise too_many_entries(limits.max_entries)
        if total_bytes > limits.max_total_bytes:
            raise too_much_content(limits.max_total_bytes)
        name = _checked_name(entry, limits)
        if not entry.is_folder:
            survey.add(name)
    return survey.arrangement(layout)


def _checked_name(entry: Entry, limits: ArchiveLimits) -> str:
    name = clean_name(entry.raw_name)
    if entry.is_folder:
        return name
    if not name:
        raise DatasetInvalid(f"expected a name, found a file called {shown(entry.raw_name)}", hint="Rename the file.")
    if entry.size_bytes > limits.max_image_bytes and not is_hidden(name) and not reason_to_skip(name):
        raise DatasetInvalid(
            f"expected photographs of at most {limits.max_image_bytes:,} bytes, "
            f"found {shown(name)} of {entry.size_bytes:,}",
            hint="640 pixels on a side are plenty.",
        )
    return name


def _files(path: Path, limits: ArchiveLimits, arrangement: Arrangement) -> Iterator[Member | Skipped]:
    for entry in _entries(path, limits):
        name = _checked_name(entry, limits)
        if entry.is_folder or is_hidden(name):
            continue
        if reason := reason_to_skip(name):
            yield Skipped(name, reason)
        else:
            place = arrangement.place(name)
            yield Member(place.name, place.signer, place.label, entry.size_bytes, entry.read())


def _entries(path: Path, limits: ArchiveLimits) -> Iterator[Entry]:
    with path.open("rb") as file:
        start = file.read(tarfile.BLOCKSIZE)
    if start.startswith(MAGICS):
        return zip_entries(path, limits)
    if start.startswith(GZIP_MAGIC) or _is_tar_header(start):
        return tar_entries(path, limits)
    raise DatasetInvalid(
        "expected a zip, tar or tar.gz archive, found none" if start else "expected an archive, found an empty file",
        hint="Pack the folder with zip -r data.zip FOLDER, or tar -czf data.tar.gz FOLDER.",
    )


def _is_tar_header(block: bytes) -> bool:
    if len(block) == tarfile.BLOCKSIZE and not block.strip(b"\0"):
        return True
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
