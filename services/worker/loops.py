"""Work that is done over and over in a thread of its own, and outlives whatever goes wrong in it."""

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from asl.errors import Unavailable

_log = structlog.get_logger()


def attempt(action: Callable[[], object], name: str) -> bool:
    """Do something once; what goes wrong is logged, and the next time may go better.

    Args:
        action: What to do.
        name: What it is, for the log.

    Returns:
        Whether it was done.
    """
    try:
        action()
    except Unavailable as error:
        _log.warning(f"{name} waits", why=error.message)
    # Whatever it is, a loop that nobody watches must not end for it.
    except Exception:  # noqa: BLE001 - see above
        _log.exception(f"{name} failed")
    else:
        return True
    return False


def note_alive(file: Path | None) -> None:
    """Touch the file that tells whoever watches this process that it is not stuck; nothing where there is none."""
    if file is not None:
        try:
            file.touch()
        except OSError as error:
            _log.warning("sign of life not written", why=str(error))


def start_loop(action: Callable[[], object], name: str, every_s: float, stopping: threading.Event) -> threading.Thread:
    """Do something every few seconds until told to stop.

    Args:
        action: What to do.
        name: What it is.
        every_s: The pause before each time.
        stopping: Ends it.

    Returns:
        The thread; a daemon, so that an action that hangs keeps no process from ending.
    """

    def run() -> None:
        while not stopping.wait(every_s):
            attempt(action, name)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
