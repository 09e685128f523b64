"""API keys: made, looked up by their hash, revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from asl.contracts import Key, Scope
from asl.errors import Conflict, NotFound
from asl.infra import tables
from asl.infra.database import Database, now, to_datetime

LOCAL_TENANT: Final = "local"
"""Whose everything is where no key is asked for."""

_PREFIX: Final = "asl_"
_SECRET_BYTES: Final = 32
_USE_NOTED_EVERY_S: Final = 60.0


def create(
    database: Database,
    *,
    name: str,
    tenant: str = LOCAL_TENANT,
    scopes: Sequence[Scope] = tuple(Scope),
    max_unfinished_jobs: int | None = None,
    calls_per_minute: int | None = None,
) -> tuple[str, Key]:
    """Make a key.

    Args:
        database: Where.
        name: What people call it; no other key has it.
        tenant: Whose data sets, jobs and models it sees.
        scopes: What it allows.
        max_unfinished_jobs: Quota of jobs; the platform's where None.
        calls_per_minute: Quota of calls; none where None.

    Returns:
        The secret, told only here, and the key.

    Raises:
        Conflict: Another key has the name.
    """
    secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    row = tables.ApiKey(
        name=name,
        tenant=tenant,
        key_sha256=_hash(secret),
        scopes=[str(scope) for scope in scopes],
        max_unfinished_jobs=max_unfinished_jobs,
        calls_per_minute=calls_per_minute,
    )
    try:
        with database.transaction() as session:
            session.add(row)
            session.flush()
            session.refresh(row)
    except IntegrityError as error:
        raise Conflict(f"a key named {name} is there already", hint="Choose another name.") from error
    return secret, _to_contract(row)


def find(session: Session, secret: str) -> Key | None:
    """Look a key up; None where there is none or it was revoked."""
    row = session.scalar(
        select(tables.ApiKey).where(tables.ApiKey.key_sha256 == _hash(secret), tables.ApiKey.revoked_at.is_(None))
    )
    return _to_contract(row) if row else None


def note_use(session: Session, key: Key) -> None:
    """Write down that a key is in use; at most once a minute, as it costs a write."""
    stale = tables.ApiKey.last_used_at.is_(None) | (tables.ApiKey.last_used_at < now() - _USE_NOTED_EVERY_S)
    session.execute(update(tables.ApiKey).where(tables.ApiKey.id == key.id, stale).values(last_used_at=now()))


def list_all(session: Session) -> list[Key]:
    """Return all keys, the oldest first."""
    return [_to_contract(row) for row in session.scalars(select(tables.ApiKey).order_by(tables.ApiKey.created_at))]


def revoke(session: Session, name: str) -> None:
    """Make a key useless, from the next call on.

    Raises:
        NotFound: No key has the name.
    """
    revoked = update(tables.ApiKey).where(tables.ApiKey.name == name).values(revoked_at=now())
    if session.execute(revoked.returning(tables.ApiKey.id)).one_or_none() is None:
        raise NotFound(f"no key is named {name}", hint="asl key list shows the names.")


def _hash(secret: str) -> str:
    # A plain hash is enough: the secret has 256 random bits, and cannot be guessed from a list of words.
    return hashlib.sha256(secret.encode()).hexdigest()


def _to_contract(row: tables.ApiKey) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        tenant=row.tenant,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        max_unfinished_jobs=row.max_unfinished_jobs,
        calls_per_minute=row.calls_per_minute,
        created_at=to_datetime(row.created_at),
        last_used_at=None if row.last_used_at is None else to_datetime(row.last_used_at),
        revoked_at=None if row.revoked_at is None else to_datetime(row.revoked_at),
    )
