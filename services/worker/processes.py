"""Starts job processes from a server that has all imports done, and looks at them while they run."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Final

_PRELOADED: Final = ("asl.pipelines.run", "services.worker.local", "celery.bin.celery")
"""What a job's process would import: the pipelines, and the main modules of workers, which Python imports there too."""

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_CGROUP_EVENTS: Final = Path("/sys/fs/cgroup/memory.events")


def make_context() -> ForkServerContext:
    """Return a way to start processes in milliseconds: forked from a server that has PyTorch and MediaPipe imported.

    The server itself starts with the first process; it is no fork of this one, which has threads.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    return context


class JobProcess:
    """One process at work, and the line to it."""

    def __init__(self, context: ForkServerContext, entry: Callable[..., None], *arguments: Any) -> None:
        """Start it.

        Args:
            context: See `make_context`.
            entry: Called in the process with its end of the line and the arguments.
            arguments: What else it is called with.
        """
        self.line, theirs = context.Pipe()
        self._n_killed_before = _count_killed_for_memory()
        self._process: ForkServerProcess = context.Process(target=entry, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.sentinel: int = self._process.sentinel

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal ended it."""
        return self._process.exitcode

    @property
    def memory_bytes(self) -> int:
        """What it holds in memory now; 0 where that cannot be told."""
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return 0

    @property
    def was_killed_for_memory(self) -> bool:
        """Whether it ended by SIGKILL while the kernel was ending processes for want of memory."""
        return self.exit_code == -signal.SIGKILL and _count_killed_for_memory() > self._n_killed_before

    def send(self, message: str) -> None:
        """Send a message, if anyone is there to read it."""
        with suppress(OSError):
            self.line.send(message)

    def join(self) -> None:
        """Wait for its end."""
        self._process.join()

    def end(self, grace_s: float) -> None:
        """End it: politely, and after a grace by force."""
        self._process.terminate()
        self._process.join(grace_s)
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """Make sure that it has ended, and free what it took."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.line.close()


def _count_killed_for_memory() -> int:
    """Count the processes of this control group that the kernel has ended for want of memory; 0 without cgroup v2."""
    try:
        counts = dict(line.split() for line in _CGROUP_EVENTS.read_text().splitlines())
        return int(counts.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0
