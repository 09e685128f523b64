"""What a page of a long list of jobs costs over HTTP on Postgres, and what the database takes of it; prints one table.

Run: python tests/bench/bench_job_list.py [--jobs 10000] [--rounds 200]

Beside the tenant's jobs there are 10 divided extractions with 500 parts each, half of them at work, and another tenant
with as many jobs. Pages are asked for anywhere in the list.
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from job_service import new_tenant, served
from servers import PostgresServer, S3Server
from sqlalchemy import insert, text

from asl.contracts import SHARD_SIZE, ExtractionRequest, JobKind, JobState, Queue
from asl.infra import job_views, pages, tables

TARGET_MS = 50.0
N_DIVIDED, N_PARTS = 10, 500
STATES = (JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.FAILED, JobState.QUEUED, JobState.RUNNING)
REQUEST = {"kind": "training", "data": [{"job": "0" * 32}], "depends_on": [], "options": {"epochs": 100, "seed": 42}}


class Servers:
    """Stands in for pytest's `request`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def getfixturevalue(self, name: str) -> object:
        return self._stack.enter_context({"postgres_server": PostgresServer, "s3_server": S3Server}[name]())


def fill(service, tenant: str, n_jobs: int) -> None:
    """Add jobs over a day, and divided ones among them."""
    start = time.time() - 86_400
    rows = [
        {
            "tenant": owner,
            "submitted_by": "bench",
            "kind": JobKind.TRAINING,
            "name": f"run {n % 100}",
            "queue": Queue.GPU,
            "state": STATES[n % len(STATES)],
            "request": REQUEST,
            "result": {"val_accuracy": 0.9, "files": ["best_model.pt"] * 5},
            "progress": {"done": n % 100, "total": 100, "unit": "epochs"},
            "created_at": start + n * 86_400 / n_jobs,
        }
        for owner in (tenant, new_tenant())
        for n in range(n_jobs)
    ]
    with service.database.transaction() as session:
        session.execute(insert(tables.Job), rows)
    for n in range(N_DIVIDED):
        dataset = service.add_dataset(tenant, f"hands {n}", n_samples=N_PARTS * SHARD_SIZE)
        service.submit(tenant, ExtractionRequest(dataset=dataset, version=1), limit=n_jobs * 2)
    with service.database.transaction() as session:
        half = "update job set state = 'succeeded' where parent_id is not null and shard % 2 = 0"
        session.execute(text(half))
    with service.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("analyze"))


def cursors(service, tenant: str, n: int) -> list[str | None]:
    """Return the beginning of the list, and places all over it."""
    with service.database.reading() as session:
        found = session.execute(
            text(
                "select created_at, id from job where tenant = :tenant and parent_id is null order by md5(id) limit :n"
            ),
            {"tenant": tenant, "n": n - n // 4},
        ).all()
    return [None] * (n // 4) + [pages.encode(created_at, job_id) for created_at, job_id in found]


def p95_ms(seconds: list[float]) -> tuple[float, float]:
    return 1000 * statistics.median(seconds), 1000 * statistics.quantiles(seconds, n=20)[-1]


def measure(service, tenant: str, rounds: int) -> dict[str, tuple[float, float]]:
    """Take turns between the kinds of calls."""
    found: dict[str, list[float]] = {
        name: [] for name in ("page of 50", "state=failed", "page of 500", "database alone")
    }
    with service.client(tenant) as client:
        for cursor in cursors(service, tenant, rounds):
            place = {"cursor": cursor} if cursor else {}
            for name, params in {
                "page of 50": {},
                "state=failed": {"state": "failed"},
                "page of 500": {"limit": 500},
            }.items():
                begun = time.perf_counter()
                answer = client.get("/jobs", params=params | place)
                found[name].append(time.perf_counter() - begun)
                assert answer.status_code == 200, answer.text
            begun = time.perf_counter()
            with service.database.reading() as session:
                job_views.page(session, tenant, job_views.Filters(), limit=50, cursor=cursor)
            found["database alone"].append(time.perf_counter() - begun)
    return {name: p95_ms(seconds) for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(served("postgres", Servers(stack), folder))
        tenant = new_tenant()
        fill(service, tenant, given.jobs)
        measured = measure(service, tenant, given.rounds)
    print(f"{given.jobs:,} jobs of the tenant, {N_DIVIDED * N_PARTS:,} parts; {given.rounds} calls each")
    print(f"{'':16} {'p50 ms':>8} {'p95 ms':>8}")
    for name, (p50, p95) in measured.items():
        print(f"{name:16} {p50:8.1f} {p95:8.1f}")
    p95 = measured["page of 50"][1]
    print(f"target: a page of 50 within {TARGET_MS:g} ms at p95: {'kept' if p95 <= TARGET_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
