"""Models and their evaluations: added, found, listed."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from asl.contracts import (
    ID_PATTERN,
    Alias,
    Evaluation,
    JobState,
    Lineage,
    Model,
    ModelRef,
    ModelSource,
    Page,
)
from asl.errors import Conflict, NotFound
from asl.infra import pages, tables
from asl.infra.database import is_conflict, to_datetime
from asl.infra.jobs import NewArtifact
from asl.infra.registry import roles
from asl.infra.registry.promotion import become_candidate

_ID: Final = re.compile(ID_PATTERN)
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_FIGURES: Final = ("n_rows", "accuracy", "unseen_accuracy", "macro_f1", "worst_group", "worst_group_accuracy")
"""What of an evaluation's figures is told with the model."""


def add_model(
    session: Session,
    *,
    tenant: str,
    source: ModelSource,
    job_id: str,
    artifact: NewArtifact,
    label_names: Sequence[str],
    version: str,
    metrics: Mapping[str, Any],
    lineage: Lineage,
) -> tables.Model:
    """Add a model under the tenant's next number; a training's becomes `candidate` too.

    Args:
        session: The transaction, the one in which the job ends.
        tenant: Whose model it is.
        source: How it came here.
        job_id: The training or import that made it.
        artifact: Its file.
        label_names: The letters that it knows.
        version: As answers to recognition calls name it.
        metrics: Its figures, JSON without NaN.
        lineage: What it was made of.
    """
    values = {
        "tenant": tenant,
        "source": source,
        "job_id": job_id,
        "key": artifact.key,
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
        "label_names": list(label_names),
        "version": version,
        "metrics": dict(metrics),
        "lineage": lineage.model_dump(mode="json"),
    }
    while (model := _add_numbered(session, tenant, values)) is None:
        pass  # another one got the number, and has committed: the next is free unless there is a third
    if source == ModelSource.TRAINING:
        become_candidate(session, model)
    return model


def add_evaluation(
    session: Session, *, job_id: str, model_id: str, data_digest: str, figures: Mapping[str, Any]
) -> tables.Evaluation:
    """Add how a model did.

    Args:
        session: The transaction, the one in which the job ends.
        job_id: The evaluation.
        model_id: The model.
        data_digest: Equal where the same features were judged.
        figures: JSON without NaN, with the figures of `asl.contracts.Evaluation` by their names, and any others.
    """
    row = tables.Evaluation(job_id=job_id, model_id=model_id, data_digest=data_digest, figures=dict(figures))
    session.add(row)
    session.flush()
    return row


def find(session: Session, tenant: str, id_or_number: str) -> tables.Model:
    """Return a tenant's model.

    Raises:
        NotFound: It has none of this id or number.
    """
    query = select(tables.Model).where(tables.Model.tenant == tenant)
    row = None
    if _ID.fullmatch(id_or_number):
        row = session.scalar(query.where(tables.Model.id == id_or_number))
    elif _NUMBER.fullmatch(id_or_number):
        row = session.scalar(query.where(tables.Model.number == int(id_or_number)))
    if row is None:
        raise NotFound("no model has this id or number", hint="GET /api/v1/models lists the models.")
    return row


def resolve(session: Session, tenant: str, ref: ModelRef) -> tables.Model:
    """Return the model that a request names by id, role, or the job that made it.

    Raises:
        NotFound: The tenant has no such model, role or job, or the job makes no model.
        Conflict: The job has not succeeded.
    """
    if ref.id is not None:
        return find(session, tenant, ref.id)
    if ref.alias is not None:
        row = roles.model_in_role(session, tenant, ref.alias)
        if row is None:
            raise NotFound(f"no model has the role {ref.alias}", hint="GET /api/v1/models/aliases lists the roles.")
        return row
    row = session.scalar(select(tables.Model).where(tables.Model.tenant == tenant, tables.Model.job_id == ref.job))
    if row is not None:
        return row
    job = session.scalar(select(tables.Job).where(tables.Job.tenant == tenant, tables.Job.id == ref.job))
    if job is None:
        raise NotFound("no job has this id", hint="GET /api/v1/jobs lists the jobs.")
    if job.state != JobState.SUCCEEDED:
        raise Conflict(
            f"expected a training or an import that has succeeded, found one that is {job.state}",
            hint="Wait for its end; a job that depends on it can be submitted at once.",
        )
    raise NotFound(f"this job has made no model: it is of the kind {job.kind}", hint="Name a training or an import.")


def list_models(session: Session, tenant: str, *, limit: int, cursor: str | None = None) -> Page[Model]:
    """Return a page of a tenant's models, the newest first.

    Raises:
        InvalidInput: The cursor is none of this list.
    """
    query = select(tables.Model).where(tables.Model.tenant == tenant).order_by(tables.Model.number.desc())
    if cursor is not None:
        query = query.where(tables.Model.number < pages.decode_number(cursor))
    rows = session.scalars(query.limit(limit + 1)).all()
    shown = rows[:limit]
    more = len(rows) > limit
    # By number and not by time: numbers are in the order of commits, and no two are equal.
    following = pages.encode(shown[-1].number, shown[-1].id) if more else None
    return Page(items=_to_contracts(session, shown), next_cursor=following)


def to_contract(session: Session, row: tables.Model) -> Model:
    """Describe a model, with its evaluations and roles."""
    return _to_contracts(session, [row])[0]


def _add_numbered(session: Session, tenant: str, values: Mapping[str, Any]) -> tables.Model | None:
    """Add a row under the next number; None where another transaction has taken it."""
    last = session.scalar(select(func.max(tables.Model.number)).where(tables.Model.tenant == tenant))
    row = tables.Model(number=(last or 0) + 1, **values)
    try:
        # A savepoint: the rest of the transaction stays. The insert waits for whoever holds the same number.
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        if is_conflict(error, "uq_model_tenant_number", "model.tenant", "model.number"):
            return None
        raise
    session.refresh(row)
    return row


def _to_contracts(session: Session, rows: Sequence[tables.Model]) -> tuple[Model, ...]:
    ids = [row.id for row in rows]
    evaluations, aliases = defaultdict(list), defaultdict(list)
    judged = select(tables.Evaluation).where(tables.Evaluation.model_id.in_(ids))
    for found in session.scalars(judged.order_by(tables.Evaluation.created_at.desc(), tables.Evaluation.job_id)):
        evaluations[found.model_id].append(_to_evaluation(found))
    named = select(tables.ModelAlias).where(tables.ModelAlias.model_id.in_(ids)).order_by(tables.ModelAlias.alias)
    for role in session.scalars(named):
        aliases[role.model_id].append(Alias(role.alias))
    return tuple(_to_contract(row, evaluations[row.id], aliases[row.id]) for row in rows)


def _to_contract(row: tables.Model, evaluations: Sequence[Evaluation], aliases: Sequence[Alias]) -> Model:
    return Model(
        id=row.id,
        number=row.number,
        version=row.version,
        source=ModelSource(row.source),
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        label_names=tuple(row.label_names),
        metrics=row.metrics,
        lineage=Lineage.model_validate(row.lineage),
        evaluations=tuple(evaluations),
        aliases=tuple(aliases),
        created_at=to_datetime(row.created_at),
    )


def _to_evaluation(row: tables.Evaluation) -> Evaluation:
    return Evaluation(
        job_id=row.job_id,
        data_digest=row.data_digest,
        created_at=to_datetime(row.created_at),
        **{name: row.figures.get(name) for name in _FIGURES},
    )
