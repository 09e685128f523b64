"""What a pipeline is given by the process that it runs in, and what it hands back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asl.contracts import Progress
from asl.infra.database import Database
from asl.infra.jobs import Claim, NewArtifact
from asl.infra.settings import Settings
from asl.infra.storage import Storage


@dataclass(frozen=True)
class Context:
    """A job at work in a process of its own."""

    claim: Claim
    settings: Settings
    database: Database
    """To read from: what is written goes through the supervisor."""
    storage: Storage
    folder: Path
    """Empty, and removed afterwards."""
    tell_progress: Callable[[Progress], None]
    """Cheap; the supervisor decides what is written down. A change of `epoch` and each `trial` always are."""
    tell: Callable[[str], None]
    """A line for the job's log."""
    save_checkpoint: Callable[[Mapping[str, Any]], None]
    """Note where the work can go on from, as JSON; comes back as `claim.checkpoint` in the next attempt."""
    is_stopping: Callable[[], bool]
    """Whether to save a checkpoint and raise `asl.errors.Stopped`."""


@dataclass(frozen=True)
class Outcome:
    """What a job has come to, before its files are stored."""

    result: Mapping[str, Any]
    """JSON, shown to users."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Artifacts by their names."""
    effects: Mapping[str, Any] = field(default_factory=dict)
    """JSON for `asl.pipelines.publishing`: what else is written in the transaction that ends the job."""


@dataclass(frozen=True)
class Finished:
    """What a job has come to, its files stored."""

    result: Mapping[str, Any]
    artifacts: Sequence[NewArtifact]
    effects: Mapping[str, Any]
