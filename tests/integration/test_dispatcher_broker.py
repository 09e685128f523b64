"""What a dispatcher with nothing to ring for says of Redis is what it has seen."""

import os
import subprocess
import sys
import time

import pytest
from servers import RedisServer

from asl.infra import components, schema
from asl.infra.database import Database


@pytest.fixture
def redis():
    with RedisServer() as server:
        server.start()
        yield server


def says(database):
    with database.reading() as session:
        return [component.detail["broker_ok"] for component in components.alive(session)]


def wait_until_it_says(database, expected, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while says(database) != [expected]:
        assert time.monotonic() < deadline, f"expected {expected}, found {says(database)}"
        time.sleep(0.1)


def test_an_idle_dispatcher_says_that_redis_is_away_for_as_long_as_it_is(redis, tmp_path):
    url = f"sqlite:///{tmp_path}/asl.db"
    database = Database(url)
    schema.upgrade(database)
    settings = {"ASL_DATABASE_URL": url, "ASL_REDIS_URL": redis.url, "ASL_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "services.worker.dispatcher"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL) as dispatcher:
        try:
            wait_until_it_says(database, True)
            redis.stop()
            wait_until_it_says(database, False)
            for _ in range(80):
                assert says(database) == [False]
                time.sleep(0.1)
            redis.start()
            wait_until_it_says(database, True)
        finally:
            dispatcher.terminate()
    database.close()
