"""What the images' locks pin: names, versions and the hashes of files."""

import re
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parents[1] / "images"
_PINNED: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


class Pinned(NamedTuple):
    """One package of a lock."""

    name: str
    version: str
    sha256: tuple[str, ...]


def read(lock: Path) -> list[Pinned]:
    """Read a lock with hashes.

    Raises:
        ValueError: A package has no hash, or there is none.
    """
    text = lock.read_text(encoding="utf-8")
    found = [
        Pinned(normal(name), version, tuple(re.findall(r"sha256:([0-9a-f]{64})", rest)))
        for name, version, rest in _PINNED.findall(text)
    ]
    if not found or not all(package.sha256 for package in found):
        raise ValueError(f"{lock}: expected packages with their hashes")
    return found


def normal(name: str) -> str:
    """Return a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
