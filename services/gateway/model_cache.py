"""Files of models, fetched from the store once and kept in a folder."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Final

from asl.infra import tables
from asl.infra.storage import Storage

N_KEPT: Final = 5
"""Files that stay: what answers, and some to roll back to."""

_LAST: Final = "production.json"
_REMEMBERED: Final = ("id", "number", "version", "key", "sha256")


class ModelCache:
    """A folder of files named by their hashes, and a note of which one answered last."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        self._folder = folder
        self._storage = storage

    def fetch(self, row: tables.Model) -> Path:
        """Return a model's file, checked by its hash.

        Raises:
            NotFound: The store has no such object.
            Unavailable: The store cannot be reached, or gives other bytes.
        """
        path = self._folder / f"{row.sha256}.pt"
        if not _has_hash(path, row.sha256):
            self._storage.get(row.key, path, sha256=row.sha256)
        os.utime(path)
        self._forget_oldest()
        return path

    def remember(self, row: tables.Model) -> None:
        """Note the model that answers, for a start at which the database is away."""
        part = self._folder / f"{_LAST}.{os.getpid()}"
        with contextlib.suppress(OSError):  # it is only a note
            part.write_text(json.dumps({name: getattr(row, name) for name in _REMEMBERED}))
            part.replace(self._folder / _LAST)

    def forget(self) -> None:
        """Note that no model of the registry answers."""
        with contextlib.suppress(OSError):
            (self._folder / _LAST).unlink()

    def last(self) -> tables.Model | None:
        """Return what was remembered, with as much of its row as `fetch` needs; None where that is nothing usable."""
        try:
            values = json.loads((self._folder / _LAST).read_text())
            return tables.Model(**{name: values[name] for name in _REMEMBERED})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _forget_oldest(self) -> None:
        with contextlib.suppress(OSError):  # another gateway of this machine may be at it too
            files = sorted(self._folder.glob("*.pt"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in files[N_KEPT:]:
                path.unlink()


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
