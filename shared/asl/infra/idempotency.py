"""Calls that make something, made once however often they are sent."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from asl.errors import IdempotencyKeyReused
from asl.infra.database import Database, is_conflict, now
from asl.infra.tables import IdempotentCall

KEPT_S = 7 * 24 * 3600.0
"""How long answers can be had again."""


def fingerprint(*parts: object) -> str:
    """Return the SHA-256 of a request's meaning: JSON with sorted names."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def once(
    database: Database,
    tenant: str,
    key: str | None,
    request_fingerprint: str,
    make: Callable[[Session], Mapping[str, Any]],
) -> tuple[Mapping[str, Any], bool]:
    """Make something in one transaction, unless a call with the same key has made it.

    The key's row and what is made are committed together, and the key is unique: of calls at the same time one makes
    it, and the others wait for its commit and answer the same.

    Args:
        database: Where.
        tenant: Whose keys these are.
        key: The call's Idempotency-Key; None makes it in any case.
        request_fingerprint: Of the call's path and body.
        make: Makes it, and returns the answer as JSON.

    Returns:
        The answer, and whether it is that of an earlier call.

    Raises:
        IdempotencyKeyReused: The key came with another request.
    """
    if key is None:
        with database.transaction() as session:
            return make(session), False
    found = find_answer(database, tenant, key, request_fingerprint)
    if found is not None:
        return found, True
    try:
        with database.transaction() as session:
            row = IdempotentCall(tenant=tenant, key=key, fingerprint=request_fingerprint, answer={})
            session.add(row)
            session.flush()  # from here on others with this key wait
            row.answer = dict(make(session))
            return row.answer, False
    except IntegrityError as error:
        if not is_conflict(error, "idempotent_call_pkey", "idempotent_call.tenant", "idempotent_call.key"):
            raise
    found = find_answer(database, tenant, key, request_fingerprint)
    if found is None:  # the other call was rolled back meanwhile
        return once(database, tenant, key, request_fingerprint, make)
    return found, True


def find_answer(database: Database, tenant: str, key: str | None, request_fingerprint: str) -> Mapping[str, Any] | None:
    """Return what an earlier call with the same key was answered; None where there was none.

    Raises:
        IdempotencyKeyReused: The key came with another request.
    """
    if key is None:
        return None
    with database.reading() as session:
        row = session.scalar(select(IdempotentCall).where(IdempotentCall.tenant == tenant, IdempotentCall.key == key))
    if row is None:
        return None
    if row.fingerprint != request_fingerprint:
        raise IdempotencyKeyReused(
            "this Idempotency-Key came before with another request", hint="Use a new key for a new request."
        )
    return row.answer


def forget_old(session: Session) -> None:
    """Delete answers that are kept long enough."""
    session.execute(delete(IdempotentCall).where(IdempotentCall.created_at < now() - KEPT_S))
