"""Log lines of services: one line an event on stderr, as text or as JSON, uvicorn's own lines among them."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from structlog.typing import Processor


def configure(*, as_json: bool) -> None:
    """Send the lines of structlog and of the standard library's `logging` to stderr, in one format.

    uvicorn's access log is switched off: the gateway writes its own, with the request's id.

    Args:
        as_json: One JSON object a line, for machines; text for people otherwise.
    """
    common: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, *_rendering(as_json=as_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=common,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(as_json=as_json)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    _tame_libraries()


@contextmanager
def native_logs_muted() -> Iterator[None]:
    """Keep what C++ libraries write to stderr out of our lines; MediaPipe, while it loads, has no switch for it.

    Only for a start phase: Python's own stderr is the same descriptor and is silent too.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _rendering(*, as_json: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        sort_keys=False,
        pad_event_to=0,
        pad_level=False,
        # The default, through rich, also prints local variables: a user's picture has no business in a log.
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [console]


def _tame_libraries() -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # What a client sends wrongly is answered, not logged line by line.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
