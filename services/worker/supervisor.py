"""One job from its claim to its end: a process does the work, and this keeps its lease and writes down what it says."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Event as Flag
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from asl.contracts import EventKind, JobError, JobState, Progress
from asl.errors import AslError, Crashed, OutOfMemory, Stalled, Unavailable
from asl.infra import jobs, traces
from asl.infra.database import Database
from asl.infra.jobs import Claim, Event
from asl.infra.settings import Settings
from asl.pipelines import publishing
from asl.pipelines.context import Finished
from services.worker import child
from services.worker.processes import JobProcess
from services.worker.tallies import Tallies

_LOOK_EVERY_S: Final = 0.25
_WRITE_EVERY_S: Final = 0.5
_MAX_BEAT_S: Final = 2.0
"""A cancelled job learns of it at its next beat, so beats are more frequent than the lease needs."""
_AGAIN_S: Final = 0.5
_ENDED_WITH_WORKER: Final = (-signal.SIGTERM, -signal.SIGHUP)
_MAX_OUTPUT_BYTES: Final = 4000

_log = structlog.get_logger()


class Supervisor:
    """Watches over one job."""

    def __init__(
        self,
        claim: Claim,
        settings: Settings,
        database: Database,
        *,
        context: ForkServerContext,
        stopping: Flag,
        tallies: Tallies,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            claim: The job, just claimed.
            settings: The platform's.
            database: Where the job stands.
            context: Starts processes, see `processes.make_context`.
            stopping: Set when the worker is to stop: the job is given back.
            tallies: Counts what happens.
        """
        self._claim, self._settings, self._database = claim, settings, database
        self._context, self._stopping, self._tallies = context, stopping, tallies
        self._log = _log.bind(job=claim.job_id, attempt=claim.attempt, kind=claim.kind, request_id=claim.request_id)
        self._progress: Progress | None = None
        self._events: list[Event] = []
        self._checkpoint: dict[str, Any] | None = None
        self._ending: tuple[Any, ...] | None = None
        self._heard_at = self._written_at = time.monotonic()
        self._told_to_stop_at: float | None = None
        self._first: tuple[float, int] | None = None
        """When the first progress was heard, and what was done then: a resumed job has done much before."""

    def run(self) -> None:
        """Do the job, to whatever end."""
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"asl-job-{self._claim.job_id[:8]}-"))
            output = folder.with_suffix(".out")
            process = JobProcess(self._context, child.main, self._claim, self._settings, folder, output)
        except (OSError, EOFError, RuntimeError) as error:
            self._ending = ("stopped",)
            self._conclude()
            raise Unavailable(f"this worker cannot start processes ({error})", hint="Look at its disk.") from error
        try:
            self._work(process, output)
            self._conclude()
        # The one broad clause: whatever is wrong here, the job must not hang until its lease runs out.
        except Exception as error:  # noqa: BLE001 - see above
            self._log.exception("unforeseen error")
            self._events, self._checkpoint, self._progress = [], None, None  # what may have been the cause
            self._fail(Crashed(f"the worker met an unforeseen error ({type(error).__name__})"), retry=True)
            self._conclude()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            output.unlink(missing_ok=True)

    def _work(self, process: JobProcess, output: Path) -> None:
        try:
            self._watch(process)
            if self._ending is None:
                self._explain_death(process, output)
        finally:
            process.close()

    def _watch(self, process: JobProcess) -> None:
        """Listen until the process has said its last word or is dead; a job that is no longer ours ends it."""
        while self._ending is None:
            wait([process.line, process.sentinel], _LOOK_EVERY_S)
            is_dead = process.exit_code is not None
            self._listen(process)
            if is_dead:
                return
            self._look_after(process)
            self._beat(process)

    def _listen(self, process: JobProcess) -> None:
        with suppress(EOFError, OSError):
            while self._ending is None and process.line.poll():
                self._hear(process.line.recv())

    def _hear(self, message: tuple[Any, ...]) -> None:
        self._heard_at = time.monotonic()
        match message:
            case ("progress", fields):
                self._note_progress(Progress.model_validate(fields))
            case ("log", text):
                self._events.append(_line(text))
            case ("checkpoint", checkpoint):
                self._checkpoint = checkpoint
            case ("step", name, started_ns, ended_ns):
                traces.note_step(name, started_ns, ended_ns)
            case _:
                self._ending = message

    def _note_progress(self, progress: Progress) -> None:
        now = time.monotonic()
        since, done_before = self._first = self._first or (now, progress.done)
        done = progress.done - done_before
        rate = done / (now - since) if done > 0 and now > since else None
        left = progress.total - progress.done if progress.total is not None else None
        eta_s = left / rate if rate and left is not None else None
        told = progress
        if progress.rate_per_s is None:
            told = progress.model_copy(update={"rate_per_s": rate, "eta_s": eta_s})
        is_new_epoch = told.epoch is not None and (self._progress is None or told.epoch != self._progress.epoch)
        if is_new_epoch or told.trial:
            self._events.append(Event(EventKind.PROGRESS, told.model_dump(mode="json")))
        self._progress = told

    def _look_after(self, process: JobProcess) -> None:
        limit = self._settings.job_memory_bytes
        if limit and process.memory_bytes > limit:
            process.end(0)
            self._fail(OutOfMemory(f"the job took more than the {limit:,} bytes of memory that it may"), retry=True)
        elif time.monotonic() - self._heard_at > self._settings.stall_s:
            process.end(0)
            self._fail(Stalled(f"the job got no further for {self._settings.stall_s:g} s"), retry=True)
        elif self._stopping.is_set():
            self._stop(process)

    def _stop(self, process: JobProcess) -> None:
        """Tell the process to save what it has; what it has not saved after the grace is done again elsewhere."""
        if self._told_to_stop_at is None:
            self._told_to_stop_at = time.monotonic()
            process.send(child.STOP)
        elif time.monotonic() - self._told_to_stop_at > self._settings.cancel_grace_s:
            process.end(0)
            self._ending = ("stopped",)

    def _beat(self, process: JobProcess) -> None:
        """Keep the lease, and write down what was heard."""
        quiet_s = time.monotonic() - self._written_at
        has_news = bool(self._events or self._checkpoint or self._progress)
        if quiet_s < (_WRITE_EVERY_S if has_news else min(self._settings.lease_s / 3, _MAX_BEAT_S)):
            return
        try:
            state = self._write()
        except Unavailable as error:
            self._written_at = time.monotonic()  # tried; what was heard is kept for the next time
            self._log.warning("sign of life not written", why=error.message)
            return
        if state is None:
            process.end(0)
            self._ending = ("lost",)
        elif state == JobState.CANCELLING:
            process.end(self._settings.cancel_grace_s)
            self._ending = ("stopped",)

    def _write(self) -> JobState | None:
        with self._database.transaction() as session:
            if self._checkpoint:
                jobs.save_checkpoint(session, self._claim, self._checkpoint)
            events = list(self._events)
            if self._progress and not any(event.kind == EventKind.PROGRESS for event in events):
                events.append(Event(EventKind.PROGRESS, self._progress.model_dump(mode="json")))
            state = jobs.record(session, self._claim, self._settings.lease_s, self._progress, events)
        self._events, self._checkpoint, self._progress = [], None, None
        self._written_at = time.monotonic()
        return state

    def _explain_death(self, process: JobProcess, output: Path) -> None:
        code = process.exit_code or 0
        if code in _ENDED_WITH_WORKER and self._stopping.wait(_LOOK_EVERY_S):
            self._ending = ("stopped",)  # a signal to the whole group: the job goes on elsewhere
        elif process.was_killed_for_memory:
            self._fail(OutOfMemory("the system ended the job for want of memory"), retry=True)
        elif code < 0:
            self._fail(Crashed(f"the job's process was ended by {signal.Signals(-code).name}"), retry=True)
        else:
            self._fail(Crashed(f"the job's process ended without a word (exit code {code})"), retry=True)
        if said := _tail(output):
            self._events.append(_line(said))

    def _conclude(self) -> None:
        """Write down the end."""
        match self._ending:
            case ("done", result, artifacts, effects):
                self._publish(Finished(result, artifacts, effects))
            case ("error", fields, is_retryable):
                self._write_failure(JobError(**fields), retry=is_retryable)
            case ("stopped",):
                self._write_end(lambda session: jobs.release(session, self._claim))
            case _:
                self._tallies.count_fenced()
                self._log.warning("job lost to another worker")

    def _publish(self, finished: Finished) -> None:
        def publish(session: Session) -> bool:
            if not jobs.succeed(session, self._claim, finished.result, finished.artifacts):
                return jobs.confirm_cancelled(session, self._claim)
            publishing.publish(session, self._claim, finished)
            return True

        try:
            self._write_end(publish)
        except AslError as error:  # what was made cannot be taken over, such as a model of a deleted tenant
            self._write_failure(JobError(**_described(error)), retry=error.retryable)

    def _write_failure(self, error: JobError, *, retry: bool) -> None:
        self._log.warning("attempt failed", code=error.code, why=error.message)
        traces.note_failure(error.code)
        self._write_end(lambda session: jobs.fail(session, self._claim, error, retry=retry) is not None)

    def _fail(self, error: AslError, *, retry: bool) -> None:
        self._ending = ("error", _described(error), retry)

    def _write_end(self, write: Callable[[Session], bool]) -> None:
        """Write the end, however long the database is away: only another claim can take it from us."""
        while True:
            try:
                with self._database.transaction() as session:
                    jobs.record(session, self._claim, self._settings.lease_s, self._progress, self._events)
                    if self._checkpoint:  # its last words: what a training saves when it is told to stop
                        jobs.save_checkpoint(session, self._claim, self._checkpoint)
                    # A commit whose answer was lost has ended the job already.
                    done = write(session) or jobs.has_ended(session, self._claim)
                break
            except Unavailable as error:
                self._log.warning("end not written yet", why=error.message)
                time.sleep(_AGAIN_S)
        if done:
            self._tallies.count_done()
            self._log.info("job left", ending=self._ending and self._ending[0])
        else:
            self._tallies.count_fenced()
            self._log.warning("end refused: the job is another's")


def _described(error: AslError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _line(text: str) -> Event:
    """Make a line of the job's log of any text; Postgres takes neither NUL nor half of a surrogate pair."""
    return Event(
        EventKind.LOG, {"text": text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")}
    )


def _tail(output: Path) -> str:
    with suppress(OSError):
        return output.read_bytes()[-_MAX_OUTPUT_BYTES:].decode("utf-8", errors="replace").strip()
    return ""
