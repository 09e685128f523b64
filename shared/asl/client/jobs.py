"""Jobs over the API: submitted, watched to their end, and what they have made."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from asl.client import download, watching
from asl.client.download import OnBytes
from asl.client.transport import API, Call, Transport, segment
from asl.contracts import ENDED, Artifact, ChainRequest, Job, JobEvent, JobKind, JobRequest, JobState, Queue
from asl.errors import NotFound, Unavailable

_JOBS: Final = f"{API}/jobs"
_FIRST_POLL_S: Final = 0.1
_MAX_POLL_S: Final = 2.0


class Jobs:
    """Jobs of a server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(self, request: JobRequest) -> Job:
        """Ask for a job; however often the call has to be sent, it becomes one job.

        Raises:
            InvalidInput: The request does not fit, or refers to what does not go together.
            NotFound: It refers to what is not there.
            QuotaExceeded: Too many jobs are unfinished.
        """
        return self._transport.post(_JOBS, Job, request)

    def submit_chain(self, requests: Sequence[JobRequest]) -> tuple[Job, ...]:
        """Ask for several jobs that refer to each other by `ref`: all are accepted, or none.

        Raises:
            InvalidInput, NotFound, QuotaExceeded: As for one.
        """
        return self._transport.post(f"{_JOBS}/chain", _Chain, ChainRequest(jobs=tuple(requests))).jobs

    def get(self, job_id: str) -> Job:
        """Read a job as it stands.

        Raises:
            NotFound: There is none.
        """
        return self._transport.get(_path(job_id), Job)

    def list(
        self,
        *,
        kind: JobKind | None = None,
        state: JobState | None = None,
        queue: Queue | None = None,
        name: str | None = None,
    ) -> Iterator[Job]:
        """List jobs, newest first: all, or those that fit."""
        return self._transport.items(_JOBS, Job, kind=kind, state=state, queue=queue, name=name)

    def cancel(self, job_id: str) -> Job:
        """Stop a job: at once where it has not begun; a running one a little later."""
        return self._transport.post(_path(job_id, "cancel"), Job)

    def retry(self, job_id: str) -> Job:
        """Ask anew for what a failed or cancelled job was to do.

        Returns:
            The new job.

        Raises:
            Conflict: The job has not failed.
        """
        return self._transport.post(_path(job_id, "retry"), Job)

    def log(self, job_id: str) -> str:
        """Read what a job wrote into its log."""
        return self._transport.send(Call("GET", _path(job_id, "log"))).text

    def events(self, job_id: str, after: int = 0) -> Iterator[JobEvent]:
        """Read events as they happen, over one connection: it ends with the job, or when it is cut.

        Args:
            job_id: The job.
            after: Only events with a larger id; 0 begins with the first.

        Raises:
            Unavailable: The connection was cut, or does not carry events.
        """
        return watching.events(self._transport, _path(job_id, "events"), after)

    def watch(self, job_id: str, after: int = 0) -> Iterator[JobEvent]:
        """Read events as they happen until the job has ended, each once, whatever becomes of the connection.

        Args:
            job_id: The job.
            after: Only events with a larger id; 0 begins with the first.

        Raises:
            Unavailable: The server did not answer for longer than the client is patient.
        """
        return watching.watch(lambda last: self.events(job_id, last), lambda: self.get(job_id), after)

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait for a job's end, good or bad.

        Args:
            job_id: The job.
            timeout_s: How long; without end if not given.

        Returns:
            The job; its state tells how it ended.

        Raises:
            Unavailable: It had not ended in time.
        """
        give_up_at = time.monotonic() + timeout_s if timeout_s is not None else float("inf")
        delay_s = _FIRST_POLL_S
        while (job := self.get(job_id)).state not in ENDED:
            if time.monotonic() + delay_s > give_up_at:
                raise Unavailable(f"job {job_id} is {job.state} after {timeout_s} s", hint="It goes on; wait longer.")
            time.sleep(delay_s)
            delay_s = min(delay_s * 1.5, _MAX_POLL_S)
        return job

    def artifacts(self, job_id: str) -> Iterator[Artifact]:
        """List the files that a job has made."""
        return self._transport.items(_path(job_id, "artifacts"), Artifact)

    def download(self, job_id: str, name: str, path: Path, on_bytes: OnBytes | None = None) -> Path:
        """Fetch a file that a job has made; it is checked by its hash, and goes on where it was cut off.

        Args:
            job_id: The job.
            name: The artifact.
            path: Where to put it: a file, or a folder for a file of the artifact's name.
            on_bytes: Told how many bytes are there.

        Raises:
            NotFound: The job has not made it.
        """
        artifact = next((made for made in self.artifacts(job_id) if made.name == name), None)
        if artifact is None:
            raise NotFound(f"job {job_id} has made no {name}", hint=f"See asl job artifacts {job_id}")
        target = path / name if path.is_dir() else path
        sizes: dict[str, Any] = {"sha256": artifact.sha256, "size_bytes": artifact.size_bytes}
        return download.download(self._transport, _path(job_id, "artifacts", name), target, on_bytes=on_bytes, **sizes)


class _Chain(BaseModel):
    jobs: tuple[Job, ...]


def _path(*names: str) -> str:
    return "/".join([_JOBS, *map(segment, names)])
