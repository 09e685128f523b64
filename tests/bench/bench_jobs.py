"""How soon a job begins and ends, beside a bare Celery round trip, and what a second worker brings; prints tables.

Run: python tests/bench/bench_jobs.py [--jobs 40] [--photos 2000] [--rounds 2]

Everything is real: gateway, dispatcher, Celery workers, Postgres, Redis, an S3 front end; jobs are submitted and polled
over HTTP. Bare Celery and ours take turns in the same run. The workers of the second table have a core each; gateway,
database and store share these cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import redis  # noqa: E402 - the path comes first
from bench_recognition import load_photographs  # noqa: E402
from platforms import FullStack  # noqa: E402
from sqlalchemy import select  # noqa: E402

from asl.client import Client  # noqa: E402
from asl.contracts import SHARD_SIZE, ExtractionRequest, JobState, ProbeRequest  # noqa: E402
from asl.infra.tables import Job  # noqa: E402

ALLOWED_START_S, ALLOWED_END_S, WANTED_SPEEDUP = 0.3, 0.4, 1.7


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    with FullStack(Path(tempfile.mkdtemp(prefix="asl-bench-")), ASL_WORKER_SLOTS="1") as platform:
        platform.start()
        measure_latency(platform, chosen.jobs)
        measure_workers(platform, chosen.photos, chosen.rounds)


def measure_latency(platform, n_jobs):
    environment = os.environ | {"BARE_REDIS_URL": platform.redis.url, "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "celery", "-A", "bare_celery", "worker", "-Q", "bare", "-c", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            bare, starts, ends = alternate(platform, n_jobs)
        finally:
            worker.terminate()
    print(f"\n{n_jobs} jobs that do nothing, one at a time, on an idle worker\n")
    print(f"{'':42}{'p50':>9}{'p95':>9}{'allowed p50':>13}")
    for name, seconds, allowed in (
        ("bare Celery: send, run, answer", bare, None),
        ("submitted -> running", starts, ALLOWED_START_S),
        ("submitted -> ended, its artifact stored", ends, ALLOWED_END_S),
    ):
        p95 = statistics.quantiles(seconds, n=20)[-1]
        told = f"{allowed * 1000:10.0f} ms" if allowed else ""
        print(f"{name:42}{statistics.median(seconds) * 1000:6.0f} ms{p95 * 1000:6.0f} ms{told:>13}")


def alternate(platform, n_jobs):
    os.environ["BARE_REDIS_URL"] = platform.redis.url
    import bare_celery  # noqa: PLC0415 - it reads the address when it is imported

    answers = redis.Redis.from_url(platform.redis.url)
    bare, ids, ends = [], [], []
    with Client(platform.url) as client:
        client.jobs.wait(client.jobs.submit(ProbeRequest()).id, timeout_s=60)  # the first one warms up
        for number in range(n_jobs):
            began = time.perf_counter()
            bare_celery.app.send_task(bare_celery.TASK, args=[f"token-{number}"])
            assert answers.blpop([f"token-{number}"], timeout=30)
            bare.append(time.perf_counter() - began)
            began = time.perf_counter()
            ids.append(client.jobs.submit(ProbeRequest(n_steps=0)).id)
            while client.jobs.get(ids[-1]).state != JobState.SUCCEEDED:
                time.sleep(0.01)
            ends.append(time.perf_counter() - began)
            time.sleep(0.2)  # idle again
    with platform.database.reading() as session:
        rows = session.execute(select(Job.started_at - Job.created_at).where(Job.id.in_(ids)))
        starts = [seconds for (seconds,) in rows]
    return bare, starts, ends


def measure_workers(platform, n_photographs, n_rounds):
    photographs = load_photographs(n_photographs)
    with Client(platform.url) as client:
        client.datasets.create("bench")
        for number, data in enumerate(photographs):
            client.datasets.add_image("bench", data, "A", "bench", f"{number}.jpg")
        n_samples = client.datasets.get("bench").n_samples
        print(f"\nextraction of {n_samples} photographs in parts of at most {SHARD_SIZE}, workers on one core each\n")
        platform.workers[0].stop()
        start_pinned(platform, 0)
        ratios = []
        for _ in range(n_rounds):
            one = extract(platform, client)
            second = start_pinned(platform, 1)
            two = extract(platform, client)
            second.close()
            ratios.append(one / two)
            print(f"1 worker {one:6.1f} s   2 workers {two:6.1f} s   {one / two:.2f}x")
    print(f"median {statistics.median(ratios):.2f}x (wanted: {WANTED_SPEEDUP}x; {os.cpu_count()} cores here)")


def start_pinned(platform, core):
    """Start a worker on one core alone, as if it were a machine of its own."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return platform.start_worker()
    finally:
        os.sched_setaffinity(0, cores)


def extract(platform, client):
    job = client.jobs.submit(ExtractionRequest(dataset="bench"))
    began = time.perf_counter()
    ended = client.jobs.wait(job.id, timeout_s=600)
    assert ended.state == JobState.SUCCEEDED, ended.error
    with platform.database.transaction() as session:  # the next one is to be extracted anew
        session.get(Job, job.id).fingerprint = None
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
