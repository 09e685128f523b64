"""Faults: each is a function that makes a function of a storm, which disturbs it until its jobs have ended."""

import os
import platform as machine
import signal
import time
from contextlib import contextmanager, suppress

from storm import Kill


def kill_workers(every_s, n_spared=0):
    """Kill one worker after the other: with its whole family, or alone, so that its jobs' processes must notice.

    Args:
        every_s: Pause between two kills.
        n_spared: None is killed unless so many others are at work: they are there to take the jobs over.
    """

    def act(storm):
        while storm.goes_on(every_s):
            with storm.lock:
                if len(at_work := _at_work(storm)) > n_spared:
                    kill_worker(storm, storm.random.choice(at_work), alone=storm.random.random() < 0.5)

    return act


def kill_worker(storm, worker, *, alone):
    """Kill a worker that runs, and note when; the storm's lock is held."""
    storm.hits["worker killed"] += 1
    storm.kills.append(Kill(f"{machine.node()}-{worker.pid}", time.time()))
    worker.kill_alone() if alone else worker.kill()


def kill_process(process, name, every_s):
    """Kill one of the platform's processes now and then; it is started again as all are."""

    def act(storm):
        while storm.goes_on(every_s):
            with storm.lock:
                if process.is_running:
                    process.kill()
                    storm.hits[f"{name} killed"] += 1

    return act


def kill_server(server, name, every_s, down_s=1.0):
    """Kill a server now and then, and start it again."""

    def act(storm):
        while storm.goes_on(every_s):
            server.kill()
            time.sleep(down_s)
            server.start()
            storm.hits[f"{name} killed"] += 1

    return act


def restart_server(server, name, n_times, every_s, down_s=0.5):
    """Restart a server a number of times, whatever the jobs do: in turns as an operator does, and hard."""

    def act(storm):
        storm.goes_on(every_s)
        for number in range(n_times):
            server.stop() if number % 2 == 0 else server.kill()
            time.sleep(down_s)
            server.start()
            storm.hits[f"{name} restarted"] += 1
            time.sleep(every_s)

    return act


def freeze_workers(n_workers, after_s, for_s):
    """Freeze some workers past their lease, once; they wake up with writes that come too late."""

    def act(storm):
        if storm.goes_on(after_s):
            with storm.lock:
                storm.frozen |= set(_at_work(storm)[:n_workers])
                for worker in storm.frozen:
                    worker.pause()
            time.sleep(for_s)
            with storm.lock:
                for worker in storm.frozen:
                    worker.resume()
                storm.hits["worker frozen"] += len(storm.frozen)
                storm.frozen.clear()

    return act


@contextmanager
def frozen(server):
    """Freeze a server for the time of a block."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


def kill_anything(every_s, n_spared=0):
    """Kill a job's process, a worker alone or the gateway, at random; of workers so many are left as said."""

    def act(storm):
        while storm.goes_on(every_s):
            with storm.lock:
                _kill_one(storm, n_spared)

    return act


def _at_work(storm):
    """Return the workers that could be hit now; who is frozen is to wake up."""
    return [worker for worker in storm.platform.workers if worker.is_at_work and worker not in storm.frozen]


def _kill_one(storm, n_spared):
    at_work = _at_work(storm)
    victims = {
        "job": [pid for worker in at_work for pid in worker.job_pids],
        "worker": at_work if len(at_work) > n_spared else [],
        "gateway": [gateway for gateway in [storm.platform.gateway] if gateway.is_at_work],
    }
    kinds = [kind for kind, found in victims.items() if found]
    match storm.random.choice(kinds) if kinds else None:
        case "job":
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(storm.random.choice(victims["job"]), signal.SIGKILL)
                storm.hits["job process killed"] += 1
        case "worker":
            kill_worker(storm, storm.random.choice(at_work), alone=True)
        case "gateway":
            storm.platform.gateway.kill()
            storm.hits["gateway killed"] += 1
