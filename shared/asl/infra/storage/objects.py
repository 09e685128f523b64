"""What every store offers: immutable objects under keys, checked by SHA-256 whenever they are written or fetched."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from asl.errors import InvalidInput

MAX_KEY_LENGTH: Final = 900
"""S3 allows 1,024 bytes; the rest is room for a file system's own prefix."""
MAX_SEGMENT_LENGTH: Final = 255
"""What common file systems allow for one name."""

_SEGMENT: Final = r"[A-Za-z0-9._-]+"
_KEY: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_PREFIX: Final = re.compile(rf"(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?")


class Stored(NamedTuple):
    """An object as it was read back from the store."""

    key: str
    sha256: str
    size_bytes: int


class Entry(NamedTuple):
    """An object as a listing shows it."""

    key: str
    size_bytes: int
    modified_at: datetime
    """In UTC, by the store's clock."""


class Storage(Protocol):
    """Keeps artifacts; every method may be called from any thread, and each process opens a store of its own."""

    def put(self, key: str, path: Path, *, sha256: str | None = None) -> Stored:
        """Store a file, read it back and compare; an equal object that is there already is only compared.

        Args:
            key: Where to store it; it should contain the content's hash, since objects never change.
            path: The file.
            sha256: What its hash must be, in lower-case hex; whatever it is where None.

        Raises:
            NotFound: There is no such file.
            InvalidInput: The key is not allowed, or the file has another hash.
            Conflict: In a folder: the key goes through an object, or other keys go through it.
            Unavailable: The store cannot be reached, or does not give back what it was given.
        """

    def put_bytes(self, key: str, data: bytes) -> Stored:
        """Store bytes as `put` stores a file."""

    def get(self, key: str, path: Path, *, sha256: str) -> None:
        """Fetch an object to a file, which is there whole or not at all.

        Raises:
            NotFound: There is no such object.
            Unavailable: The store cannot be reached, or gives other bytes than those of the hash.
        """

    def open(self, key: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Read the bytes `[start, end)` of an object in pieces; like a slice, what lies beyond the end is left out.

        The first piece is read at once, so that errors come before anything is answered.

        Raises:
            NotFound: There is no such object.
            InvalidInput: The range is none.
            Unavailable: The store cannot be reached; also in the middle of reading.
        """

    def size(self, key: str) -> int:
        """Return an object's size in bytes.

        Raises:
            NotFound: There is no such object.
        """

    def list(self, prefix: str) -> Iterator[Entry]:
        """List the objects whose keys begin with a prefix, in the order of their keys; foreign names are left out."""

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""

    def presigned_url(self, key: str, *, file_name: str, expires_s: int) -> str | None:
        """Make a URL by which anyone can download an object for a while.

        Args:
            key: The object; it need not be there yet.
            file_name: The name under which a browser saves it.
            expires_s: For how long the URL is good; at most 7 days.

        Returns:
            The URL; None where the store has no URLs.
        """

    def check(self) -> None:
        """Find out within 2 s whether the store can be reached.

        Raises:
            Unavailable: It cannot.
        """


def check_key(key: str) -> str:
    """Return a key that is safe in every store.

    Raises:
        InvalidInput: It is empty, too long, or has other segments than letters, digits and `._-`, or `..`.
    """
    return _checked(key, _KEY, "a key")


def check_prefix(prefix: str) -> str:
    """Return the beginning of a key, or nothing, that is safe in every store.

    Raises:
        InvalidInput: No allowed key begins like this.
    """
    return _checked(prefix, _PREFIX, "the beginning of a key")


def check_range(start: int, end: int | None) -> None:
    """Check a range of bytes.

    Raises:
        InvalidInput: It begins before 0 or ends before it begins.
    """
    if start < 0 or (end is not None and end < start):
        raise InvalidInput(f"expected a range with 0 <= start <= end, found start {start} and end {end}")


def is_key(text: str) -> bool:
    """Tell whether `check_key` would take a text."""
    return _is_safe(text, _KEY)


def _checked(text: str, pattern: re.Pattern[str], what: str) -> str:
    if not _is_safe(text, pattern):
        raise InvalidInput(
            f"expected {what} of segments of letters, digits and ._- with / between them, found {text[:100]!r}",
            hint=f"Use at most {MAX_KEY_LENGTH} characters, {MAX_SEGMENT_LENGTH} a segment, no '..', no leading '/'.",
        )
    return text


def _is_safe(text: str, pattern: re.Pattern[str]) -> bool:
    return (
        len(text) <= MAX_KEY_LENGTH
        and pattern.fullmatch(text) is not None
        and not any(part == "." or ".." in part or len(part) > MAX_SEGMENT_LENGTH for part in text.split("/"))
    )
