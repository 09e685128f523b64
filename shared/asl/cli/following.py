"""Jobs followed to their end: live bars on a terminal, plain lines elsewhere."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from asl.cli import console
from asl.cli.remote import print_made
from asl.client import Client
from asl.contracts import ENDED, EventKind, Job, JobEvent, JobKind, JobState, Progress
from asl.errors import AslError

_LOOK_EVERY_S: Final = 1.0
_LINE_EVERY_S: Final = 10.0
_MAX_FOLLOWED: Final = 100
_SHORT_ID: Final = 8


def follow(client: Client, job_ids: Sequence[str], *, json: bool = False) -> int:
    """Draw jobs, and what they wait for, until they have ended.

    Args:
        client: The server.
        job_ids: The jobs.
        json: Print them as JSON when they have ended.

    Returns:
        The exit status: 0 where all succeeded, 130 where the user stopped looking.
    """
    try:
        with _bars() as bars:
            _draw(client, _with_dependencies(client, job_ids), bars)
        ended = [client.jobs.get(job_id) for job_id in job_ids]
    except KeyboardInterrupt:
        names = " ".join(job_ids)
        goes_on = "the job goes on" if len(job_ids) == 1 else "the jobs go on"
        console.err.print(f"interrupted; {goes_on}: asl job watch {names}   stop: asl job cancel {names}")
        return console.EXIT_INTERRUPTED
    if json:
        found = [job.model_dump(mode="json") for job in ended]
        console.print_json(found[0] if len(found) == 1 else found)
    for job in ended:
        _print_end(job, json=json)
    return 0 if all(job.state is JobState.SUCCEEDED for job in ended) else console.EXIT_FAILED


class _Row:
    """One job as it is drawn: its events tell of it, from the first one on."""

    def __init__(self, bars: Bars, job: Job) -> None:
        self._bars = bars
        self._title = f"{job.name or job.kind} {job.id[:_SHORT_ID]}"
        self._task: TaskID = bars.add_task(self._title, total=None, state="", note="")
        self._state = ""
        self._last_line_at = 0.0
        self._last_epoch: int | None = None

    @property
    def is_queued(self) -> bool:
        """Whether it waits for its turn, which no event tells."""
        return self._state == JobState.QUEUED

    def look(self, job: Job) -> None:
        """Draw how many jobs come before it."""
        if job.state is JobState.QUEUED and job.position is not None:
            self._bars.update(self._task, note=f"{job.position:,} before it")

    def tell(self, event: JobEvent) -> None:
        """Draw what has happened."""
        if event.kind is EventKind.STATE:
            self._move(str(event.data.get("state", "")), str(event.data.get("why", "")))
        elif event.kind is EventKind.PROGRESS:
            self._advance(Progress.model_validate(event.data, extra="ignore"))
        else:
            self._print(_text(event.data))

    def _move(self, state: str, why: str) -> None:
        if state == self._state:
            return
        self._state = state
        self._bars.update(self._task, state=state)
        if state == JobState.RUNNING:
            self._bars.update(self._task, note="")  # none comes before it any more
        if state in ENDED:
            self._bars.stop_task(self._task)
        if self._bars.disable:
            self._print(f"{state} ({why})" if why else state)

    def _advance(self, progress: Progress) -> None:
        note = " ".join(_figures(progress))
        completed = progress.epoch if progress.epoch is not None and not progress.done else progress.done
        self._bars.update(self._task, completed=completed, total=progress.total, note=note)
        is_due = time.monotonic() - self._last_line_at >= _LINE_EVERY_S or progress.epoch != self._last_epoch
        if not self._bars.disable or not is_due or (not progress.done and not note):
            return
        self._last_line_at, self._last_epoch = time.monotonic(), progress.epoch
        total = "" if progress.total is None else f" of {progress.total:,}"
        self._print(f"{completed:,}{total} {progress.unit}  {note}".rstrip())

    def _print(self, text: str) -> None:
        self._bars.console.print(f"{self._title}: {text}", markup=False)


def _draw(client: Client, watched: Sequence[Job], bars: Bars) -> None:
    """Draw jobs until each has ended; an error of one of the watchers is raised."""
    rows = {job.id: _Row(bars, job) for job in watched}
    told: queue.Queue[tuple[str, JobEvent | Exception | None]] = queue.Queue()
    for job in watched:
        # Daemons: they may sit in a silent connection when the user has seen enough.
        threading.Thread(target=_listen, args=(client, job.id, told), daemon=True).start()
    left, looked_at = set(rows), 0.0
    while left:
        for job_id, news in _news(told):
            if isinstance(news, Exception):
                raise news
            if news is None:
                left.discard(job_id)
            else:
                rows[job_id].tell(news)
        if time.monotonic() - looked_at >= _LOOK_EVERY_S:
            looked_at = time.monotonic()
            for job_id in [job_id for job_id in left if rows[job_id].is_queued]:
                rows[job_id].look(client.jobs.get(job_id))


def _listen(client: Client, job_id: str, told: "queue.Queue[tuple[str, JobEvent | Exception | None]]") -> None:
    try:
        for event in client.jobs.watch(job_id):
            told.put((job_id, event))
        told.put((job_id, None))
    except Exception as error:  # noqa: BLE001 - raised where the jobs are drawn, if they still are
        told.put((job_id, error))


def _news(told: "queue.Queue[Any]") -> Iterator[Any]:
    try:
        yield told.get(timeout=_LOOK_EVERY_S)
        while True:
            yield told.get_nowait()
    except queue.Empty:
        return


def _with_dependencies(client: Client, job_ids: Sequence[str]) -> list[Job]:
    """Read jobs, and before them the unfinished ones that they wait for; parts of a job are drawn as the job."""
    found: dict[str, Job] = {}
    to_read = list(job_ids)
    while to_read and len(found) < _MAX_FOLLOWED:
        job = client.jobs.get(to_read.pop(0))
        if job.id in found or job.kind is JobKind.EXTRACTION_SHARD:
            continue
        if job.id in job_ids or job.state not in ENDED:
            found[job.id] = job
            to_read.extend(() if job.shards else job.depends_on)
    return sorted(found.values(), key=lambda job: (job.created_at, job.id in job_ids))


def _bars() -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[state]:<10}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console.err,
        disable=not console.err.is_terminal,
    )


def _figures(progress: Progress) -> Iterator[str]:
    if progress.epoch is not None:
        yield f"epoch {progress.epoch}"
    if progress.train_loss is not None:
        yield f"loss {progress.train_loss:.3f}"
    if progress.train_accuracy is not None:
        yield f"accuracy {progress.train_accuracy:.1%}"
    if progress.val_loss is not None:
        yield f"| validation loss {progress.val_loss:.3f}"
    if progress.val_accuracy is not None:
        yield f"accuracy {progress.val_accuracy:.1%}"
    if progress.rate_per_s is not None and progress.epoch is None:
        yield f"{progress.rate_per_s:.1f} {progress.unit}/s".replace(" /s", "/s")
    if progress.eta_s is not None:
        yield f"{progress.eta_s:.0f} s left"
    if progress.note:
        yield progress.note


def _text(data: dict[str, Any]) -> str:
    return str(data.get("text", ""))


def _print_end(job: Job, *, json: bool) -> None:
    if not json:
        console.out.print(f"{job.id}  {job.state}")
    if job.error is not None:
        hint = job.error.hint or f"See asl job log {job.id}"
        console.print_error(AslError(f"job {job.id} failed: {job.error.message}", hint=hint))
    elif job.state is JobState.CANCELLED:
        console.err.print(f"the job was cancelled   next: asl job retry {job.id}")
    else:
        _print_success(job, json=json)


def _print_success(job: Job, *, json: bool) -> None:
    if not json:
        console.print_advice(f"{entry['found']} {entry['remedy']}" for entry in (job.result or {}).get("advice", ()))
    if job.kind is not JobKind.PROBE:
        print_made(f"the files of job {job.id}", "asl", "job", "download", job.id)
