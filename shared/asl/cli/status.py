"""`asl status`: how every part of a running platform does."""

import sys

from rich.markup import escape
from rich.table import Table

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.remote import UrlFlag, connect


def status(*, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Show whether every part of a running platform is well: models, database, store, broker, workers.

    Example: `asl status`

    Ends with status 1 where a part is missing. Recognition goes on without what only jobs need; the server is then
    "degraded". No API key is needed.

    Args:
        url: Server; ASL_URL where not given.
        json: Print the findings as JSON.
    """
    with connect(url) as client:
        readiness = client.readiness()
    checks = readiness["checks"]
    if json:
        console.print_json(readiness)
    else:
        table = Table("part", "well", "detail")
        for name, check in checks.items():
            table.add_row(name, "yes" if check["ok"] else "NO", escape(check["detail"]))
        console.out.print(table)
        console.err.print(f"{client.url} is {readiness['status']}", markup=False)
    if not all(check["ok"] for check in checks.values()):
        sys.exit(console.EXIT_FAILED)
