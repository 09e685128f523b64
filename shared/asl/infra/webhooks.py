"""Calls that tell of a job's end, signed as Standard Webhooks has it (standardwebhooks.com), tried again for a day."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx
from sqlalchemy import select, update

from asl.errors import InvalidInput
from asl.infra import job_views, tables
from asl.infra.database import Database, now
from asl.infra.settings import Settings

MAX_TRIES: Final = 12

_TIMEOUT_S: Final = 5.0
_CLAIM_S: Final = 60.0
"""So long no other process tries what this one is trying."""
_BACKOFF_BASE_S: Final = 5.0
_BACKOFF_MAX_S: Final = 3600.0
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a marker of the standard, no secret
_MAX_ERROR_LENGTH: Final = 500


@dataclass(frozen=True)
class _Call:
    """A delivery at work."""

    id: str
    url: str
    n_tries: int
    """With this one."""
    body: bytes
    timestamp: int


def check_address(settings: Settings, url: str) -> None:
    """Make sure that the platform may call an address.

    Raises:
        InvalidInput: Webhooks are off, its host is not among the allowed ones, or the call would not be safe.
    """
    parts = urlsplit(url)
    if settings.webhook_secret is None or not settings.webhook_hosts:
        raise InvalidInput("webhook: this platform sends none", hint="The operator sets ASL_WEBHOOK_HOSTS and _SECRET.")
    if not _is_allowed(settings, parts):
        raise InvalidInput("webhook: expected an allowed host, found another", hint="Ask the operator to allow it.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("webhook: expected an address without a user and password", hint="Calls are signed instead.")
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise InvalidInput(f"webhook: expected https, found {parts.scheme}", hint="Only this machine may do without.")


def deliver_due(database: Database, settings: Settings, limit: int = 20) -> int:
    """Send what is due, all at once; returns within seconds whatever the receivers do.

    Args:
        database: Where the deliveries are.
        settings: Whom to tell, and how to sign.
        limit: At most so many.

    Returns:
        How many were tried.

    Raises:
        Unavailable: The database cannot be reached; what was sent is then sent again later.
    """
    calls = _claim(database, limit)
    if not calls:
        return 0
    failures = asyncio.run(_send_all(settings, calls))
    with database.transaction() as session:
        for call, failure in zip(calls, failures, strict=True):
            mine = update(tables.WebhookDelivery).where(
                tables.WebhookDelivery.id == call.id, tables.WebhookDelivery.n_tries == call.n_tries
            )
            if failure is None:
                session.execute(mine.values(delivered_at=now(), next_try_at=None, last_error=None))
            elif call.n_tries >= MAX_TRIES:
                session.execute(mine.values(next_try_at=None, last_error=failure))
            else:
                wait_s = min(_BACKOFF_BASE_S * 2 ** (call.n_tries - 1), _BACKOFF_MAX_S)
                session.execute(mine.values(next_try_at=now() + wait_s, last_error=failure))
    return len(calls)


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message.

    Args:
        secret: `whsec_` and base64, as the standard has it, or any other text, which is taken as it is.
        message_id: The header `webhook-id`.
        timestamp: The header `webhook-timestamp`, in seconds since 1970.
        body: What is sent.

    Returns:
        The header `webhook-signature`.
    """
    key = _key_of(secret)
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _key_of(secret: str) -> bytes:
    if secret.startswith(_SECRET_PREFIX):
        with contextlib.suppress(ValueError):
            return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    return secret.encode()


def _claim(database: Database, limit: int) -> list[_Call]:
    """Take what is due, and move it ahead before anything is sent, so that no other process sends it too."""
    row = tables.WebhookDelivery
    due = select(row).where(row.next_try_at <= now()).order_by(row.next_try_at).limit(limit)
    with database.reading() as session:
        if session.scalar(due.with_only_columns(row.id)) is None:
            return []
    with database.transaction() as session:
        rows = session.scalars(due.with_for_update(skip_locked=True)).all()
        taken = update(row).where(row.id.in_([delivery.id for delivery in rows]))
        session.execute(taken.values(n_tries=row.n_tries + 1, next_try_at=now() + _CLAIM_S))
        for delivery in rows:
            session.refresh(delivery)
        at = int(session.execute(select(now())).scalar_one())
        found = [session.get_one(tables.Job, delivery.job_id) for delivery in rows]
        bodies = {job.id: job.model_dump(mode="json") for job in job_views.describe(session, found)}
        return [_to_call(delivery, bodies[delivery.job_id], at) for delivery in rows]


def _to_call(delivery: tables.WebhookDelivery, job: dict[str, object], timestamp: int) -> _Call:
    message = {"type": f"job.{job['state']}", "timestamp": job["finished_at"], "data": job}
    body = json.dumps(message, separators=(",", ":")).encode()
    return _Call(delivery.id, delivery.url, delivery.n_tries, body, timestamp)


async def _send_all(settings: Settings, calls: Sequence[_Call]) -> list[str | None]:
    # Nothing of the environment, such as a proxy, gets between; a redirect could lead to a host that is not allowed.
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False) as client:
        return await asyncio.gather(*(_send(client, settings, call) for call in calls))


async def _send(client: httpx.AsyncClient, settings: Settings, call: _Call) -> str | None:
    """Send one; returns why it failed."""
    try:
        check_address(settings, call.url)
        secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        headers = {
            "content-type": "application/json",
            "user-agent": "asl-platform",
            "webhook-id": call.id,
            "webhook-timestamp": str(call.timestamp),
            "webhook-signature": sign(secret, call.id, call.timestamp, call.body),
        }
        # httpx limits each step; this limits all of them. What the receiver answers besides its status is not read.
        async with (
            asyncio.timeout(_TIMEOUT_S),
            client.stream("POST", call.url, content=call.body, headers=headers) as got,
        ):
            return None if got.is_success else f"expected a status of 200 to 299, found {got.status_code}"
    except InvalidInput as error:
        return error.message
    # Whatever one receiver's address or answer brings about, the others of the batch are told all the same.
    except Exception as error:  # noqa: BLE001 - see above
        return f"{type(error).__name__}: {error}"[:_MAX_ERROR_LENGTH]


def _is_allowed(settings: Settings, parts: SplitResult) -> bool:
    host = (parts.hostname or "").lower()
    return {host, f"{host}:{parts.port}"} & {allowed.lower() for allowed in settings.webhook_hosts} != set()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
