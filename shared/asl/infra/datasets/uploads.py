"""Photographs on their way into a data set: stored first, then written into the table; equal content is there once."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from asl.contracts import SkippedFile, Upload
from asl.errors import Conflict, InvalidInput, NotFound
from asl.infra import tables
from asl.infra.archive_names import clean_name
from asl.infra.archives import Member, Skipped
from asl.infra.database import Database
from asl.infra.datasets.names import check_place, label_of
from asl.infra.storage import Storage

_BATCH_ROWS: Final = 250
_BATCH_BYTES: Final = 8 * 2**20
"""Two batches are in memory at a time, and perhaps one large photograph."""
_PUTS_AT_ONCE: Final = 8
"""A put waits for the store or the disk most of its time."""
_MAX_TOLD: Final = 100


@dataclass(frozen=True)
class Photograph:
    """A labelled photograph that is to be added."""

    name: str
    label: str
    signer: str
    content: bytes = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """The hash of its content."""
        return hashlib.sha256(self.content).hexdigest()


def add_photograph(
    database: Database, storage: Storage, dataset_id: str, photograph: Photograph
) -> tuple[tables.Sample, bool]:
    """Add one photograph that can be decoded.

    Returns:
        The sample, and whether it is new: the same photograph with the same label is added once.

    Raises:
        DatasetInvalid: A name leads outside of its folder, or holds control characters.
        Conflict: The photograph is there with another label or signer.
        NotFound: The data set has been deleted.
    """
    clean_name(unquote(photograph.name))  # harmless here, but not where someone decodes it
    name = clean_name(photograph.name) or "unnamed"
    asked = Photograph(name, label_of(photograph.label), photograph.signer, photograph.content)
    check_place(asked.label, asked.signer)
    row = _rows_of(database, dataset_id, [asked]).get(asked.sha256)
    is_new = row is None
    if row is None:
        row, is_new = _add(database, storage, dataset_id, {asked.sha256: asked})[asked.sha256]
    if difference := _difference(asked, row):
        raise Conflict(difference, hint=f"Change sample {row.id} if that is wrong.")
    return row, is_new


def add_archive(
    database: Database,
    storage: Storage,
    dataset_id: str,
    files: Iterable[Member | Skipped],
    check: Callable[[bytes], None],
) -> Upload:
    """Add the photographs of an archive, batch by batch; what is there already is not stored again.

    Args:
        database: Where the samples are.
        storage: Where their files are.
        dataset_id: Which data set.
        files: Of `archives.read_archive`.
        check: Raises InvalidInput for what is no picture; asked only about photographs that are new.

    Raises:
        DatasetInvalid: The archive is damaged; batches before stay added, and sending it whole adds the rest.
        NotFound: The data set has been deleted.
    """
    tally = _Tally()
    for batch in _batches(files, tally):
        rows = _rows_of(database, dataset_id, batch)
        wanted: dict[str, Photograph] = {}
        for photograph in batch:
            if photograph.sha256 not in rows and (reason := _reason_to_refuse(photograph, check)):
                tally.skip(photograph.name, reason)
            elif photograph.sha256 not in rows:
                wanted.setdefault(photograph.sha256, photograph)
        added = _add(database, storage, dataset_id, wanted) if wanted else {}
        rows |= {sha256: row for sha256, (row, _) in added.items()}
        tally.n_added += sum(is_new for _, is_new in added.values())
        new = {id(wanted[sha256]) for sha256, (_, is_new) in added.items() if is_new}
        for photograph in batch:
            if photograph.sha256 in rows and id(photograph) not in new:
                tally.note_known(photograph, rows[photograph.sha256])
    return tally.upload()


class _Tally:
    """What becomes of the files of an archive."""

    def __init__(self) -> None:
        self.n_added = 0
        self._n_already_there = 0
        self._n_skipped = 0
        self._skipped: list[SkippedFile] = []

    def skip(self, name: str, reason: str) -> None:
        self._n_skipped += 1
        if len(self._skipped) < _MAX_TOLD:
            self._skipped.append(SkippedFile(name=name, reason=reason))

    def note_known(self, photograph: Photograph, row: tables.Sample) -> None:
        if difference := _difference(photograph, row):
            self.skip(photograph.name, difference)
        else:
            self._n_already_there += 1

    def upload(self) -> Upload:
        return Upload(
            n_added=self.n_added,
            n_already_there=self._n_already_there,
            n_skipped=self._n_skipped,
            skipped=tuple(self._skipped),
        )


def _batches(files: Iterable[Member | Skipped], tally: _Tally) -> Iterator[list[Photograph]]:
    batch: list[Photograph] = []
    size_bytes = 0
    for file in files:
        if isinstance(file, Skipped):
            tally.skip(file.name, file.reason)
            continue
        batch.append(Photograph(file.name, label_of(file.label), file.signer, file.content))
        size_bytes += file.size_bytes
        if len(batch) >= _BATCH_ROWS or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _rows_of(database: Database, dataset_id: str, photographs: Sequence[Photograph]) -> dict[str, tables.Sample]:
    hashes = {photograph.sha256 for photograph in photographs}
    there = select(tables.Sample).where(tables.Sample.dataset_id == dataset_id, tables.Sample.sha256.in_(hashes))
    with database.reading() as session:
        return {row.sha256: row for row in session.scalars(there)}


def _reason_to_refuse(photograph: Photograph, check: Callable[[bytes], None]) -> str:
    try:
        check_place(photograph.label, photograph.signer)
        check(photograph.content)
    except InvalidInput as error:
        return error.message
    return ""


def _difference(asked: Photograph, row: tables.Sample) -> str:
    if (row.label, row.signer) == (asked.label, asked.signer):
        return ""
    return (
        f"expected a photograph that is not there yet, found the same as sample {row.id}, "
        f"labelled {row.label!r} by signer {row.signer!r}"
    )


def _add(
    database: Database, storage: Storage, dataset_id: str, photographs: dict[str, Photograph]
) -> dict[str, tuple[tables.Sample, bool]]:
    """Store photographs and write them down; others may add the same at the same time.

    Returns:
        By hash, the sample, and whether it was added here.
    """
    # In the order of hashes, so that two uploads of the same files wait for each other and do not deadlock.
    values = [_values(dataset_id, photographs[sha256]) for sha256 in sorted(photographs)]
    with ThreadPoolExecutor(min(_PUTS_AT_ONCE, len(values))) as pool:
        for _ in pool.map(lambda value: storage.put_bytes(value["key"], photographs[value["sha256"]].content), values):
            pass
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    unless_there = insert(tables.Sample).on_conflict_do_nothing(index_elements=["dataset_id", "sha256"])
    try:
        with database.transaction() as session:
            session.execute(unless_there, values)
    except IntegrityError as error:  # of the one other constraint
        raise NotFound("the data set was deleted meanwhile") from error
    rows = _rows_of(database, dataset_id, list(photographs.values()))
    if len(rows) != len(photographs):
        raise NotFound("the data set was deleted meanwhile")
    return {value["sha256"]: (rows[value["sha256"]], rows[value["sha256"]].id == value["id"]) for value in values}


def _values(dataset_id: str, photograph: Photograph) -> dict[str, Any]:
    return {
        "id": tables.new_id(),
        "dataset_id": dataset_id,
        "name": photograph.name,
        "label": photograph.label,
        "signer": photograph.signer,
        "sha256": photograph.sha256,
        "key": f"datasets/{dataset_id}/images/{photograph.sha256[:2]}/{photograph.sha256}",
        "size_bytes": len(photograph.content),
    }
