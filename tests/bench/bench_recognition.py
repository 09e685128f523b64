"""What a recognition costs over HTTP, against decoding and the landmarker alone; prints one table.

Run: python tests/bench/bench_recognition.py [--rounds 50] [--photos 8]

The machine is shared, so rounds are short, all variants take turns in each on the same photographs, and differences are
taken photograph by photograph, ratios round by round. The client is a process of its own that writes ready-made
requests to a socket: it costs the server's cores next to nothing. `measure_floor` and `load_photographs` also serve
the other benches.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from asl.core import images, landmarker
from asl.core.extraction import HandExtractor
from asl.core.synthetic.renderer import render_hand

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "images"
BOUNDARY = "asl-bench-boundary"
ALLOWED_OVERHEAD_MS = 2.0


@dataclass
class Sample:
    """Latencies of one variant in one round, and how long the round took."""

    seconds: list[float]
    wall_s: float

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.wall_s


@dataclass
class Variant:
    """One row of the table."""

    name: str
    run: Callable[[slice], Sample]
    rounds: list[Sample] = field(default_factory=list)


def load_photographs(n: int) -> list[bytes]:
    """Return JPEG files: real photographs, spread over sources and letters, or else rendered hands."""
    paths = sorted(REAL_DATA.glob("*/*/*.jpg")) if REAL_DATA.is_dir() else []
    if paths:
        return [path.read_bytes() for path in paths[:: max(1, len(paths) // n)][:n]]
    letters = "ABCDEFGHIKLMNOPQRSTUVWXY"
    rendered = (render_hand(letters[i % len(letters)], seed=i).image for i in range(n))
    return [images.encode_jpeg(image) for image in rendered]


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
    return Sample(seconds, time.perf_counter() - started)


@contextlib.contextmanager
def served() -> Iterator[int]:
    """Run the gateway on a free port, with its log written to a file as a service's would be."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "services.gateway", "--port", str(port)]
    with Path(os.devnull).open("w") as log, subprocess.Popen(command, stderr=log, stdout=log) as server:
        try:
            _wait_until_ready(port)
            yield port
        finally:
            server.terminate()


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
            return
        time.sleep(0.1)
    sys.exit("the gateway did not get ready; start it by hand to see why")


class Client:
    """The load generator, in a process of its own: told clients and photographs, it answers latencies."""

    def __init__(self, port: int, photographs: list[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--client", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._write(json.dumps([photograph.hex() for photograph in photographs]))

    def run(self, n_clients: int, turn: slice) -> Sample:
        self._write(json.dumps([n_clients, turn.start, turn.stop]))
        assert self._process.stdout
        return Sample(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def client_main(port: int) -> None:
    requests = [_request(bytes.fromhex(text)) for text in json.loads(sys.stdin.readline())]
    for line in sys.stdin:
        n_clients, start, stop = json.loads(line)
        print(json.dumps(_drive(port, requests[start:stop], n_clients)), flush=True)


def _drive(port: int, requests: list[bytes], n_clients: int) -> dict[str, object]:
    waiting, seconds = deque(requests), list[float]()

    def client() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(IndexError):
                while True:
                    request = waiting.popleft()
                    started = time.perf_counter()
                    connection.sendall(request)
                    _read_answer(answers)
                    seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(n_clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": seconds, "wall_s": time.perf_counter() - started}


def _request(photograph: bytes) -> bytes:
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n'
    )
    body = part.encode() + b"\r\n" + photograph + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = "POST /api/v1/asl/recognitions HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _read_answer(answers: BinaryIO) -> None:
    status, length = answers.readline(), 0
    if b" 200 " not in status:
        sys.exit(f"expected 200, found {status!r}")
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answers.read(length)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", type=int, metavar="PORT", help="be the load generator")
    parser.add_argument("--rounds", type=int, default=50, help="rounds, each on other photographs")
    parser.add_argument("--photos", type=int, default=8, help="photographs a round")
    options = parser.parse_args()
    if options.client:
        client_main(options.client)
        return
    photographs = load_photographs(options.photos * (options.rounds + 1))
    extractors = [HandExtractor(landmarker.ensure()) for _ in range(2)]
    with served() as port:
        client = Client(port, photographs)
        variants = [
            Variant("floor, 1 thread", lambda turn: measure_floor(photographs[turn], extractors[:1])),
            Variant("HTTP, 1 client", lambda turn: client.run(1, turn)),
            Variant("floor, 2 threads", lambda turn: measure_floor(photographs[turn], extractors)),
            Variant("HTTP, 4 clients", lambda turn: client.run(4, turn)),
        ]
        for number in range(options.rounds + 1):
            turn = slice(number * options.photos, (number + 1) * options.photos)
            for variant in variants:
                sample = variant.run(turn)
                if number:  # the first round warms everything up
                    variant.rounds.append(sample)
        client.close()
    report(variants)


def report(variants: list[Variant]) -> None:
    print(f"{'':18}{'p50 ms':>9}{'p99 ms':>9}{'calls/s':>9}")
    for variant in variants:
        seconds = sorted(second for sample in variant.rounds for second in sample.seconds)
        p99 = seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
        rate = statistics.median(sample.per_second for sample in variant.rounds)
        print(f"{variant.name:18}{statistics.median(seconds) * 1000:9.1f}{p99 * 1000:9.1f}{rate:9.1f}")
    floor, http, floor_2, http_4 = (variant.rounds for variant in variants)
    overheads = [
        (ours - alone) * 1000
        for ours_round, alone_round in zip(http, floor, strict=True)
        for ours, alone in zip(ours_round.seconds, alone_round.seconds, strict=True)
    ]
    low, middle, high = statistics.quantiles(overheads, n=4)
    rates = [ours.per_second / alone.per_second for ours, alone in zip(http_4, floor_2, strict=True)]
    print(f"\nHTTP - floor, 1 client, photograph by photograph: median {middle:.2f} ms", end="")
    print(f" (quartiles {low:.2f} and {high:.2f}; to reach: <= {ALLOWED_OVERHEAD_MS})")
    print(f"throughput of 4 clients / 2-thread floor, round by round: median {statistics.median(rates):.2f}")


if __name__ == "__main__":
    main()
