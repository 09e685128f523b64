"""API keys: who calls, and what they may."""

from enum import StrEnum

from pydantic import Field

from asl.contracts.base import Contract, Id, Name, Time


class Scope(StrEnum):
    """What a key allows."""

    RECOGNIZE = "recognize"
    READ = "read"
    WRITE = "write"
    PROMOTE = "promote"


class Key(Contract):
    """An API key, without its secret."""

    id: Id
    name: Name
    tenant: Name = Field(description="Whose data sets, jobs and models it sees.")
    scopes: tuple[Scope, ...]
    max_unfinished_jobs: int | None
    calls_per_minute: int | None
    created_at: Time
    last_used_at: Time | None
    revoked_at: Time | None
