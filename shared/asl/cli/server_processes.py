"""Server processes that a command starts together, keeps running, and ends together."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Final

from asl.cli import console

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_S: Final = 0.1
_STEADY_S: Final = 10.0
"""A process that lived so long is started again at once when it dies, others after a growing pause."""
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 10.0


class ServerProcess:
    """One process; of a process group of its own, so that Ctrl-C in a terminal reaches only the command."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], *, restarts: bool) -> None:
        """Start it.

        Args:
            name: What people call it.
            command: Program and arguments.
            environment: Variables beside those of this process.
            restarts: Whether it is started again when it dies; otherwise its end is the end of all.
        """
        self.name, self.restarts = name, restarts
        self._command, self._environment = list(command), {**os.environ, **environment}
        self._pause_s, self._next_start = _FIRST_PAUSE_S, 0.0
        self._start()

    @property
    def status(self) -> int | None:
        """Its exit status, as a shell tells it; None while it runs."""
        status = self._process.poll()
        return 128 - status if status is not None and status < 0 else status

    def keep_running(self) -> None:
        """Start it again if it died."""
        if self.status is None:
            return
        now = time.monotonic()
        if not self._next_start:
            lived_long = now - self._started > _STEADY_S
            self._pause_s = _FIRST_PAUSE_S if lived_long else min(2 * self._pause_s, _LONGEST_PAUSE_S)
            self._next_start = now + self._pause_s
            console.err.print(f"{self.name} ended (status {self.status}); it is started again", markup=False)
        elif now >= self._next_start:
            self._start()

    def end(self) -> None:
        """Ask it to end."""
        if self.status is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with those that it has started, such as a reloader's server
        self._process.wait()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environment, process_group=0)
        self._started, self._next_start = time.monotonic(), 0.0


class ServerProcesses:
    """Several of them, from the start to the common end."""

    def __init__(self, grace_s: float) -> None:
        """Prepare.

        Args:
            grace_s: How long they may take to end before they are killed.
        """
        self._grace_s = grace_s
        self._processes: list[ServerProcess] = []
        self.received: list[int] = []
        """Signals that ask for the end."""

    def add(self, process: ServerProcess) -> None:
        """Take one more; those added first end last."""
        self._processes.append(process)

    def look(self) -> bool:
        """Start again what died; tells whether all is to go on."""
        for process in self._processes:
            if process.restarts and not self.received:
                process.keep_running()
        return not self.received and self._main_status() is None

    def wait(self) -> int:
        """Keep them running until a signal comes or one ends that is not to; returns the command's exit status."""
        while self.look():
            time.sleep(_POLL_S)
        status = self._main_status() or 0
        self._end_all()
        return 128 + self.received[0] if self.received else status

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Take signals, and leave no process behind whatever goes wrong."""
        previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for process in self._processes:
                process.kill()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _main_status(self) -> int | None:
        found = (process.status for process in self._processes if not process.restarts)
        return next((status for status in found if status is not None), None)

    def _end_all(self) -> None:
        """Ask all to end; a second signal, or patience, kills them."""
        deadline = time.monotonic() + self._grace_s
        for process in reversed(self._processes):
            process.end()
        while any(process.status is None for process in self._processes):
            if len(self.received) > 1 or time.monotonic() > deadline:
                return
            time.sleep(_POLL_S)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received.append(number)
