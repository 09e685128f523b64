"""Figures of the database for Prometheus, read when they are asked for."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from asl.contracts import ENDED, JobKind, JobState, Queue
from asl.errors import AslError
from asl.infra import job_metrics, schema
from asl.infra.database import Database

_FRESH_S: Final = 5.0
_PATIENCE_S: Final = 2.0
"""How long a scrape waits for the database."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Read:
    figures: job_metrics.JobFigures
    n_takeovers: int
    n_fenced: int
    at: float


class JobCollector(Collector):
    """Reads the database once in a while, however many ask; collects nothing while it is away."""

    def __init__(self, database: Database, *, fresh_s: float = _FRESH_S) -> None:
        """Prepare.

        Args:
            database: Where the jobs are.
            fresh_s: How long figures are told again before they are read anew.
        """
        self._database, self._fresh_s = database, fresh_s
        self._takeovers = job_metrics.TakeoverCount()
        self._fenced: dict[str, int] = {}
        self._latest: _Read | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()

    def describe(self) -> Iterator[Metric]:
        """Tell nothing beforehand, so that registering does not query."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; only `asl_database_up` where there are none."""
        read = self._read_lately()
        yield GaugeMetricFamily("asl_database_up", "Whether the figures of jobs could be read.", value=bool(read))
        if read is not None:
            yield from _families(read)

    def _read_lately(self) -> _Read | None:
        with self._lock:
            asked_at = time.monotonic()
            if self._latest and asked_at - self._latest.at < self._fresh_s:
                return self._latest
            if self._reader is None or not self._reader.is_alive():
                # A thread for each: one that hangs at a frozen database keeps neither a scrape nor the end waiting.
                self._reader = threading.Thread(target=self._read, daemon=True, name="job-metrics")
                self._reader.start()
            reader = self._reader
        reader.join(_PATIENCE_S)
        return self._latest if self._latest and self._latest.at >= asked_at else None

    def _read(self) -> None:
        try:
            schema.check_current(self._database)
            with self._database.reading() as session:
                figures, n_takeovers = job_metrics.read(session), self._takeovers.read(session)
        except AslError as error:
            _log.warning("no figures of jobs", why=error.message)
            return
        # A worker that ended is forgotten, but what it has counted is not.
        for worker, n_fenced in figures.n_fenced.items():
            self._fenced[worker] = max(n_fenced, self._fenced.get(worker, 0))
        self._latest = _Read(figures, n_takeovers, sum(self._fenced.values()), time.monotonic())


def _families(read: _Read) -> Iterator[Metric]:
    figures = read.figures
    yield from _job_families(figures.n_jobs)
    oldest = GaugeMetricFamily(
        "asl_job_oldest_queued_seconds", "Age of the oldest queued job; 0 where none is.", labels=["queue"]
    )
    workers = GaugeMetricFamily("asl_workers", "Workers that were heard of lately.", labels=["queue"])
    for queue in Queue:
        oldest.add_metric([queue], figures.oldest_queued_s.get(queue, 0.0))
        workers.add_metric([queue], figures.n_workers[queue])
    yield oldest
    yield workers
    yield CounterMetricFamily(
        "asl_job_takeovers", "Jobs taken back from workers that fell silent.", value=read.n_takeovers
    )
    yield CounterMetricFamily("asl_job_fenced_writes", "Late writes of workers that were refused.", value=read.n_fenced)
    yield GaugeMetricFamily(
        "asl_webhooks_pending", "Webhooks that are still to be delivered.", value=figures.n_webhooks_pending
    )


def _job_families(n_jobs: Mapping[tuple[Queue, JobKind, JobState], int]) -> Iterator[Metric]:
    unfinished = GaugeMetricFamily("asl_jobs", "Jobs that have not ended.", labels=["queue", "state"])
    for queue in Queue:
        for state in sorted(set(JobState) - ENDED):
            n = sum(n for (at, _, found), n in n_jobs.items() if (at, found) == (queue, state))
            unfinished.add_metric([queue, state], n)
    yield unfinished
    ended = CounterMetricFamily("asl_jobs_ended", "Jobs that have ended.", labels=["kind", "state"])
    for kind in JobKind:
        for state in sorted(ENDED):
            n = sum(n for (_, found, end), n in n_jobs.items() if (found, end) == (kind, state))
            ended.add_metric([kind, state], n)
    yield ended
