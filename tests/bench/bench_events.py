"""How long a job's past takes to come over HTTP: 10,000 epochs of a training that has ended.

python tests/bench/bench_events.py
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from server_process import free_port

from asl.contracts import EventKind
from asl.infra import tables
from asl.infra.database import Database

_N_EPOCHS = 10_000
_ROUNDS = 3
_FIGURES = {
    "learning_rate": 0.001,
    "train_accuracy": 0.91,
    "val_accuracy": 0.87,
    "train_loss": 0.3123,
    "val_loss": 0.4123,
}


def main() -> None:
    """Print a line for each round."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", "services.gateway.app:create_app"]
        with (Path(folder) / "server.log").open("w") as log:
            environment = os.environ | {"ASL_HOME": folder, "ASL_RECOGNITION_THREADS": "1"}
            served = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client:
                _wait(client)
                path = f"/api/v1/jobs/{_long_job(client, Path(folder))}/events"
                for _ in range(_ROUNDS):
                    _measure(client, path)
        finally:
            served.terminate()
            served.wait()


def _long_job(client, folder):
    """Have a job that has ended, with the events of a long training; returns its id."""
    job_id = client.post("/api/v1/jobs", json={"kind": "probe"}).raise_for_status().json()["id"]
    database = Database(f"sqlite:///{folder / 'asl.db'}")
    with database.transaction() as session:
        for epoch in range(_N_EPOCHS):
            data = {
                "done": epoch,
                "total": _N_EPOCHS,
                "unit": "epochs",
                "epoch": epoch,
                "learning_rate": 0.001,
            } | _FIGURES
            session.add(tables.JobEvent(job_id=job_id, attempt=1, kind=EventKind.PROGRESS, data=data))
    client.post(f"/api/v1/jobs/{job_id}/cancel").raise_for_status()
    return job_id


def _measure(client, path):
    started, n_messages, n_chunks = time.perf_counter(), 0, 0
    with client.stream("GET", path) as answer:
        for chunk in answer.iter_raw():
            n_messages += chunk.count(b"\n\n")
            n_chunks += 1
    seconds = time.perf_counter() - started
    print(f"{n_messages:,} events in {seconds:.2f} s, {1e6 * seconds / n_messages:.0f} us each, {n_chunks:,} chunks")


def _wait(client):
    for _ in range(600):
        try:
            client.get("/healthz")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(str(client.base_url))


if __name__ == "__main__":
    main()
