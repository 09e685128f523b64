"""Files of a job to objects in the store, under keys that no other attempt has."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from asl.infra.jobs import Claim, NewArtifact
from asl.infra.storage import Storage

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".png": "image/png",
    ".txt": "text/plain",
}
_OTHER: Final = "application/octet-stream"


def key_of(claim: Claim, sha256: str, name: str) -> str:
    """Return where an object of an attempt lies."""
    return f"jobs/{claim.job_id}/{claim.attempt}/{sha256}-{name}"


def store(storage: Storage, claim: Claim, files: Mapping[str, Path]) -> list[NewArtifact]:
    """Store the files of an attempt; nobody sees them until the job's end is written down.

    Args:
        storage: Where to.
        claim: The job.
        files: By the names that users know them by.

    Raises:
        Unavailable: The store cannot be reached.
    """
    stored = []
    for name, path in files.items():
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        done = storage.put(key_of(claim, sha256, name), path, sha256=sha256)
        media_type = MEDIA_TYPES.get(path.suffix, _OTHER)
        stored.append(NewArtifact(name, done.key, sha256, done.size_bytes, media_type))
    return stored
