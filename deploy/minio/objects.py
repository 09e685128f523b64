"""Copies all objects of the platform's store: `objects.py save` writes a tar to stdout, `objects.py load` reads one."""

import contextlib
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from asl.infra.settings import load_settings
from asl.infra.storage import Storage
from asl.infra.stores import storage_of


def save(storage: Storage, file: IO[bytes]) -> int:
    """Write every object into a tar; returns how many there were."""
    n_objects = 0
    with tarfile.open(fileobj=file, mode="w|") as tar:
        for entry in storage.list(""):
            member = tarfile.TarInfo(entry.key)
            member.size, member.mtime = entry.size_bytes, int(entry.modified_at.timestamp())
            with _fetched(storage, entry.key) as content:
                tar.addfile(member, content)
            n_objects += 1
    return n_objects


def load(storage: Storage, file: IO[bytes]) -> int:
    """Store every member of a tar; each is read back and compared. Returns how many there were."""
    n_objects = 0
    with tarfile.open(fileobj=file, mode="r|") as tar, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                continue
            with path.open("wb") as part:
                while piece := content.read(2**20):
                    part.write(piece)
            storage.put(member.name, path)
            n_objects += 1
    return n_objects


@contextlib.contextmanager
def _fetched(storage: Storage, key: str) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        for piece in storage.open(key):
            file.write(piece)
        file.seek(0)
        yield file


def main() -> None:
    """Do what the command line says."""
    storage = storage_of(load_settings())
    n_objects = save(storage, sys.stdout.buffer) if sys.argv[1] == "save" else load(storage, sys.stdin.buffer)
    sys.stderr.write(f"{sys.argv[1]}: {n_objects} objects\n")


main()
