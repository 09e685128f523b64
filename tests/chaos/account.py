"""What became of a storm's jobs, from the database and the store."""

import json
import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import select

from asl.contracts import ENDED, EventKind, JobState
from asl.infra import tables
from asl.infra.tables import Job

HEADER = ("fault", "jobs", "lost", "double", "fenced", "takeovers", "recovery p95")
_LATE_WRITES = ("end refused: the job is another's", "job lost to another worker")
_SILENT = "its worker fell silent"
_FILE = "probe.json"
_MAX_COMPLAINTS = 20


@dataclass
class Account:
    """Counts of a storm; all is well where nothing is lost or double and there are no complaints."""

    name: str
    n_jobs: int
    seconds: float
    lost: list[str] = field(default_factory=list)
    """Jobs that were accepted and do not exist, or never ended."""
    double: list[str] = field(default_factory=list)
    """Jobs with two ends or two sets of artifacts, or made twice by one call."""
    n_fenced: int = 0
    """Late writes that were refused."""
    n_takeovers: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    """From the kill of a worker until each of its jobs ran again."""
    complaints: list[str] = field(default_factory=list)

    @property
    def recovery_p95_s(self) -> float | None:
        return percentile(self.recoveries_s, 0.95) if self.recoveries_s else None

    def row(self) -> tuple[str, ...]:
        p95 = f"{self.recovery_p95_s:.1f} s (n = {len(self.recoveries_s)})" if self.recoveries_s else "-"
        counts = (self.n_jobs, len(self.lost), len(self.double), self.n_fenced, self.n_takeovers)
        return (self.name, *map(str, counts), p95)

    def check(self):
        """Fail unless every accepted job has succeeded once."""
        found = (self.lost, self.double, self.complaints[:_MAX_COMPLAINTS])
        assert found == ([], [], []), f"{self}"


def percentile(values, share):
    """Return the smallest value that so many are not above (nearest rank)."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def n_fenced(platform) -> int:
    """Count the late writes that workers found refused, from their logs, which outlive a kill."""
    return sum(process.log.count(said) for process in platform.workers for said in _LATE_WRITES)


def account_of(storm, fenced_before) -> Account:
    """Draw up the account of a storm that is over.

    Args:
        storm: Whose jobs are looked at.
        fenced_before: What `n_fenced` was when it began.
    """
    hits = ", ".join(f"{n} x {what}" for what, n in storm.hits.items())
    account = Account(
        f"{storm.name} ({hits})" if hits else storm.name,
        len(storm.accepted),
        storm.seconds,
        complaints=storm.complaints,
    )
    rows, moves, artifacts = _read(storm)
    account.lost += sorted(set(storm.accepted.values()) - rows.keys())
    account.double += sorted(rows.keys() - set(storm.accepted.values()))  # a call made two, or was not answered
    if len(storm.accepted) != storm.n_jobs:
        account.complaints.append(f"of {storm.n_jobs} calls only {len(storm.accepted)} were accepted")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda row: _check(account, row, moves[row.id], artifacts[row.id], storm), rows.values()))
    account.n_takeovers = sum(move.data.get("why") == _SILENT for told in moves.values() for move in told)
    account.recoveries_s = [s for kill in storm.kills for told in moves.values() for s in _recovery(kill, told)]
    account.n_fenced = n_fenced(storm.platform) - fenced_before
    return account


def _read(storm):
    with storm.platform.database.reading() as session:
        rows = {row.id: row for row in session.scalars(select(Job).where(Job.name == storm.label))}
        moves, artifacts = defaultdict(list), defaultdict(list)
        of_storm = select(Job.id).where(Job.name == storm.label)
        told = select(tables.JobEvent).where(
            tables.JobEvent.kind == EventKind.STATE, tables.JobEvent.job_id.in_(of_storm)
        )
        for event in session.scalars(told.order_by(tables.JobEvent.id)):
            moves[event.job_id].append(event)
        for artifact in session.scalars(select(tables.Artifact).where(tables.Artifact.job_id.in_(of_storm))):
            artifacts[artifact.job_id].append(artifact)
    return rows, moves, artifacts


def _check(account, row, moves, artifacts, storm):
    ends = [move.data["state"] for move in moves if move.data["state"] in ENDED]
    if row.state not in ENDED:
        account.lost.append(row.id)
    elif len(ends) != 1 or len({artifact.attempt for artifact in artifacts}) > 1 or len(artifacts) > 1:
        account.double.append(row.id)
    elif row.state != JobState.SUCCEEDED:
        account.complaints.append(f"job {row.id} has {row.state}: {row.error}")
    else:
        account.complaints.extend(_faults_of_artifact(row, artifacts, storm.platform.storage))


def _faults_of_artifact(row, artifacts, storage):
    if [(artifact.name, artifact.attempt) for artifact in artifacts] != [(_FILE, row.attempt)]:
        return [f"job {row.id} of attempt {row.attempt} has artifacts {[vars(artifact) for artifact in artifacts]}"]
    content = json.loads(b"".join(storage.open(artifacts[0].key)))
    if (content["job"], content["attempt"]) != (row.id, row.attempt):
        return [f"job {row.id} of attempt {row.attempt} has the file of {content}"]
    return []


def _recovery(kill, moves):
    """Yield how long a job that ran in a killed worker took to run again."""
    for place, move in enumerate(moves[:-1]):
        was_there = move.data.get("worker") == kill.worker and move.data["state"] == JobState.RUNNING
        if was_there and move.at <= kill.at < moves[place + 1].at and moves[place + 1].data.get("why") == _SILENT:
            yield from [again.at - kill.at for again in moves[place:] if again.at > kill.at and _runs(again)][:1]


def _runs(move):
    return move.data["state"] == JobState.RUNNING
