"""The whole platform as processes, in both ways in which it runs: on one machine, and on Postgres, Redis and S3."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import httpx
from server_process import Server
from servers import PostgresServer, RedisServer, S3Server

from asl.infra import schema
from asl.infra.database import Database


class PlatformProcess(Server):
    """One of our own programs; ready when its log says so."""

    def __init__(self, program, environment, says):
        super().__init__()
        self._program, self._says = program, says
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ASL_")}
        landmarker = {k: v for k, v in os.environ.items() if k == "ASL_HAND_LANDMARKER_PATH"}
        self._environment = kept | landmarker | {"ASL_LOG_JSON": "true"} | environment

    def _command(self):
        return [sys.executable, *self._program]

    def _process_options(self):
        return {"env": self._environment}

    def kill_alone(self):
        """Kill the process itself; those that it has started must notice."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _is_ready(self):
        started = self.log.rpartition("\n--- started\n")[2]
        return self._says in started

    def start(self):
        if not self.is_running:
            with (self.folder / "server.log").open("a") as log:
                log.write("\n--- started\n")
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
            "OMP_NUM_THREADS": "1",
        } | settings
        self.servers: list[Server] = []
        self.processes: list[PlatformProcess] = []
        self.url = ""
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(self.settings["ASL_DATABASE_URL"])
        return self._database

    def client(self, **kwargs) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **kwargs)

    def start_gateway(self) -> PlatformProcess:
        process = self._add(["-m", "uvicorn", "--factory", "services.gateway.app:create_app"], "Application startup")
        process._program += ["--port", str(process.port), "--timeout-graceful-shutdown", "5"]
        process.start()
        self.url = f"http://127.0.0.1:{process.port}"
        return process

    def _add(self, program, says, **environment) -> PlatformProcess:
        process = PlatformProcess(program, self.settings | environment, says)
        self.processes.append(process)
        return process

    def _start(self, program, says, **environment) -> PlatformProcess:
        process = self._add(program, says, **environment)
        process.start()
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

    def wait_until_ended(self, job_id: str, timeout_s: float = 60) -> dict:
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

    def __init__(self, folder: Path, **settings: str):
        super().__init__(folder, **settings)
        self.settings["ASL_DATABASE_URL"] = f"sqlite:///{folder}/home/asl.db"

    def start_worker(self, queues="cpu,gpu", **environment) -> PlatformProcess:
        return self._start(["-m", "services.worker", "-Q", queues], "worker ready", **environment)

    def start(self):
        self.start_gateway()
        self.start_worker()
        return self


class FullStack(Platform):
    """Postgres, Redis, S3, Celery workers and a dispatcher."""

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

    def start_worker(self, queues="cpu,gpu", **environment) -> PlatformProcess:
        program = ["-m", "celery", "-A", "services.worker.celery_app", "worker", "-Q", queues]
        program += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self._start(program, "worker ready", **environment)

    def start_dispatcher(self) -> PlatformProcess:
        return self._start(["-m", "services.worker.dispatcher"], "dispatcher ready")

    def start(self, n_workers=1):
        self.start_gateway()
        self.start_dispatcher()
        for _ in range(n_workers):
            self.start_worker()
        return self
