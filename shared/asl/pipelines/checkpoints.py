"""Where a training can go on from after its worker is gone: the two newest checkpoints, in the store.

What is noted with the job, newest first, and the models `checkpoint_epoch_N.pt` that were written up to there:

    {"checkpoints": [{key, sha256, size_bytes, epoch, metrics_key, metrics_sha256}, ...],
     "files": {name: {key, sha256}}}
"""

import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from asl.core import checkpoint as core_checkpoint
from asl.core.training_data import TrainingData
from asl.core.training_run import METRICS_FILE, TrainingRun
from asl.errors import AslError, Conflict, Stopped
from asl.pipelines.artifacts import key_of
from asl.pipelines.context import Context
from asl.pipelines.files import sha256_of

N_KEPT: Final = 2
FILE: Final = "checkpoint.pt"

DROPPED_AFTER_S: Final = 600.0
_EPOCH_FILES: Final = "checkpoint_epoch_*.pt"


class Checkpoints:
    """Saves a training from time to time, and finds it again."""

    def __init__(self, context: Context, models: Path) -> None:
        """Take up what earlier attempts have noted.

        Args:
            context: The job.
            models: The folder that the training writes to.
        """
        noted = context.claim.checkpoint or {}
        self._context, self._models = context, models
        self._entries: list[dict[str, Any]] = list(noted.get("checkpoints", ()))
        self._files: dict[str, dict[str, str]] = dict(noted.get("files", {}))
        self._saved_at = time.monotonic()
        self._dropped: deque[tuple[float, str]] = deque()

    def restore(self, data: TrainingData) -> Path | None:
        """Fetch the newest checkpoint that is whole, with the metrics beside it; None where there is none.

        Args:
            data: What is trained on; a checkpoint of other data, as another version of ours might prepare it, is none.
        """
        while self._entries:
            entry = self._entries[0]
            try:
                path = self._fetch(entry, data)
            except AslError as error:
                self._context.tell(f"note: the checkpoint of epoch {entry['epoch']} cannot be used: {error.message}")
                self._entries.pop(0)
            else:
                self._fetch_files(entry["epoch"])
                self._context.tell(f"note: going on after epoch {entry['epoch']}")
                return path
        self._files = {}
        return None

    def after_epoch(self, run: TrainingRun) -> None:
        """Save the training where it is time to, or where it is to stop.

        Raises:
            Stopped: The job was told to stop; the training is saved.
            Unavailable: The store cannot be reached.
        """
        is_stopping = self._context.is_stopping()
        if is_stopping or time.monotonic() - self._saved_at >= self._context.settings.checkpoint_s:
            self._save(run)
            self._saved_at = time.monotonic()
        if is_stopping:
            raise Stopped(f"the training was told to stop, and is saved after epoch {run.epoch}")

    def _save(self, run: TrainingRun) -> None:
        path = self._context.folder / FILE
        run.write_checkpoint(path)
        stored, metrics = self._put(path), self._put(self._models / METRICS_FILE)
        for file in self._models.glob(_EPOCH_FILES):
            if file.name not in self._files:
                self._files[file.name] = self._put(file)
        entry = {
            **stored,
            "size_bytes": path.stat().st_size,
            "epoch": run.epoch,
            "metrics_key": metrics["key"],
            "metrics_sha256": metrics["sha256"],
        }
        self._entries.insert(0, entry)
        self._context.save_checkpoint({"checkpoints": self._entries[:N_KEPT], "files": self._files})
        self._drop()

    def _put(self, path: Path) -> dict[str, str]:
        sha256 = sha256_of(path)
        key = key_of(self._context.claim, sha256, path.name)
        self._context.storage.put(key, path, sha256=sha256)
        return {"key": key, "sha256": sha256}

    def _drop(self) -> None:
        """Delete old checkpoints of this job, long after the note that no longer names them was sent.

        It is written down by the worker, and only when the database is there.
        """
        now = time.monotonic()
        for entry in self._entries[N_KEPT:]:
            # One that was retried began from another job's, which may be retried again.
            own = f"jobs/{self._context.claim.job_id}/"
            self._dropped += [(now, key) for key in (entry["key"], entry["metrics_key"]) if key.startswith(own)]
        del self._entries[N_KEPT:]
        while self._dropped and now - self._dropped[0][0] > DROPPED_AFTER_S:
            with suppress(AslError):  # the sweep takes what stays
                self._context.storage.delete(self._dropped.popleft()[1])

    def _fetch(self, entry: Mapping[str, Any], data: TrainingData) -> Path:
        folder = self._context.folder / f"epoch-{entry['epoch']}"
        self._context.storage.get(entry["key"], folder / FILE, sha256=entry["sha256"])
        self._context.storage.get(entry["metrics_key"], folder / METRICS_FILE, sha256=entry["metrics_sha256"])
        found = core_checkpoint.load(folder / FILE)
        if (found.data_digest, found.split_digest) != (data.data_digest, data.split_digest):
            raise Conflict("expected a training with the same data, found one with other data")
        return folder / FILE

    def _fetch_files(self, epoch: int) -> None:
        """Fetch the models written up to an epoch; what is later is trained again."""
        self._files = {name: file for name, file in self._files.items() if _epoch_of(name) <= epoch}
        for name, file in list(self._files.items()):
            try:
                self._context.storage.get(file["key"], self._models / name, sha256=file["sha256"])
            except AslError as error:
                del self._files[name]
                self._context.tell(f"note: {name} is lost: {error.message}")


def _epoch_of(name: str) -> int:
    return int(Path(name).stem.rpartition("_")[2])
