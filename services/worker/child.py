"""The process of one job: runs its pipeline, stores its files, and ends with the worker that watches it."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from asl.contracts import JobError, Progress
from asl.errors import AslError, OutOfMemory, Stopped
from asl.infra.jobs import Claim, NewArtifact
from asl.infra.settings import Settings
from asl.infra.stores import database_of, storage_of
from asl.pipelines import artifacts
from asl.pipelines.context import Context, Outcome

STOP: Final = "stop"
_TELL_EVERY_S: Final = 0.1


def main(connection: Connection, claim: Claim, settings: Settings, folder: Path, output: Path) -> None:
    """Run one job and send what comes of it; the entry of the process.

    Sends tuples: ("progress", dict), ("log", str), ("checkpoint", dict), ("step", name, its start, its end), and at the
    end one of ("done", result, artifacts, effects), ("stopped",), ("error", dict, is retryable).

    Args:
        connection: To the worker; its end is the end of this process.
        claim: The job.
        settings: The worker's.
        folder: Scratch, empty.
        output: Gets what libraries print.
    """
    _detach(output)
    _give_way(settings.job_niceness)
    line = _Line(connection)
    try:
        finished = _work(line, claim, settings, folder)
    except Stopped:
        line.send("stopped")
    except AslError as error:
        line.send("error", _described(error), error.retryable)
    except MemoryError:
        line.send("error", _described(OutOfMemory("the job ran out of memory")), False)
    # Whatever it is, it is told in the log, and the process ends at once.
    except Exception:  # noqa: BLE001 - see above
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    else:
        line.send("done", *finished)
    # Without Python's own farewell: native threads of libraries have hung in it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def tell_devices(connection: Connection) -> None:
    """Send the number of CUDA devices; the entry of another process."""
    import torch  # noqa: PLC0415 - as in `_work`

    connection.send(torch.cuda.device_count())


class _Line:
    """The connection to the worker: one thread listens, any may send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._told_at = 0.0
        self._epoch: int | None = None
        self.stopping = threading.Event()
        threading.Thread(target=self._listen, name="listen", daemon=True).start()

    def send(self, *message: Any) -> None:
        with self._lock:
            self._connection.send(message)

    def send_progress(self, progress: Progress) -> None:
        """Send at most ten a second, but every epoch, every trial and the last."""
        now = time.monotonic()
        is_due = now - self._told_at >= _TELL_EVERY_S or progress.epoch != self._epoch or progress.trial
        if is_due or progress.done == progress.total:
            self._told_at, self._epoch = now, progress.epoch
            self.send("progress", progress.model_dump())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Send how long a block took, whatever comes of it, for the job's trace."""
        started_ns = time.time_ns()
        try:
            yield
        finally:
            self.send("step", name, started_ns, time.time_ns())

    def _listen(self) -> None:
        try:
            while self._connection.recv() == STOP:
                self.stopping.set()
        except (EOFError, OSError):
            pass
        os._exit(1)  # the worker is gone: this attempt counts no more


def _detach(output: Path) -> None:
    os.setsid()  # out of reach of the terminal: Ctrl-C and its end are for the worker, which stops this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _give_way(niceness: int) -> None:
    os.nice(niceness)
    # Linux may share the cores out among sessions first, by a niceness of theirs; that of a process counts in its own.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness))


def _work(
    line: _Line, claim: Claim, settings: Settings, folder: Path
) -> tuple[dict[str, Any], list[NewArtifact], dict[str, Any]]:
    # Here, since the worker imports this module too, and has no use for PyTorch and MediaPipe; the server that this
    # process was forked from has them imported.
    from asl.pipelines import run  # noqa: PLC0415

    storage = storage_of(settings)
    context = Context(
        claim=claim,
        settings=settings,
        database=database_of(settings),
        storage=storage,
        folder=folder,
        tell_progress=line.send_progress,
        tell=lambda text: line.send("log", text),
        save_checkpoint=lambda checkpoint: line.send("checkpoint", dict(checkpoint)),
        is_stopping=line.stopping.is_set,
    )
    with line.step("run"):
        outcome: Outcome = run.run(context)
    with line.step("store"):
        stored = artifacts.store(storage, claim, outcome.files)
    return dict(outcome.result), stored, dict(outcome.effects)


def _described(error: AslError) -> dict[str, Any]:
    return JobError(code=error.code, message=error.message, hint=error.hint).model_dump()
