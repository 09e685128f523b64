"""Versions of a data set: its samples as they were at one moment, kept as an immutable list in the store."""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, collate, not_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from asl.contracts import Count, DatasetVersion, Page
from asl.errors import DatasetInvalid, NotFound
from asl.infra import pages, tables
from asl.infra.database import Database, to_datetime
from asl.infra.datasets.datasets import find
from asl.infra.storage import Storage
from asl.infra.tables import Sample

_ROWS_AT_ONCE: Final = 1000


def make_version(database: Database, storage: Storage, tenant: str, id_or_name: str) -> tables.DatasetVersion:
    """Return the version that a data set's samples are now: the last one where nothing has changed since.

    Raises:
        NotFound: The tenant has no such data set.
        DatasetInvalid: It has no samples, or all are excluded.
    """
    return freeze(database, storage, tenant, id_or_name)[0]


def freeze(database: Database, storage: Storage, tenant: str, id_or_name: str) -> tuple[tables.DatasetVersion, bool]:
    """Do as `make_version`, and tell whether the version is a new one."""
    with tempfile.TemporaryDirectory(prefix="asl-version-") as folder:
        while True:
            with database.reading() as session:
                dataset_id = find(session, tenant, id_or_name).id
                # Before the samples are read: they are then at least as new as that version.
                last = _last(session, dataset_id)
                manifest = _write(session, dataset_id, Path(folder) / "manifest.jsonl")
            if last is not None and last.digest == manifest.digest:
                return last, False
            key = f"datasets/{dataset_id}/versions/{manifest.digest}.jsonl"
            storage.put(key, manifest.path, sha256=manifest.digest)
            version = tables.DatasetVersion(
                dataset_id=dataset_id,
                number=last.number + 1 if last else 1,
                digest=manifest.digest,
                manifest_key=key,
                n_samples=sum(manifest.counts.values()),
                counts=[
                    {"label": label, "signer": signer, "n_samples": n_samples}
                    for (label, signer), n_samples in sorted(manifest.counts.items())
                ],
            )
            if _commit(database, version):
                return version, True
            # Another one was made meanwhile, perhaps of newer samples: it must not be followed by older ones.


def find_version(session: Session, dataset_id: str, number: int) -> tables.DatasetVersion:
    """Look a version up.

    Raises:
        NotFound: The data set has no such version.
    """
    row = session.scalar(_versions(dataset_id).where(tables.DatasetVersion.number == number))
    if row is None:
        raise NotFound(
            f"expected a version of the data set, found {number}", hint="The data set's list of versions shows them."
        )
    return row


def page_versions(session: Session, dataset_id: str, *, limit: int, cursor: str | None) -> Page[DatasetVersion]:
    """List versions, the newest first.

    Raises:
        InvalidInput: The cursor is none of ours.
    """
    row = tables.DatasetVersion
    query = _versions(dataset_id).order_by(row.created_at.desc(), row.id.desc()).limit(limit + 1)
    if after := pages.decode(cursor):
        query = query.where(tuple_(row.created_at, row.id) < after)
    rows = session.scalars(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    items = tuple(to_version(row) for row in rows[:limit])
    return Page(items=items, next_cursor=pages.encode(last.created_at, last.id) if last else None)


def to_version(row: tables.DatasetVersion) -> DatasetVersion:
    """Describe a row to users."""
    return DatasetVersion(
        id=row.id,
        dataset_id=row.dataset_id,
        number=row.number,
        digest=row.digest,
        n_samples=row.n_samples,
        counts=tuple(Count(**count) for count in row.counts),
        created_at=to_datetime(row.created_at),
    )


@dataclass(frozen=True)
class _Manifest:
    path: Path
    digest: str
    counts: Counter[tuple[str, str]]
    """By label and signer."""


def _versions(dataset_id: str) -> Select[tables.DatasetVersion]:
    return select(tables.DatasetVersion).where(tables.DatasetVersion.dataset_id == dataset_id)


def _last(session: Session, dataset_id: str) -> tables.DatasetVersion | None:
    return session.scalar(_versions(dataset_id).order_by(tables.DatasetVersion.number.desc()).limit(1))


def _write(session: Session, dataset_id: str, path: Path) -> _Manifest:
    hasher = hashlib.sha256()
    counts: Counter[tuple[str, str]] = Counter()
    with path.open("wb") as file:
        for entry in _entries(session, dataset_id):
            line = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            hasher.update(line)
            file.write(line)
            counts[entry["label"], entry["signer"]] += 1
    if not counts:
        raise DatasetInvalid(
            "expected photographs in the data set, found none that is not excluded",
            hint="Add some, or an archive of them.",
        )
    return _Manifest(path, hasher.hexdigest(), counts)


def _entries(session: Session, dataset_id: str) -> Iterator[dict[str, Any]]:
    """Read the samples in one statement, so that all are of one moment, and piece by piece."""
    columns = (Sample.id, Sample.key, Sample.label, Sample.name, Sample.sha256, Sample.signer, Sample.size_bytes)
    in_order = (_bytewise(session, Sample.label), _bytewise(session, Sample.signer), _bytewise(session, Sample.sha256))
    query = select(*columns).where(Sample.dataset_id == dataset_id, not_(Sample.excluded)).order_by(*in_order)
    for row in session.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        yield dict(row._mapping)  # noqa: SLF001 - the name is public, and has its underscore to not be a column's


def _bytewise(session: Session, column: Any) -> ColumnElement[str]:
    # SQLite's own order; Postgres sorts as its locale does, which would give the same samples another digest.
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return collate(column, "BINARY" if is_sqlite else "C")


def _commit(database: Database, version: tables.DatasetVersion) -> bool:
    """Write a version down, unless its number was given away meanwhile."""
    try:
        with database.transaction() as session:
            session.add(version)
            session.flush()
            session.refresh(version)
    except IntegrityError:  # the number is taken, or the data set was deleted: the next look tells
        return False
    return True
