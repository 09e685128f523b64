"""The whole platform as processes, in both ways in which it runs: on one machine, and on Postgres, Redis and S3."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import httpx
from guardian import family
from server_process import Server
from servers import PostgresServer, RedisServer, S3Server

from asl.infra import schema
from asl.infra.database import Database
from asl.infra.storage import Storage, open_storage

_STARTED = "\n--- started\n"


class PlatformProcess(Server):
    """One of our own programs; ready when its log says so."""

    def __init__(self, program, environment, says):
        super().__init__()
        self._program, self._says, self._is_awaited = program, says, True
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ASL_")}
        landmarker = {k: v for k, v in os.environ.items() if k == "ASL_HAND_LANDMARKER_PATH"}
        self._environment = kept | landmarker | {"ASL_LOG_JSON": "true"} | environment

    def _command(self):
        return [sys.executable, *(word.format(port=self.port) for word in self._program)]

    def _process_options(self):
        return {"env": self._environment}

    @property
    def pid(self):
        return self._process.pid

    @property
    def is_at_work(self):
        """Whether it runs and has said that it is ready; one that is frozen counts too."""
        return self.is_running and self._is_ready()

    @property
    def job_pids(self):
        """The processes of a worker's jobs: the server that they are forked from is its child, they are not."""
        return [pid for pid in family(self.pid)[1:] if _parent_of(pid) not in (None, self.pid)]

    @property
    def stray_pids(self):
        """Processes that outlived the one that started them; all have its folder as their working directory."""
        own = family(self.pid) if self.is_running else []
        return [pid for pid in _pids_in(self.folder) if pid not in own]

    def kill_alone(self):
        """Kill the process itself; those that it has started must notice."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def launch(self):
        """Start it, and do not wait until it is ready, which it may not be while a server is away."""
        self._is_awaited = False
        try:
            self.start()
        finally:
            self._is_awaited = True

    def wait_until_ready(self, timeout_s=180):
        deadline = time.monotonic() + timeout_s
        while not self.is_at_work:
            assert time.monotonic() < deadline, f"not ready\n{self.log[-3000:]}"
            time.sleep(0.05)

    def _is_ready(self):
        started = self.log.rpartition(_STARTED)[2]
        return not self._is_awaited or self._says in started

    def start(self):
        if not self.is_running:
            with (self.folder / "server.log").open("a") as log:
                log.write(_STARTED)
        super().start()


class Platform:
    """Servers and processes of one platform; close it at the end."""

    def __init__(self, folder: Path, **settings: str):
        self.folder = folder
        self.settings = {
            "ASL_HOME": str(folder / "home"),
            "ASL_LEASE_S": "5",
            "ASL_WORKER_SLOTS": "2",
            "ASL_RECOGNITION_THREADS": "1",
            "ASL_JOB_NICENESS": "0",  # the tests beside would starve them
            "OMP_NUM_THREADS": "1",
        } | settings
        self.servers: list[Server] = []
        self.processes: list[PlatformProcess] = []
        self.gateway: PlatformProcess | None = None
        self.workers: list[PlatformProcess] = []
        self.url = ""
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(self.settings["ASL_DATABASE_URL"])
        return self._database

    @property
    def storage(self) -> Storage:
        """The artifacts, as the processes see them."""
        url = self.settings.get("ASL_STORAGE_URL", f"{self.settings['ASL_HOME']}/artifacts")
        keys = [self.settings.get(f"ASL_STORAGE_{name}_KEY") for name in ("ACCESS", "SECRET")]
        return open_storage(url, *keys)

    def client(self, **kwargs) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **kwargs)

    def add_gateway(self) -> PlatformProcess:
        program = ["-m", "services.gateway", "--port", "{port}"]
        self.gateway = self._add(program, "Application startup")
        self.url = f"http://127.0.0.1:{self.gateway.port}"
        return self.gateway

    def add_worker(self, queues="cpu,gpu", **environment) -> PlatformProcess:
        process = self._add([*self._worker_program, "-Q", queues], "worker ready", **environment)
        self.workers.append(process)
        return process

    def start_gateway(self) -> PlatformProcess:
        return _started(self.add_gateway())

    def start_worker(self, queues="cpu,gpu", **environment) -> PlatformProcess:
        return _started(self.add_worker(queues, **environment))

    def start(self, n_workers=1):
        self._add_all(n_workers)
        self.launch()
        for process in self.processes:
            process.wait_until_ready()
        return self

    def launch(self):
        """Start all processes side by side, and do not wait until they are ready."""
        for process in self.processes:
            process.launch()

    def stop(self):
        """End all processes; the servers stay."""
        for process in self.processes:
            process.stop()

    _worker_program: tuple[str, ...]

    def _add_all(self, n_workers):
        self.add_gateway()
        for _ in range(n_workers):
            self.add_worker()

    def _add(self, program, says, **environment) -> PlatformProcess:
        process = PlatformProcess(program, self.settings | environment, says)
        self.processes.append(process)
        return process

    def close(self):
        for part in (*reversed(self.processes), *reversed(self.servers)):
            with contextlib.suppress(Exception):
                part.close()
        if self._database is not None:
            self._database.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def wait_until_ended(self, job_id: str, timeout_s: float = 180) -> dict:
        deadline = time.monotonic() + timeout_s
        with self.client() as client:
            while True:
                job = client.get(f"/api/v1/jobs/{job_id}").json()
                if job["state"] in ("succeeded", "failed", "cancelled"):
                    return job
                assert time.monotonic() < deadline, f"{job}\n{self.logs()}"
                time.sleep(0.05)

    def logs(self) -> str:
        return "\n".join(process.log[-3000:] for process in self.processes)


class OneMachine(Platform):
    """SQLite, a folder and a local worker."""

    _worker_program = ("-m", "services.worker")

    def __init__(self, folder: Path, **settings: str):
        super().__init__(folder, **settings)
        self.settings["ASL_DATABASE_URL"] = f"sqlite:///{folder}/home/asl.db"


class FullStack(Platform):
    """Postgres, Redis, S3, Celery workers and a dispatcher."""

    _worker_program = ("-m", "celery", "-A", "services.worker.celery_app", "worker", "--without-gossip",
                       "--without-mingle", "--without-heartbeat")  # fmt: skip

    def __init__(self, folder: Path, **settings: str):
        super().__init__(folder, **settings)
        self.postgres, self.redis, self.s3 = PostgresServer(), RedisServer(), S3Server()
        self.servers = [self.postgres, self.redis, self.s3]
        for server in self.servers:
            server.start()
        self.settings |= {
            "ASL_DATABASE_URL": self.postgres.create_database(),
            "ASL_STORAGE_URL": self.s3.storage_url(self.s3.create_bucket()),
            "ASL_STORAGE_ACCESS_KEY": self.s3.access_key,
            "ASL_STORAGE_SECRET_KEY": self.s3.secret_key,
            "ASL_REDIS_URL": self.redis.url,
            "ASL_REQUIRE_KEY": "false",
        } | settings
        schema.upgrade(self.database)

    def add_dispatcher(self) -> PlatformProcess:
        self.dispatcher = self._add(["-m", "services.worker.dispatcher"], "dispatcher ready")
        return self.dispatcher

    def start_dispatcher(self) -> PlatformProcess:
        return _started(self.add_dispatcher())

    def _add_all(self, n_workers):
        super()._add_all(n_workers)
        self.add_dispatcher()


def _started(process):
    process.start()
    return process


def _parent_of(pid):
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _pids_in(folder):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found += [int(entry.name)] if (entry / "cwd").readlink() == folder else []
    return found
