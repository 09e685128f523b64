"""Ends the test servers' processes and removes their folders when the test run is gone, however it ended.

Run as a program, it reads lines from a pipe that only the test run holds; the pipe's end means that the run is gone.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_END_LIMIT_S = 60.0
_POLITE_LIMIT_S = 3.0


class Guardian:
    """A process of its own that outlives the test run for the time it takes to clean up."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = None

    def watch(self, what):
        """Take a process id or a folder to be ended or removed."""
        self._tell("+", what)

    def forget(self, what):
        self._tell("-", what)

    def _tell(self, sign, what):
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True
                )
                atexit.register(self._end, self._process)
            self._process.stdin.write(f"{sign}{what}\n".encode())
            self._process.stdin.flush()

    @staticmethod
    def _end(process):
        process.stdin.close()
        process.wait(_END_LIMIT_S)


def family(pid):
    """Return a process and all that stem from it; PostgreSQL's have process groups of their own."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold anything: the fields follow its last parenthesis.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    members = [pid] if pid in parents else []
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill(pid):
    """Kill a process and all that stem from it, and wait until they are gone.

    They are stopped first, from the top, so that none can start another meanwhile.
    """
    members = family(pid)
    send(members, signal.SIGSTOP)
    members = sorted({*members, *family(pid)})
    send(members, signal.SIGKILL)
    deadline = time.monotonic() + _END_LIMIT_S
    while any(family(member) for member in members):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {members} do not end")
        time.sleep(0.01)


def _guard():
    watched = {}
    for line in sys.stdin:
        sign, what = line[0], line[1:].rstrip("\n")
        if sign == "+":
            watched[what] = None
        else:
            watched.pop(what, None)
    for what in [name for name in watched if name.isdigit()]:
        _end(int(what))
    for what in [name for name in watched if not name.isdigit()]:
        shutil.rmtree(what, ignore_errors=True)


def _end(pid):
    """Let a server clean up, PostgreSQL its shared memory, before it is killed."""
    members = family(pid)
    send(members, signal.SIGCONT)
    send(members[:1], signal.SIGINT)
    deadline = time.monotonic() + _POLITE_LIMIT_S
    while family(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    kill(pid)


if __name__ == "__main__":
    # What ends the test run from a terminal is not to end its guardian.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _guard()
