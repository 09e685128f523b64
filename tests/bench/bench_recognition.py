"""What a recognition costs over HTTP, against decoding and the landmarker alone; prints two tables.

Run: python tests/bench/bench_recognition.py [--rounds 12] [--photos 24] [--seconds 2]

The machine is shared, so rounds are short, all variants take turns in each on the same photographs, and ratios are
taken round by round. The gateway is a process of its own; the load is that of `asl bench`, in this process, which does
nothing else meanwhile. Of 16 clients on two cores ten find a place: the others are refused with 503 and wait as
Retry-After says. Refused calls count as nothing but refused: neither their latencies nor their number are in the other
columns. Frames of a moving hand are made of one photograph, and also sent as photographs; those of the stream of
unrelated photographs lose the hand with each, which no camera does.
`measure_floor`, `served` and `load_photographs` also serve other benches.
"""

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import live_load
from films import film

from asl.cli.bench import landmarks_of
from asl.cli.load import Sample, Target, drive, percentile
from asl.core import images, landmarker
from asl.core.extraction import HandExtractor
from asl.core.hand import LETTERS
from asl.core.synthetic.renderer import render_hand

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "images"
STILL, MOVING, PIPELINED = "moving hand, raw", "live, moving hand", "live, pipelined"
N_PIPELINED = 5000
N_FLOOR_TURNS = 4
"""The floor in two threads reads so many turns' photographs a round, to be long enough."""


@dataclass
class Variant:
    """One row of the table."""

    name: str
    run: Callable[[int], Sample]
    rounds: list[Sample] = field(default_factory=list)

    @property
    def whole(self) -> Sample:
        whole = Sample()
        for sample in self.rounds:
            whole.add(sample)
        return whole


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    target: Target
    pid: int


