import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from guardian import family
from servers import PostgresServer, RedisServer, S3Server

_TESTS = Path(__file__).parents[1]
_RUN = """
import time
from servers import {kind}
server = {kind}()
server.start()
print(server.folder, server._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=[PostgresServer, RedisServer, S3Server])
def kind(request, postgres_server, redis_server, s3_server):  # noqa: ARG001 - skips where one is missing
    return request.param


def test_a_server_comes_back_on_its_port_after_a_kill(kind):
    with kind() as server:
        url = server.url
        server.kill()
        assert not server.is_running
        server.start()
        assert server.is_running
        assert server.url == url
    assert not server.folder.exists()


def test_a_paused_server_can_be_closed(kind):
    with kind() as server:
        server.pause()
    assert not server.is_running


def test_a_killed_run_leaves_no_process_and_no_folder(kind):
    environment = os.environ | {"PYTHONPATH": str(_TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", _RUN.format(kind=kind.__name__)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as run:
        folder, pid = run.stdout.readline().split()
        members = family(int(pid))
        assert members
        run.kill()
    deadline = time.monotonic() + 90
    while Path(folder).exists() or any(family(member) for member in members):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_postgres_has_committed_survives_a_kill(postgres_server):  # noqa: ARG001 - skips where it is missing
    with PostgresServer() as server:
        url = server.create_database().replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        server.kill()
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def test_a_database_is_copied_from_a_template_and_dropped_with_its_sessions(postgres_server):
    template = postgres_server.create_database()
    with psycopg.connect(template.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE t (n int)")
    copy = postgres_server.create_database(template)
    with psycopg.connect(copy.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        postgres_server.drop(copy)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres_server.drop(template)
