"""`python -m services.worker`: a worker on this machine, without a broker."""

import argparse
import sys

from asl.contracts import Queue
from asl.errors import AslError
from asl.infra import logs
from asl.infra.settings import load_settings
from services.worker import local
from services.worker.signals import stopping_on_signals


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m services.worker", description=__doc__)
    parser.add_argument("-Q", "--queues", default="cpu,gpu", help="queues to serve, separated by commas (cpu,gpu)")
    names = parser.parse_args().queues.split(",")
    try:
        queues = tuple(Queue(name) for name in names)
    except ValueError:
        parser.error(f"expected queues among cpu and gpu, found {','.join(names)}")
    try:
        settings = load_settings()
        logs.configure(as_json=settings.log_json)
        local.run(settings, queues, stopping_on_signals())
    except AslError as error:
        parser.exit(1, f"error: {error.message}\nhint:  {error.hint}\n")
    sys.exit(0)


if __name__ == "__main__":
    main()
