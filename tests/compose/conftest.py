"""One full stack for all tests of this folder; without a Docker engine they are skipped, and say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stack import Stack, why_no_engine


def pytest_itemcollected(item):
    # The fixture builds images, which takes longer than any test may; what it runs has limits of its own.
    item.add_marker(pytest.mark.timeout(300, func_only=True))


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    if why := why_no_engine():
        pytest.skip(f"the full stack was NOT tested, for want of a Docker engine: {why}")
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.revision = stack.build()
    try:
        stack.started_in_s = stack.up()
        print(f"\nfrom nothing to healthy: {stack.started_in_s:.1f} s")  # noqa: T201 - a figure for the README
        stack.make_key()
        yield stack
    finally:
        if not os.environ.get("ASL_KEEP_STACK"):
            stack.down("--volumes", "--remove-orphans")


@pytest.fixture
def client(stack):
    with stack.client() as client:
        yield client


@pytest.fixture
def asl(stack, tmp_path):
    """Run `asl` as a user of the stack does; returns the ended process."""

    def run(*words):
        return subprocess.run(
            [Path(sys.executable).with_name("asl"), *words, "--url", stack.url],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
