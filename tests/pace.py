"""Checks with short limits, which a machine that stalls can break though all is well: then they have longer ones."""

import contextlib
import time
from collections.abc import Callable

import pytest

PACES = (1, 6, 36)
PATIENCE_S = 60.0
"""For what comes by itself: when all is well nobody waits so long."""


def at_some_pace(check: Callable[[int], None]) -> None:
    """Make a check whose limits are multiples of its argument; where it breaks, once more with longer ones.

    A fault breaks it at every pace.
    """
    for pace in PACES[:-1]:
        with contextlib.suppress(Exception, pytest.fail.Exception):  # the last pace tells
            check(pace)
            return
    check(PACES[-1])


def wait_until(holds: Callable[[], object], limit_s: float = PATIENCE_S, *, every_s: float = 0.02) -> None:
    """Wait until something holds that happens elsewhere; fails after the limit."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(every_s)
