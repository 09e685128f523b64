"""`asl key`: who may call the platform, kept in its database."""

from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from asl.cli import console
from asl.cli.database import open_current
from asl.cli.flags import JsonFlag
from asl.contracts import Key, Scope
from asl.errors import OptionsInvalid
from asl.infra import keys

_HEADINGS: Final = ("name", "tenant", "scopes", "jobs", "calls/min", "made", "last used", "revoked")


def create(
    name: str,
    /,
    *,
    tenant: str = keys.LOCAL_TENANT,
    scopes: tuple[Scope, ...] = tuple(Scope),
    max_unfinished_jobs: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    calls_per_minute: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    json: JsonFlag = False,
) -> None:
    """Make an API key, and print its secret, which is shown only now.

    Example: `asl key create camera-1 --scopes recognize --calls-per-minute 600`

    Callers send it as the header `Authorization: Bearer SECRET`.

    Args:
        name: What people call it; no other key has it.
        tenant: Whose data sets, jobs and models it sees; tenants see nothing of each other.
        scopes: What it allows: recognize, read, write (data sets and jobs), promote (models).
        max_unfinished_jobs: Unfinished jobs at a time; as ASL_MAX_UNFINISHED_JOBS says if not given.
        calls_per_minute: Calls in a minute, in each process of the gateway; as many as it likes if not given.
        json: Print the key and its secret as JSON.
    """
    _check_text("name", name)
    _check_text("tenant", tenant)
    with open_current() as database:
        secret, key = keys.create(
            database,
            name=name,
            tenant=tenant,
            scopes=scopes,
            max_unfinished_jobs=max_unfinished_jobs,
            calls_per_minute=calls_per_minute,
        )
    if json:
        console.print_json({**key.model_dump(mode="json"), "secret": secret})
        return
    console.out.print(secret, markup=False)
    allowed = ", ".join(key.scopes) or "nothing"
    console.err.print(f"made key {key.name} of tenant {key.tenant}, which allows: {allowed}", markup=False)
    console.err.print("keep the line above: it is stored nowhere and cannot be shown again", markup=False)


def list_(*, json: JsonFlag = False) -> None:
    """Show all API keys, without their secrets.

    Example: `asl key list`

    Args:
        json: Print them as JSON.
    """
    with open_current() as database, database.reading() as session:
        found = keys.list_all(session)
    if json:
        console.print_json([key.model_dump(mode="json") for key in found])
        return
    rows = [_HEADINGS, *(_cells(key) for key in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:  # one line each, however narrow the terminal is, so that `grep` finds all of a key
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.out.print(line.rstrip(), markup=False)


def revoke(name: str, /) -> None:
    """Make an API key useless for good; its calls are refused within 15 seconds.

    Example: `asl key revoke camera-1`

    Args:
        name: The key's.
    """
    with open_current() as database, database.transaction() as session:
        keys.revoke(session, name)
    console.err.print(f"revoked key {name}", markup=False)


def _check_text(what: str, text: str) -> None:
    if not 1 <= len(text) <= 100 or not text.isprintable() or "/" in text or "\\" in text:
        raise OptionsInvalid(f"expected a {what} of 1 to 100 printable characters without slashes, found {text!r}")


def _cells(key: Key) -> tuple[str, ...]:
    times = (f"{time:%Y-%m-%d %H:%M}" if time else "" for time in (key.created_at, key.last_used_at, key.revoked_at))
    quotas = (str(quota or "") for quota in (key.max_unfinished_jobs, key.calls_per_minute))
    return key.name, key.tenant, " ".join(key.scopes), *quotas, *times
