"""Faults: each is a function that makes a function of a storm, which disturbs it until its jobs have ended."""

import os
import platform as machine
import signal
import time
from collections import Counter
from contextlib import contextmanager, suppress

from storm import Kill

_N_LOOKS_SPARED = 3


def kill_workers(every_s, n_spared=0):
    """Kill one worker after the other: with its whole family, or alone, so that its jobs' processes must notice.

    Of those with jobs, where there are any: the others have nothing to lose.

    Args:
        every_s: Pause between two kills.
        n_spared: None is killed unless so many others are at work: they are there to take the jobs over.
    """

    def act(storm):
        while storm.goes_on(every_s):
            with storm.lock:
                if len(at_work := _at_work(storm)) > n_spared:
                    busy = [worker for worker in at_work if worker.job_pids]
                    kill_worker(storm, storm.random.choice(busy or at_work), alone=storm.random.random() < 0.5)

    return act


def kill_worker(storm, worker, *, alone):
    """Kill a worker that runs, and note when; the storm's lock is held."""
    storm.hits["worker killed"] += 1
    storm.kills.append(Kill(f"{machine.node()}-{worker.pid}", time.time()))
    worker.kill_alone() if alone else worker.kill()


def kill_process(process, name, every_s):
    """Kill one of the platform's processes now and then, once it is at work; it is started again as all are."""

    def act(storm):
        while storm.goes_on(every_s):
            with storm.lock:
                if process.is_at_work:
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
                busy_first = sorted(_at_work(storm), key=lambda worker: not worker.job_pids)
                storm.frozen |= set(busy_first[:n_workers])
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
    """Kill a job's process, a worker alone or the gateway, at random.

    Args:
        every_s: Pause between two kills.
        n_spared: So many workers are left at work.
    """

    def act(storm):
        n_seen = Counter()
        while storm.goes_on(every_s):
            with storm.lock:
                for process in storm.platform.processes:
                    n_seen[process] = n_seen[process] + 1 if process.is_at_work else 0
                # Who has just come up is left alone for a while: it would never get to do anything.
                _kill_one(storm, [process for process, n in n_seen.items() if n > _N_LOOKS_SPARED], n_spared)

    return act


def _at_work(storm):
    """Return the workers that could be hit now; who is frozen is to wake up."""
    return [worker for worker in storm.platform.workers if worker.is_at_work and worker not in storm.frozen]


def _kill_one(storm, at_work, n_spared):
    workers = [process for process in at_work if process in storm.platform.workers]
    victims = {
        "job": [pid for worker in _at_work(storm) for pid in worker.job_pids],
        "worker": workers if len(workers) > n_spared else [],
        "gateway": [process for process in at_work if process is storm.platform.gateway],
    }
    kinds = [kind for kind, found in victims.items() if found]
    match storm.random.choice(kinds) if kinds else None:
        case "job":
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(storm.random.choice(victims["job"]), signal.SIGKILL)
                storm.hits["job process killed"] += 1
        case "worker":
            kill_worker(storm, storm.random.choice(workers), alone=True)
        case "gateway":
            storm.platform.gateway.kill()
            storm.hits["gateway killed"] += 1
