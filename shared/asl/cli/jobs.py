"""`asl job ...`: jobs on a server."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.folders import ensure_writable
from asl.cli.following import follow
from asl.cli.remote import UrlFlag, bytes_bar, connect, print_items, print_made
from asl.contracts import Job, JobKind, JobState, Queue
from asl.errors import NotFound


def list_(
    *,
    kind: JobKind | None = None,
    state: JobState | None = None,
    queue: Queue | None = None,
    name: str | None = None,
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """List jobs, newest first.

    Example: `asl job list --state running`

    Args:
        kind: Only of this kind.
        state: Only in this state.
        queue: Only of this queue.
        name: Only of this name.
        url: Server; ASL_URL where not given.
        json: Print a JSON list.
    """
    with connect(url) as client:
        found = client.jobs.list(kind=kind, state=state, queue=queue, name=name)
        if json:
            print_items(found)
            return
        for job in found:  # a line each as they come: there may be very many
            done = f"{job.progress.done:,}/{job.progress.total:,}" if job.progress.total else "-"
            line = f"{job.id}  {job.kind:<12} {job.state:<10} {done:>13}  {job.created_at:%Y-%m-%d %H:%M}"
            console.out.print(f"{line}  {job.name or ''}".rstrip(), markup=False)


def show(job_id: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Show a job as it stands.

    Example: `asl job show 0123456789abcdef0123456789abcdef`

    Args:
        job_id: The job's id.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    with connect(url) as client:
        _print(client.jobs.get(job_id), json=json)


def watch(
    job_ids: Annotated[list[str], Parameter(negative=())], *, url: UrlFlag = None, json: JsonFlag = False
) -> None:
    """Follow jobs, and what they wait for, to their end.

    Example: `asl job watch 0123456789abcdef0123456789abcdef`

    Ends with status 0 where all succeeded, and 1 otherwise. Ctrl-C ends only the watching: the jobs go on.

    Args:
        job_ids: The jobs' ids.
        url: Server; ASL_URL where not given.
        json: Print the jobs as JSON when they have ended.
    """
    with connect(url) as client:
        status = follow(client, job_ids, json=json)
    sys.exit(status)


def log(job_id: str, *, url: UrlFlag = None) -> None:
    """Print what a job wrote into its log.

    Example: `asl job log 0123456789abcdef0123456789abcdef`

    Args:
        job_id: The job's id.
        url: Server; ASL_URL where not given.
    """
    with connect(url) as client:
        sys.stdout.write(client.jobs.log(job_id))


def cancel(job_id: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Stop a job: at once where it has not begun; a running one a little later.

    Example: `asl job cancel 0123456789abcdef0123456789abcdef`

    Args:
        job_id: The job's id.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    with connect(url) as client:
        cancelled = client.jobs.cancel(job_id)
    if json:
        console.print_json(cancelled.model_dump(mode="json"))
    else:
        console.out.print(f"{cancelled.id}  {cancelled.state}")


def retry(job_id: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Ask anew for what a failed or cancelled job was to do.

    Example: `asl job retry 0123456789abcdef0123456789abcdef`

    Args:
        job_id: The job's id.
        url: Server; ASL_URL where not given.
        json: Print the new job as JSON.
    """
    with connect(url) as client:
        made = client.jobs.retry(job_id)
    if json:
        console.print_json(made.model_dump(mode="json"))
    else:
        console.out.print(made.id)
    print_made(f"{made.kind} job {made.id}", "asl", "job", "watch", made.id)


def artifacts(job_id: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """List the files that a job has made.

    Example: `asl job artifacts 0123456789abcdef0123456789abcdef`

    Args:
        job_id: The job's id.
        url: Server; ASL_URL where not given.
        json: Print a JSON list.
    """
    with connect(url) as client:
        if json:
            print_items(client.jobs.artifacts(job_id))
            return
        table = Table("name", "bytes", "type", "SHA-256")
        for made in client.jobs.artifacts(job_id):
            table.add_row(made.name, f"{made.size_bytes:,}", made.media_type, made.sha256)
        console.out.print(table)


def download(
    job_id: str, name: str | None = None, *, output_dir: Path | None = None, url: UrlFlag = None, json: JsonFlag = False
) -> None:
    """Fetch the files that a job has made; each is checked by its hash.

    Example: `asl job download 0123456789abcdef0123456789abcdef best_model.pt --output-dir models/`

    A download that was cut off goes on where it was.

    Args:
        job_id: The job's id.
        name: The file; all of them if not given.
        output_dir: Folder for the files; one with the job's id if not given.
        url: Server; ASL_URL where not given.
        json: Print the paths as a JSON list.
    """
    folder = output_dir or Path(job_id)
    with connect(url) as client:
        wanted = [made for made in client.jobs.artifacts(job_id) if name in (None, made.name)]
        if not wanted:
            raise NotFound(f"job {job_id} has made no {name or 'files yet'}", hint=f"See asl job artifacts {job_id}")
        ensure_writable(folder, "--output-dir")
        paths = []
        for made in wanted:
            with bytes_bar(made.name, made.size_bytes) as on_bytes:
                paths.append(client.jobs.download(job_id, made.name, folder, on_bytes))
    if json:
        console.print_json([str(path.resolve()) for path in paths])
    else:
        for path in paths:
            console.out.print(str(path), markup=False)
    console.print_made(folder, *_next_of(paths, job_id))


def _next_of(paths: Sequence[Path], job_id: str) -> tuple[str | Path, ...]:
    model = next((path for path in paths if path.name == "best_model.pt"), None)
    return ("asl", "recognize", "--model-path", model, "IMAGE") if model else ("asl", "job", "show", job_id)


def _print(job: Job, *, json: bool) -> None:
    if json:
        console.print_json(job.model_dump(mode="json"))
        return
    facts: dict[str, Any] = {
        "kind": job.kind,
        "name": job.name,
        "state": job.state,
        "queue": f"{job.queue}, priority {job.priority}",
        "position": job.position,
        "attempt": f"{job.attempt} of {job.max_attempts}",
        "parts": f"{job.shards.succeeded:,} of {job.shards.total:,} done" if job.shards else None,
        "needs": ", ".join(job.depends_on),
        "progress": _progress(job),
        "result": job.result,
        "error": job.error.message if job.error else None,
        "created": job.created_at,
        "started": job.started_at,
        "finished": job.finished_at,
    }
    for name, value in facts.items():
        if value not in (None, ""):
            console.out.print(f"{name + ':':<10} {value}", markup=False)


def _progress(job: Job) -> str | None:
    if not job.progress.done and job.progress.total is None:
        return None
    total = f" of {job.progress.total:,}" if job.progress.total is not None else ""
    return f"{job.progress.done:,}{total} {job.progress.unit} {job.progress.note}".rstrip()
