"""Whether the gateway's memory and descriptors stay flat over 100,000 calls; prints both as it goes.

Run: python tests/bench/soak.py [--calls 100000] [--photographs 0.2]

Four clients send photographs (forms and raw bodies in turn) and landmarks, mixed; every 20th photograph is cut off and
must be refused. After a tenth of the calls the gateway counts as warm; growth is told from there on.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from bench_recognition import Gateway, load_photographs, rendered_landmarks, served

from asl.cli.load import Sample, drive

N_PARTS = 20
N_CLIENTS = 4
N_PHOTOGRAPHS = 200
ALLOWED_GROWTH = 0.05
_DAMAGED_EVERY = 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--photographs", type=float, default=0.2, help="their share; the rest are landmarks")
    options = parser.parse_args()
    n_photographs = round(options.calls * options.photographs / N_PARTS)
    n_landmarks = options.calls // N_PARTS - n_photographs
    photographs = load_photographs(N_PHOTOGRAPHS)
    with served() as gateway:
        target = gateway.target
        builders = (target.form, target.raw)
        requests = [
            builders[number % 2](picture[:2000] if number % _DAMAGED_EVERY == 0 else picture)
            for number, picture in enumerate(photographs)
        ]
        hands = [target.landmarks(hand) for hand in rendered_landmarks()]
        whole, seen = Sample(), [told("start", 0, gateway)]
        for number in range(1, N_PARTS + 1):
            for some, n_calls in ((requests, n_photographs), (hands, n_landmarks)):
                whole.add(drive(target, some, n_clients=N_CLIENTS, n_calls=n_calls))
            seen.append(told(f"{number}/{N_PARTS}", n_calls_of(whole), gateway))
    report(whole, seen)


def told(when: str, n_calls: int, gateway: Gateway) -> tuple[int, int]:
    """Print and return the gateway's resident memory in KiB and its open descriptors."""
    status = Path(f"/proc/{gateway.pid}/status").read_text().split()
    rss_kib = int(status[status.index("VmRSS:") + 1])
    n_descriptors = len(os.listdir(f"/proc/{gateway.pid}/fd"))  # noqa: PTH208 - links that may be gone
    clock = time.strftime("%H:%M:%S")
    print(f"{clock}  {when:6}{n_calls:9,} calls{rss_kib / 1024:9.1f} MiB{n_descriptors:5} descriptors", flush=True)
    return rss_kib, n_descriptors


def n_calls_of(sample: Sample) -> int:
    return len(sample.seconds) + len(sample.refused_s) + sample.failed.total()


def report(whole: Sample, seen: list[tuple[int, int]]) -> None:
    warm, last = seen[N_PARTS // 10], seen[-1]
    growth = last[0] / warm[0] - 1
    print(f"{len(whole.seconds):,} answered, {len(whole.refused_s):,} told to come again, others {dict(whole.failed)}")
    print(f"memory after warming up: {growth:+.1%} (allowed: {ALLOWED_GROWTH:+.0%}); descriptors {last[1] - warm[1]:+}")
    if set(whole.failed) - {422} or growth > ALLOWED_GROWTH:
        sys.exit(1)


if __name__ == "__main__":
    main()
