"""The processes of the platform and when they were last heard of."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from asl.infra.database import now
from asl.infra.tables import Component

ALIVE_S: Final = 15.0
"""Who was not heard of for so long counts as gone."""
_FORGOTTEN_S: Final = 24 * 3600.0


def tell(session: Session, component_id: str, role: str, detail: Mapping[str, Any]) -> None:
    """Write down that a process is alive.

    Args:
        session: The transaction.
        component_id: Names the process among all machines.
        role: 'dispatcher' or 'worker'.
        detail: JSON: what it serves and has counted.
    """
    told = update(Component).where(Component.id == component_id).values(detail=dict(detail), seen_at=now())
    if session.execute(told.returning(Component.id)).one_or_none() is None:
        session.add(Component(id=component_id, role=role, detail=dict(detail)))


def forget(session: Session, component_id: str) -> None:
    """Write down that a process has ended."""
    session.execute(delete(Component).where(Component.id == component_id))


def alive(session: Session) -> list[Component]:
    """Return the processes that were heard of lately."""
    return list(session.scalars(select(Component).where(Component.seen_at > now() - ALIVE_S).order_by(Component.id)))


def forget_old(session: Session) -> None:
    """Forget processes that ended without a word long ago."""
    session.execute(delete(Component).where(Component.seen_at < now() - _FORGOTTEN_S))
