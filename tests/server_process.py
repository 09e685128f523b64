"""A server for tests as a process of its own, with a port and a folder that stay its own until it is closed."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from guardian import Guardian, family, kill, send

_START_LIMIT_S = 180.0  # on a busy machine a worker takes half a minute to import all, and stands still besides
_STOP_LIMIT_S = 45.0
_POLL_S = 0.02
# Below the ports that the kernel gives to clients: while a server is down, nobody may take its port, and a client
# that tries to connect must not meet itself.
_PORTS = range(12_000, 32_000)

_guardian = Guardian()


class ServerMissing(Exception):
    """The server's program is not there, or cannot run here."""


class Server:
    """A process with a folder of its own for its data; the folder lives as long as the object."""

    def __init__(self):
        if not Path("/proc/self/stat").exists():
            raise ServerMissing("test servers need Linux")
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="asl-test-"))
        _guardian.watch(self.folder)
        self._process = None

    def start(self):
        if self.is_running:
            return
        self.kill()  # what a crash may have left
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._process_options(),
            )
        _guardian.watch(self._process.pid)
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{type(self).__name__} did not start:\n{self.log[-3000:]}")
            time.sleep(_POLL_S)

    def stop(self):
        """End the server as an operator would; the data stay."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self._stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_LIMIT_S)
        self.kill()

    def kill(self):
        """End the server with all its processes at once, without a word."""
        if self._process is not None:
            kill(self._process.pid)
            self._process.wait()
            _guardian.forget(self._process.pid)
            self._process = None

    def restart(self):
        self.stop()
        self.start()

    def pause(self):
        """Freeze all its processes: connections stay open and nothing answers."""
        if self._process is not None:
            send(family(self._process.pid), signal.SIGSTOP)

    def resume(self):
        if self._process is not None:
            send(family(self._process.pid), signal.SIGCONT)

    def close(self):
        """End the server and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        _guardian.forget(self.folder)

    @property
    def is_running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    _stop_signal = signal.SIGTERM

    def _command(self):
        raise NotImplementedError

    def _process_options(self):
        return {}

    def _is_ready(self):
        raise NotImplementedError


def free_port():
    """Return a port that nobody listens on, and that the kernel gives to nobody."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerMissing("no free port")
