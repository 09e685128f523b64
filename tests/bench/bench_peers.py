"""The same recognition behind other servers, on the same machine, with the same photographs and the same load.

Run: python tests/bench/bench_peers.py [--peers litserve bentoml ray] [--rounds 2] [--photos 24] [--seconds 4]

What they do is this project's own: decode, find the hand, name the letter (tests/bench/peers). Each is installed once,
into an environment of its own in the user's cache folder that sees this project's packages behind its own. One server
runs at a time, the rest of its processes ended; each round measures all, ours first, and the floor (decode and
landmarker alone) before each. All get photographs as forms. Peers let every call wait; ours refuses those beyond its
queue, which then wait as Retry-After says and count as refused alone: 4 clients is where nothing is refused.
"""

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from bench_recognition import load_photographs, measure_floor, served

from asl.cli.load import Connection, Sample, Target, drive, percentile
from asl.core import landmarker
from asl.core.extraction import HandExtractor
from asl.errors import Unavailable

PEERS = {"litserve": "litserve==0.2.19", "bentoml": "bentoml==1.4.39", "ray": "ray[serve]==2.60.0"}
OURS = "this gateway"
N_CLIENTS = (1, 4, 16)
N_WARM_UP = 16
_FOLDER = Path(__file__).resolve().parent
_ROOT = _FOLDER.parents[1]
_START_S, _END_S = 120, 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--photos", type=int, default=24, help="photographs that one client sends, in each round others"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="how long many clients call")
    options = parser.parse_args()
    environments = {name: environment_of(name) for name in options.peers}
    photographs = load_photographs(options.photos * options.rounds)
    rows: dict[tuple[str, int], list[tuple[Sample, Sample]]] = defaultdict(list)
    with HandExtractor(landmarker.ensure()) as one, HandExtractor(landmarker.ensure()) as two:
        for number in range(options.rounds):
            some = photographs[number * options.photos :][: options.photos]
            for name in (OURS, *options.peers):
                floors = {1: measure_floor(some, [one]), 4: measure_floor(some * 2, [one, two])}
                floors[16] = floors[4]
                with started(name, environments.get(name)) as target:
                    for n_clients in N_CLIENTS:
                        sample = measure(target, some, n_clients, options.seconds)
                        rows[name, n_clients].append((sample, floors[n_clients]))
                        print(
                            f"round {number + 1}: {name}, {n_clients} clients, {sample.per_second:.1f} calls/s",
                            file=sys.stderr,
                        )
    report(rows)


def environment_of(name: str) -> Path:
    """Return a peer's Python, installed where it is not yet."""
    folder, requirement = platformdirs.user_cache_path("asl-platform") / "peers" / name, PEERS[name]
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_text() != requirement:
        print(f"installing {requirement} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--prefer-binary", requirement], check=True)
        packages = next((folder / "lib").glob("python*/site-packages"))
        (packages / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
        installed.write_text(requirement)
    return python


@contextlib.contextmanager
def started(name: str, python: Path | None) -> Iterator[Target]:
    """Run one server until its first answer, and then as long as it is wanted."""
    if python is None:
        with served() as gateway:
            yield gateway.target
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        target = Target("127.0.0.1", probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        server = subprocess.Popen(
            command_of(name, python, target.port),
            cwd=folder,
            env=surroundings(folder),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for_answer(target, server, Path(folder) / "log")
            yield target
        finally:
            end(server)


def command_of(name: str, python: Path, port: int) -> list[str]:
    if name == "bentoml":
        serve = ["-m", "bentoml", "serve", "bentoml_peer:Recognition", "--working-dir", str(_FOLDER / "peers")]
        return [str(python), *serve, "--host", "127.0.0.1", "--port", str(port)]
    return [str(python), str(_FOLDER / "peers" / f"{name}_peer.py"), "--port", str(port)]


def surroundings(folder: str) -> dict[str, str]:
    """Return an environment in which peers find this project, keep to a folder, and tell nobody of their use."""
    paths = [str(_FOLDER / "peers"), str(_ROOT / "shared")]
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    return os.environ | quiet | {"PYTHONPATH": os.pathsep.join(paths), "BENTOML_HOME": folder, "OMP_NUM_THREADS": "1"}


def wait_for_answer(target: Target, server: subprocess.Popen[bytes], log: Path) -> None:
    request, deadline = target.form(load_photographs(1)[0]), time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(Unavailable), contextlib.closing(Connection(target)) as connection:
            if connection.call(request).status == 200:
                return
        time.sleep(0.2)
    sys.exit(f"{server.args} did not answer\n{log.read_text()[-3000:]}")


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server and all that it has started."""
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(_END_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def measure(target: Target, photographs: list[bytes], n_clients: int, seconds: float) -> Sample:
    requests = [target.form(photograph) for photograph in photographs]
    drive(target, requests, n_clients=min(n_clients, 4), n_calls=N_WARM_UP)
    if n_clients == 1:
        return drive(target, requests, n_calls=len(requests))
    return drive(target, requests, n_clients=n_clients, seconds=seconds)


def report(rows: dict[tuple[str, int], list[tuple[Sample, Sample]]]) -> None:
    print(f"{'':14}{'clients':>8}{'p50 ms':>9}{'p99 ms':>9}{'calls/s':>9}{'refused':>9}{'of the floor':>14}")
    for (name, n_clients), pairs in rows.items():
        whole = Sample()
        for sample, _ in pairs:
            whole.add(sample)
        if n_clients == 1:  # p50 against p50, in one thread
            ratio = statistics.median(statistics.median(a.seconds) / statistics.median(b.seconds) for a, b in pairs)
        else:
            ratio = statistics.median(a.per_second / b.per_second for a, b in pairs)
        p50, p99 = (percentile(whole.seconds, rank) * 1000 for rank in (0.5, 0.99))
        print(
            f"{name:14}{n_clients:8}{p50:9.1f}{p99:9.1f}{whole.per_second:9.1f}{len(whole.refused_s):9,}{ratio:14.2f}"
        )
        if whole.failed:
            sys.exit(f"expected 200 or 503, found {dict(whole.failed)}")


if __name__ == "__main__":
    main()
