"""Data sets as such: made, found by id or name, described, listed and deleted."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete as deletion
from sqlalchemy import func, not_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from asl.contracts import ENDED, ID_PATTERN, Count, Dataset, DatasetRequest, Page
from asl.errors import Conflict, DatasetInvalid, NotFound
from asl.infra import pages, tables
from asl.infra.database import is_conflict, to_datetime
from asl.infra.datasets.names import check_name
from asl.infra.tables import DatasetVersion, Job, Model, Sample

_ID: Final = re.compile(ID_PATTERN)


def add(session: Session, tenant: str, request: DatasetRequest) -> tables.Dataset:
    """Make a data set without photographs.

    Raises:
        DatasetInvalid: The name cannot stand in an address, or looks like an id.
        Conflict: The tenant has a data set of the name.
    """
    check_name(request.name, "a data set")
    if _ID.fullmatch(request.name):
        raise DatasetInvalid("expected a name, found what looks like an id", hint="Add a word to the name.")
    row = tables.Dataset(tenant=tenant, name=request.name, description=request.description)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        if not is_conflict(error, "uq_dataset_tenant_name", "dataset.tenant", "dataset.name"):
            raise
        raise Conflict("a data set of this name is there already", hint="Choose another name.") from error
    return row


def find(session: Session, tenant: str, id_or_name: str) -> tables.Dataset:
    """Look a data set up; a name never looks like an id.

    Raises:
        DatasetInvalid: No data set can have this name.
        NotFound: The tenant has no such data set.
    """
    check_name(id_or_name, "a data set")
    column = tables.Dataset.id if _ID.fullmatch(id_or_name) else tables.Dataset.name
    row = session.scalar(select(tables.Dataset).where(tables.Dataset.tenant == tenant, column == id_or_name))
    if row is None:
        raise NotFound("no data set has this id or name", hint="The list of data sets shows both.")
    return row


def describe(session: Session, rows: Sequence[tables.Dataset]) -> list[Dataset]:
    """Describe data sets as they stand, with their counts."""
    ids = [row.id for row in rows]
    counts: defaultdict[str, list[Count]] = defaultdict(list)
    n_excluded: defaultdict[str, int] = defaultdict(int)
    counted = (
        select(Sample.dataset_id, Sample.label, Sample.signer, func.count().filter(not_(Sample.excluded)), func.count())
        .where(Sample.dataset_id.in_(ids))
        .group_by(Sample.dataset_id, Sample.label, Sample.signer)
    )
    for dataset_id, label, signer, n_samples, n_all in session.execute(counted):
        n_excluded[dataset_id] += n_all - n_samples
        if n_samples:
            counts[dataset_id].append(Count(label=label, signer=signer, n_samples=n_samples))
    last = select(DatasetVersion.dataset_id, func.max(DatasetVersion.number)).where(DatasetVersion.dataset_id.in_(ids))
    last_versions = dict(session.execute(last.group_by(DatasetVersion.dataset_id)).all())
    return [
        Dataset(
            id=row.id,
            name=row.name,
            description=row.description,
            n_samples=sum(count.n_samples for count in counts[row.id]),
            n_excluded=n_excluded[row.id],
            counts=tuple(sorted(counts[row.id], key=lambda count: (count.label, count.signer))),
            last_version=last_versions.get(row.id),
            created_at=to_datetime(row.created_at),
        )
        for row in rows
    ]


def page(session: Session, tenant: str, *, limit: int, cursor: str | None) -> Page[Dataset]:
    """List data sets, the newest first.

    Raises:
        InvalidInput: The cursor is none of ours.
    """
    row = tables.Dataset
    query = select(row).where(row.tenant == tenant).order_by(row.created_at.desc(), row.id.desc()).limit(limit + 1)
    if after := pages.decode(cursor):
        query = query.where(tuple_(row.created_at, row.id) < after)
    rows = session.scalars(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    items = describe(session, rows[:limit])
    return Page(items=tuple(items), next_cursor=pages.encode(last.created_at, last.id) if last else None)


def delete(session: Session, tenant: str, id_or_name: str) -> None:
    """Delete a data set with its samples and versions; their files are swept later.

    Raises:
        NotFound: The tenant has no such data set.
        Conflict: A job that has not ended works on it, or a model was trained on it.
    """
    dataset_id = find(session, tenant, id_or_name).id
    session.execute(select(tables.Dataset.id).where(tables.Dataset.id == dataset_id).with_for_update())
    job = select(Job.id).where(Job.request["dataset"].as_string() == dataset_id, Job.state.not_in(ENDED)).limit(1)
    if (job_id := session.scalar(job)) is not None:
        raise Conflict(f"job {job_id}, which has not ended, works on this data set", hint="Cancel the job first.")
    digests = set(session.scalars(select(DatasetVersion.digest).where(DatasetVersion.dataset_id == dataset_id)))
    models = select(Model.number, Model.lineage).where(Model.tenant == tenant)
    for number, lineage in session.execute(models) if digests else ():
        if not digests.isdisjoint(lineage["dataset_versions"]):
            raise Conflict(
                f"model version {number} was trained on this data set",
                hint="Data that a model comes from are kept; exclude samples instead.",
            )
    session.execute(deletion(tables.Dataset).where(tables.Dataset.id == dataset_id))
