"""Workers and dispatchers touch a file while they work, by whose age a container's health is judged."""

import os
import subprocess
import sys
import time

from services.worker.loops import note_alive

AWAY = "127.0.0.1:1"


def test_the_dispatcher_touches_it_though_database_and_redis_are_away(tmp_path):
    file, seen, deadline = tmp_path / "alive", set(), time.monotonic() + 180
    settings = {
        "ASL_DATABASE_URL": f"postgresql://asl@{AWAY}/none",
        "ASL_REDIS_URL": f"redis://{AWAY}/0",
        "ASL_HOME": str(tmp_path),
        "ASL_ALIVE_FILE": str(file),
    }
    command = [sys.executable, "-m", "services.worker.dispatcher"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL) as dispatcher:
        while len(seen) < 2 and time.monotonic() < deadline:
            seen |= {file.stat().st_mtime_ns} if file.exists() else set()
            time.sleep(0.05)
        dispatcher.terminate()

    assert len(seen) == 2
    assert dispatcher.returncode == 0


def test_a_file_that_cannot_be_touched_stops_nothing(tmp_path):
    note_alive(tmp_path / "nowhere" / "alive")
    note_alive(None)
