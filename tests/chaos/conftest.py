"""What storms share: the platform, and the table of their accounts at the end of the run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from account import HEADER
from platforms import FullStack
from server_process import ServerMissing

_TABLE_FILE = "ASL_CHAOS_TABLE"
_ROWS = pytest.StashKey[list[tuple[str, ...]]]()


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[FullStack]:
    """Share Postgres, Redis, S3, a gateway, a dispatcher and three workers; each storm leaves them running."""
    try:
        platform = FullStack(tmp_path_factory.mktemp("stack"), ASL_MAX_UNFINISHED_JOBS="100000")
    except ServerMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with platform:
        yield platform.start(n_workers=3)


@pytest.fixture
def note(pytestconfig):
    """Take an account into the table, whatever it says, and then check it."""

    def take(account):
        pytestconfig.stash.setdefault(_ROWS, []).append(account.row())
        account.check()

    return take


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    lines = [_line(row) for row in (HEADER, ("---",) * len(HEADER), *rows)]
    terminalreporter.section("storms")
    for line in lines:
        terminalreporter.write_line(line)
    if path := os.environ.get(_TABLE_FILE):
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(cells):
    return f"| {' | '.join(cells)} |"