def load_photographs(n: int) -> list[bytes]:
    """Return JPEG files: real photographs, spread over sources and letters, or else rendered hands."""
    paths = sorted(REAL_DATA.glob("*/*/*.jpg")) if REAL_DATA.is_dir() else []
    if paths:
        return [path.read_bytes() for path in paths[:: max(1, len(paths) // n)][:n]]
    rendered = (render_hand(LETTERS[i % len(LETTERS)], seed=i).image for i in range(n))
    return [images.encode_jpeg(image) for image in rendered]


def rendered_landmarks() -> list[dict[str, object]]:
    """Return a hand for each letter, as the landmarks' call takes it."""
    return [landmarks_of(render_hand(letter, seed=seed)) for seed, letter in enumerate(LETTERS)]


def measure_floor(photographs: list[bytes], extractors: list[HandExtractor]) -> Sample:
    """Decode and extract all photographs, in as many threads as there are extractors."""
    idle = list(extractors)

    def one(data: bytes) -> float:
        extractor = idle.pop()
        started = time.perf_counter()
        extractor.extract(images.decode(data))
        idle.append(extractor)
        return time.perf_counter() - started

    started = time.perf_counter()
    with ThreadPoolExecutor(len(extractors)) as pool:
        seconds = list(pool.map(one, photographs))
    return Sample(seconds, wall_s=time.perf_counter() - started)


@contextlib.contextmanager
def served(**settings: str) -> Iterator[Gateway]:
    """Run the gateway on a free port with data of its own, its log written to a file as a service's would be."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "services.gateway", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        environment = os.environ | {"ASL_HOME": f"{folder}/home"} | settings
        with subprocess.Popen(command, env=environment, stderr=log, stdout=log) as server:
            try:
                _wait_until_ready(port)
                yield Gateway(Target("127.0.0.1", port), server.pid)
            finally:
                server.terminate()


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
            return
        time.sleep(0.1)
    sys.exit("the gateway did not get ready; start it by hand to see why")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12, help="rounds, each on other photographs")
    parser.add_argument("--photos", type=int, default=24, help="photographs a round")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long many clients call in a round")
    options = parser.parse_args()
    photographs = load_photographs(options.photos * (options.rounds + N_FLOOR_TURNS))
    extractors = [HandExtractor(landmarker.ensure()) for _ in range(2)]
    with served() as gateway:
        variants = variants_of(gateway.target, photographs, extractors, options.photos, options.seconds)
        for number in range(options.rounds + 1):
            for variant in variants:
                sample = variant.run(max(0, number - 1))
                if number:  # the first round warms everything up
                    variant.rounds.append(sample)
    report({variant.name: variant for variant in variants})


def variants_of(
    target: Target, photographs: list[bytes], extractors: list[HandExtractor], n_photos: int, seconds: float
) -> list[Variant]:
    forms, raws = ([build(photograph) for photograph in photographs] for build in (target.form, target.raw))
    found = rendered_landmarks()
    hands = [target.landmarks(hand) for hand in found]

    def turn(number: int, n_turns: int = 1) -> slice:
        return slice(number * n_photos, (number + n_turns) * n_photos)

    def floor(number: int, n_threads: int, n_turns: int) -> Sample:
        return measure_floor(photographs[turn(number, n_turns)], extractors[:n_threads])

    def one(requests: list[bytes]) -> Sample:
        return drive(target, requests, n_calls=n_photos)

    def many(requests: list[bytes], number: int, n_clients: int) -> Sample:
        return drive(target, requests[turn(number, N_FLOOR_TURNS)], n_clients=n_clients, seconds=seconds)

    pictures = [live_load.image_frame(number, photograph) for number, photograph in enumerate(photographs)]
    films = [film(photograph, n_photos) for photograph in photographs[::n_photos]]
    scenes = [[target.raw(frame) for frame in frames] for frames in films]
    streams = [[live_load.image_frame(number, frame) for number, frame in enumerate(frames)] for frames in films]
    frames = [live_load.landmark_frame(number, found[number % len(found)]) for number in range(N_PIPELINED)]

    def landmarks(n_clients: int) -> Sample:
        return drive(target, hands, n_clients=n_clients, seconds=seconds / 2)

    return [
        Variant("floor, 1 thread", lambda number: floor(number, 1, 1)),
        Variant("form, 1 client", lambda number: one(forms[turn(number)])),
        Variant("raw, 1 client", lambda number: one(raws[turn(number)])),
        Variant("floor, 2 threads", lambda number: floor(number, 2, N_FLOOR_TURNS)),
        Variant("form, 4 clients", lambda number: many(forms, number, 4)),
        Variant("form, 16 clients", lambda number: many(forms, number, 16)),
        Variant("raw, 16 clients", lambda number: many(raws, number, 16)),
        Variant("landmarks, 1 client", lambda _: landmarks(1)),
        Variant("landmarks, 4 clients", lambda _: landmarks(4)),
        Variant(STILL, lambda number: one(scenes[number])),
        Variant(MOVING, lambda number: live_load.one_by_one(target, streams[number])),
        Variant("live, unrelated JPEGs", lambda number: live_load.one_by_one(target, pictures[turn(number)])),
        Variant("live, one by one", lambda _: live_load.one_by_one(target, frames[: N_PIPELINED // 4])),
        Variant(PIPELINED, lambda _: live_load.pipelined(target, frames)),
    ]


def report(variants: dict[str, Variant]) -> None:
    print(f"{'':22}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'calls/s':>9}{'refused':>9}")
    for variant in variants.values():
        whole = variant.whole
        ranks = (0.5, 0.95, 0.99) if variant.name != PIPELINED else ()
        latencies = "".join(f"{percentile(whole.seconds, rank) * 1000:9.2f}" for rank in ranks)
        rate = statistics.median(sample.per_second for sample in variant.rounds)
        print(f"{variant.name:22}{latencies:27}{rate:9.1f}{len(whole.refused_s):9,}")
        if whole.failed:
            sys.exit(f"expected 200 or 503, found {dict(whole.failed)}")
    floor, floor_2 = variants["floor, 1 thread"], variants["floor, 2 threads"]
    print("\nmedians over the rounds")
    for name in ("form, 1 client", "raw, 1 client"):
        _compare(f"p50 {name} / floor", "<= 1.10", variants[name], floor, lambda a, b: _p50(a) / _p50(b))
        _compare(f"p50 {name} - floor, ms", "", variants[name], floor, lambda a, b: (_p50(a) - _p50(b)) * 1000)
    of_a_photograph = f"p50 {MOVING} / {STILL}"
    _compare(of_a_photograph, "< 0.50", variants[MOVING], variants[STILL], lambda a, b: _p50(a) / _p50(b))
    for name in ("form, 4 clients", "form, 16 clients", "raw, 16 clients"):
        aim = "" if "4" in name else ">= 0.90"
        _compare(f"calls/s {name} / floor", aim, variants[name], floor_2, lambda a, b: a.per_second / b.per_second)
    for name in ("form, 16 clients", "raw, 16 clients"):
        queueing = 16 / statistics.median(sample.per_second for sample in floor_2.rounds)
        ratio = percentile(variants[name].whole.seconds, 0.99) / queueing
        print(f"{f'p99 {name} / ideal queue':42}{ratio:9.2f}   to reach: <= 1.50 ({queueing * 1000:.0f} ms)")
    print(
        f"landmarks: to reach are 1,500 calls/s of the gateway's one event loop and 1 ms; {os.cpu_count()} cores here"
    )


def _compare(what: str, aim: str, ours: Variant, floor: Variant, measure: Callable[[Sample, Sample], float]) -> None:
    values = [measure(*pair) for pair in zip(ours.rounds, floor.rounds, strict=True)]
    low, middle, high = statistics.quantiles(values, n=4)
    told = f"to reach: {aim}" if aim else ""
    print(f"{what:42}{middle:9.2f}   quartiles {low:.2f} and {high:.2f}   {told}".rstrip())


def _p50(sample: Sample) -> float:
    return statistics.median(sample.seconds)


if __name__ == "__main__":
    main()
