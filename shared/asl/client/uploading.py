"""Many photographs at once: what the server has already is not sent, the rest goes several at a time."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from asl.client.folders import LabelledFile
from asl.contracts import SkippedFile, Upload
from asl.errors import Conflict, InvalidInput

OnFile = Callable[[int], None]
"""Told how many files are done."""

_HASHES_AT_ONCE: Final = 1000
_THREADS: Final = 4
_MAX_SKIPPED_TOLD: Final = 100
_ADDED: Final = Upload(n_added=1, n_already_there=0, n_skipped=0, skipped=())
_ALREADY_THERE: Final = Upload(n_added=0, n_already_there=1, n_skipped=0, skipped=())


def upload_files(
    files: Iterable[LabelledFile],
    *,
    find: Callable[[Sequence[str]], set[str]],
    add: Callable[[LabelledFile], bool],
    on_file: OnFile | None,
) -> Upload:
    """Send the files whose content is missing.

    Args:
        files: Read as they are needed.
        find: Tells which of some hashes the server has.
        add: Sends one file, and tells whether it was new.
        on_file: Told of the progress.

    Returns:
        What became of them; a file that cannot be read or is refused is skipped with the reason.
    """
    tally = _Tally(on_file)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="upload") as pool:
        for batch in _batches(files):
            missing = _missing(batch, find, pool, tally)
            waiting = [pool.submit(_add, add, file) for file in missing]
            try:
                for future in waiting:
                    tally.count(future.result())
            finally:  # an error ends the upload: what has not begun is not sent
                for future in waiting:
                    future.cancel()
    return tally.result()


class _Tally:
    """What became of the files so far."""

    def __init__(self, on_file: OnFile | None) -> None:
        self._on_file = on_file
        self._n_added = self._n_already_there = self._n_skipped = 0
        self._skipped: list[SkippedFile] = []

    def count(self, upload: Upload) -> None:
        self._n_added += upload.n_added
        self._n_already_there += upload.n_already_there
        self._n_skipped += upload.n_skipped
        self._skipped = [*self._skipped, *upload.skipped][:_MAX_SKIPPED_TOLD]
        if self._on_file:
            self._on_file(self._n_added + self._n_already_there + self._n_skipped)

    def result(self) -> Upload:
        return Upload(
            n_added=self._n_added,
            n_already_there=self._n_already_there,
            n_skipped=self._n_skipped,
            skipped=tuple(self._skipped),
        )


def _batches(files: Iterable[LabelledFile]) -> Iterator[list[LabelledFile]]:
    rest = iter(files)
    while batch := list(itertools.islice(rest, _HASHES_AT_ONCE)):
        yield batch


def _missing(
    batch: Sequence[LabelledFile], find: Callable[[Sequence[str]], set[str]], pool: ThreadPoolExecutor, tally: _Tally
) -> list[LabelledFile]:
    """Tell which files are to be sent: one of each content that is not there."""
    by_hash: dict[str, LabelledFile] = {}
    for file, digest in zip(batch, pool.map(_sha256, (path for path, _, _ in batch)), strict=True):
        if isinstance(digest, OSError):
            tally.count(_skipped(file, f"cannot be read: {digest.strerror}"))
        elif digest in by_hash:
            tally.count(_ALREADY_THERE)
        else:
            by_hash[digest] = file
    there = find(list(by_hash)) if by_hash else set()
    for _ in by_hash.keys() & there:
        tally.count(_ALREADY_THERE)
    return [file for digest, file in by_hash.items() if digest not in there]


def _sha256(path: Path) -> str | OSError:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error


def _add(add: Callable[[LabelledFile], bool], file: LabelledFile) -> Upload:
    try:
        return _ADDED if add(file) else _ALREADY_THERE
    except (InvalidInput, Conflict) as error:  # no photograph, or one that is there with another label
        return _skipped(file, error.message)
    except OSError as error:  # gone since it was listed
        return _skipped(file, f"cannot be read: {error.strerror}")


def _skipped(file: LabelledFile, reason: str) -> Upload:
    skipped = SkippedFile(name=str(file[0]), reason=reason)
    return Upload(n_added=0, n_already_there=0, n_skipped=1, skipped=(skipped,))
