"""A store in a folder, for one machine: atomic and durable writes, nothing outside of the folder."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asl.errors import Conflict, InvalidInput, NotFound, Unavailable
from asl.infra.storage.objects import Entry, Stored, check_key, check_prefix, check_range, is_key
from asl.infra.storage.transfer import (
    CHUNK_BYTES,
    Source,
    compare,
    digest_of,
    fetch,
    pieces,
    primed,
    source_of_bytes,
    source_of_file,
)

_PARTS: Final = "~parts"
"""Where files are written before they get their name; no key can have a `~`."""
_STALE_AFTER_S: Final = 24 * 3600.0
_MOVE_ATTEMPTS: Final = 100


class FolderStorage:
    """Keeps each object as a file at `<root>/<key>`."""

    def __init__(self, root: Path) -> None:
        """Take a folder, which is made with the first object.

        Args:
            root: The folder; what killed writers left in it more than a day ago is removed.
        """
        self._root = root.expanduser().resolve()
        self._parts = self._root / _PARTS
        self._remove_stale_parts()

    def put(self, key: str, path: Path, *, sha256: str | None = None) -> Stored:
        """Store a file; see `Storage.put`."""
        return self._put(key, source_of_file(path, sha256))

    def put_bytes(self, key: str, data: bytes) -> Stored:
        """Store bytes; see `Storage.put`."""
        return self._put(key, source_of_bytes(data))

    def get(self, key: str, path: Path, *, sha256: str) -> None:
        """Copy an object to a file; see `Storage.get`."""
        fetch(key, self.open(key), path, sha256)

    def open(self, key: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Read a range of bytes; see `Storage.open`."""
        check_range(start, end)
        return primed(self._read(key, self._path(key), start, end))

    def size(self, key: str) -> int:
        """Return an object's size; see `Storage.size`."""
        path = self._path(key)
        with _reading(key):
            size_bytes = _size_of_file(path)
        if size_bytes is None:
            raise _not_found(key)
        return size_bytes

    def list(self, prefix: str) -> Iterator[Entry]:
        """List objects by prefix; see `Storage.list`."""
        return self._walk(self._root, "", check_prefix(prefix))

    def delete(self, key: str) -> None:
        """Delete an object and the folders that it leaves empty; see `Storage.delete`."""
        path = self._path(key)
        with _translated(f"delete {key}"), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:  # it holds other objects, or another one removed it
                break

    def presigned_url(self, key: str, *, file_name: str, expires_s: int) -> str | None:  # noqa: ARG002 - the protocol's
        """Return None: a folder has no URLs."""
        return None

    def check(self) -> None:
        """Find out whether the folder can be written; see `Storage.check`."""
        with _translated(f"use the folder {self._root}"):
            self._parts.mkdir(parents=True, exist_ok=True)
            if not os.access(self._parts, os.W_OK | os.X_OK):
                raise PermissionError(f"{self._root} is not writable")

    def _path(self, key: str) -> Path:
        path = self._root / check_key(key)
        try:
            is_inside = path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            raise Unavailable(
                f"could not look up {key}: {error}", hint="Remove links from the store's folder."
            ) from error
        if not is_inside:
            raise InvalidInput(f"{key}: expected a file in the store's folder, found a link out of it")
        return path

    def _put(self, key: str, source: Source) -> Stored:
        target = self._path(key)
        with _writing(key):
            if _size_of_file(target) == source.digest.size_bytes:
                with target.open("rb") as file:
                    if digest_of(pieces(file)) == source.digest:
                        os.utime(target)  # as young as if it were new, for those who remove what is old
                        return Stored(key, *source.digest)
            self._write(key, target, source)
        return Stored(key, *source.digest)

    def _write(self, key: str, target: Path, source: Source) -> None:
        self._parts.mkdir(parents=True, exist_ok=True)
        part = self._parts / f"~{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with source.opened() as content, part.open("xb") as file:
                shutil.copyfileobj(content, file, CHUNK_BYTES)
                file.flush()
                os.fsync(file.fileno())
            with part.open("rb") as file:
                compare(key, source.digest, digest_of(pieces(file)))
            _move(part, target, self._root)
        finally:
            part.unlink(missing_ok=True)

    def _read(self, key: str, path: Path, start: int, end: int | None) -> Iterator[bytes]:
        with _reading(key), path.open("rb") as file:
            file.seek(start)
            yield from pieces(file, None if end is None else end - start)

    def _walk(self, folder: Path, above: str, prefix: str) -> Iterator[Entry]:
        """Yield entries in the order of their keys: a folder is sorted as its name with the / that follows it."""
        with _translated(f"list {folder}"):
            entries = _entries_of(folder)
        for name, entry in entries:
            key = above + name
            if not is_key(key.removesuffix("/")) or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if name.endswith("/"):
                yield from self._walk(Path(entry.path), key, prefix)
            elif key.startswith(prefix) and (found := _entry_of(entry, key)):
                yield found

    def _remove_stale_parts(self) -> None:
        """Remove files that nobody has written to for a day; a writer that yet lives gets an error and tries again."""
        with suppress(OSError):
            for part in self._parts.iterdir():
                if time.time() - part.stat().st_mtime > _STALE_AFTER_S:
                    part.unlink(missing_ok=True)


def _entries_of(folder: Path) -> list[tuple[str, "os.DirEntry[str]"]]:
    try:
        with os.scandir(folder) as found:
            return sorted(
                ((entry.name + "/" * entry.is_dir(follow_symlinks=False), entry) for entry in found),
                key=lambda item: item[0],
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _entry_of(entry: "os.DirEntry[str]", key: str) -> Entry | None:
    with _translated(f"list {key}"), suppress(FileNotFoundError):  # deleted since
        if entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            return Entry(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
    return None


def _size_of_file(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _move(part: Path, target: Path, root: Path) -> None:
    """Move a file into place and have the disk keep its name."""
    for attempt in range(_MOVE_ATTEMPTS):
        try:
            made = _make_folders(target.parent, root)
            part.replace(target)
            break
        except (FileNotFoundError, FileExistsError):  # a `delete` has just removed a folder, since it was empty
            if attempt == _MOVE_ATTEMPTS - 1 or _is_blocked(target):
                raise
    for folder in {target.parent, *made}:
        _sync(folder)


def _is_blocked(target: Path) -> bool:
    return any(folder.exists() and not folder.is_dir() for folder in target.parents)


def _make_folders(folder: Path, root: Path) -> list[Path]:
    """Make a folder and those above it; return the folders that hold a new one."""
    missing = [path for path in (folder, *folder.parents) if path.is_relative_to(root) and not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [path.parent for path in missing]


def _sync(folder: Path) -> None:
    with suppress(FileNotFoundError):  # emptied and removed since
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_found(key: str) -> NotFound:
    return NotFound(f"no object {key} in the store")


@contextmanager
def _reading(key: str) -> Iterator[None]:
    with _translated(f"read {key}"):
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise _not_found(key) from error


@contextmanager
def _writing(key: str) -> Iterator[None]:
    with _translated(f"put {key}"):
        try:
            yield
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise Conflict(
                f"{key}: expected no object at or above this key's folders, found one ({error.strerror})",
                hint="Choose another key.",
            ) from error


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"could not {what}: {error}", hint="Check the folder's permissions and the room on its disk."
        ) from error
