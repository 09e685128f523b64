"""Roles of models: which model has one, and what was before."""

from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from asl.contracts import Alias, AliasState, Page, Promotion
from asl.errors import NotFound
from asl.infra import pages, tables
from asl.infra.database import to_datetime

ROLLBACK: Final = "not asked: a rollback"
"""The gate's word in the entries of the history that take one back instead of adding one, and in no others."""


def model_in_role(session: Session, tenant: str, alias: str) -> tables.Model | None:
    """Return the model that has a role, if any."""
    role = select(tables.ModelAlias.model_id).where(
        tables.ModelAlias.tenant == tenant, tables.ModelAlias.alias == alias
    )
    return session.scalar(select(tables.Model).where(tables.Model.id == role.scalar_subquery()))


def states(session: Session, tenant: str) -> list[AliasState]:
    """Return the roles that a tenant's models have."""
    query = (
        select(tables.ModelAlias, tables.Model.number)
        .join(tables.Model, tables.Model.id == tables.ModelAlias.model_id)
        .where(tables.ModelAlias.tenant == tenant)
        .order_by(tables.ModelAlias.alias)
    )
    return [
        AliasState(
            alias=Alias(role.alias),
            model_id=role.model_id,
            number=number,
            revision=role.revision,
            since=to_datetime(role.since),
        )
        for role, number in session.execute(query)
    ]


def state(session: Session, tenant: str, alias: Alias) -> AliasState:
    """Return a role.

    Raises:
        NotFound: No model has it.
    """
    for found in states(session, tenant):
        if found.alias == alias:
            return found
    raise NotFound(f"no model has the role {alias}", hint=f"Give it one: PUT /api/v1/models/aliases/{alias}")


def history(session: Session, tenant: str, alias: Alias, *, limit: int, cursor: str | None = None) -> Page[Promotion]:
    """Return a page of what became of a role, the newest first.

    Raises:
        InvalidInput: The cursor is none of this list.
    """
    query = (
        select(tables.Promotion, tables.Model.number)
        .join(tables.Model, tables.Model.id == tables.Promotion.model_id)
        .where(*_is_of(tenant, alias))
        .order_by(tables.Promotion.revision.desc())
    )
    if cursor is not None:
        query = query.where(tables.Promotion.revision < pages.decode_number(cursor))
    rows = session.execute(query.limit(limit + 1)).all()
    items = tuple(promotion(entry, number) for entry, number in rows[:limit])
    # By revision and not by time: no two are equal.
    following = pages.encode(items[-1].revision, items[-1].model_id) if len(rows) > limit else None
    return Page(items=items, next_cursor=following)


def succession(session: Session, tenant: str, alias: Alias) -> list[str]:
    """Return the ids of the models that had a role one after the other, without what was rolled back."""
    found: list[str] = []
    query = select(tables.Promotion.model_id, tables.Promotion.gate).where(*_is_of(tenant, alias))
    for model_id, gate in session.execute(query.order_by(tables.Promotion.revision)):
        if gate == ROLLBACK:
            found.pop()
        else:
            found.append(model_id)
    return found


def promotion(row: tables.Promotion, number: int) -> Promotion:
    """Describe an entry of the history.

    Args:
        row: The entry.
        number: Of its model.
    """
    return Promotion(
        alias=Alias(row.alias),
        revision=row.revision,
        model_id=row.model_id,
        number=number,
        previous_model_id=row.previous_model_id,
        forced=row.forced,
        reason=row.reason,
        gate=row.gate,
        by=row.by,
        at=to_datetime(row.at),
    )


def _is_of(tenant: str, alias: Alias) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return tables.Promotion.tenant == tenant, tables.Promotion.alias == alias
