"""Samples of a data set: found, listed, corrected, and marked with what an extraction found in them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, not_, select, tuple_, update
from sqlalchemy.orm import Session

from asl.contracts import Page, Sample, SampleChange, SampleState
from asl.errors import NotFound
from asl.infra import pages, tables
from asl.infra.database import to_datetime
from asl.infra.datasets.names import check_place, label_of

_CHUNK_ROWS: Final = 1000


def find_sample(session: Session, dataset_id: str, sample_id: str) -> tables.Sample:
    """Look a sample up.

    Raises:
        NotFound: The data set has no such sample.
    """
    found = select(tables.Sample).where(tables.Sample.dataset_id == dataset_id, tables.Sample.id == sample_id)
    row = session.scalar(found)
    if row is None:
        raise NotFound(
            f"expected a sample of the data set, found {sample_id}",
            hint="The data set's list of samples shows the ids.",
        )
    return row


def known_hashes(session: Session, dataset_id: str, hashes: Collection[str]) -> set[str]:
    """Return those of at most some thousand SHA-256 hashes whose photographs the data set has, excluded ones too."""
    known = select(tables.Sample.sha256).where(
        tables.Sample.dataset_id == dataset_id, tables.Sample.sha256.in_(set(hashes))
    )
    return set(session.scalars(known))


def page_samples(
    session: Session,
    dataset_id: str,
    *,
    label: str | None = None,
    signer: str | None = None,
    state: SampleState | None = None,
    sha256: Sequence[str] = (),
    limit: int,
    cursor: str | None,
) -> Page[Sample]:
    """List samples, the newest first.

    Args:
        session: The transaction.
        dataset_id: Whose.
        label: Only of this class.
        signer: Only of this signer; '' for those of nobody known.
        state: Only those in this state.
        sha256: Only these photographs, by the hashes of their files; all where none is named.
        limit: How many at most.
        cursor: Where the page before ended.

    Raises:
        InvalidInput: The cursor is none of ours.
    """
    row = tables.Sample
    query = select(row).where(row.dataset_id == dataset_id).order_by(row.created_at.desc(), row.id.desc())
    if label is not None:
        query = query.where(row.label == label_of(label))
    if signer is not None:
        query = query.where(row.signer == signer)
    if state is not None:
        query = query.where(*_is_in(state))
    if sha256:
        query = query.where(row.sha256.in_(set(sha256)))
    if after := pages.decode(cursor):
        query = query.where(tuple_(row.created_at, row.id) < after)
    rows = session.scalars(query.limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    items = tuple(to_sample(row) for row in rows[:limit])
    return Page(items=items, next_cursor=pages.encode(last.created_at, last.id) if last else None)


def change(session: Session, dataset_id: str, sample_id: str, wanted: SampleChange) -> tables.Sample:
    """Correct a sample; versions made before keep what they had.

    Raises:
        DatasetInvalid: The label or signer is not usable as a name.
        NotFound: The data set has no such sample.
    """
    row = find_sample(session, dataset_id, sample_id)
    if wanted.label is not None:
        row.label = label_of(wanted.label)
    if wanted.signer is not None:
        row.signer = wanted.signer
    if wanted.excluded is not None:
        row.excluded = wanted.excluded
    check_place(row.label, row.signer)
    session.flush()
    return row


def note_outcomes(session: Session, outcomes: Mapping[str, Sequence[str]]) -> None:
    """Write down what an extraction found.

    Args:
        session: The transaction that ends the extraction.
        outcomes: Each state of `SampleState`, and the ids of its samples; those deleted since are left out.
    """
    state_of = {sample_id: state for state, ids in outcomes.items() for sample_id in ids}
    ids = sorted(state_of)
    for start in range(0, len(ids), _CHUNK_ROWS):
        chunk = ids[start : start + _CHUNK_ROWS]
        # In the order of ids, so that two extractions that end at once wait for each other and do not deadlock.
        session.execute(
            select(tables.Sample.id).where(tables.Sample.id.in_(chunk)).order_by(tables.Sample.id).with_for_update()
        )
        by_state = defaultdict(list)
        for sample_id in chunk:
            by_state[state_of[sample_id]].append(sample_id)
        for state, of_state in by_state.items():
            is_new = (tables.Sample.id.in_(of_state), tables.Sample.state != state)
            session.execute(
                update(tables.Sample).where(*is_new).values(state=state).execution_options(synchronize_session=False)
            )


def to_sample(row: tables.Sample) -> Sample:
    """Describe a row to users."""
    return Sample(
        id=row.id,
        name=row.name,
        label=row.label,
        signer=row.signer,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        state=SampleState.EXCLUDED if row.excluded else SampleState(row.state),
        created_at=to_datetime(row.created_at),
    )


def _is_in(state: SampleState) -> tuple[ColumnElement[bool], ...]:
    if state is SampleState.EXCLUDED:
        return (tables.Sample.excluded.is_(True),)
    return not_(tables.Sample.excluded), tables.Sample.state == state
