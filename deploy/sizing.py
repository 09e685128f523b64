"""How many gateways a given number of recognitions needs: README's measured rates, divided; `make sizing` writes it."""

import math
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

_REPOSITORY: Final = Path(__file__).parents[1]
_PAGE: Final = _REPOSITORY / "deploy" / "sizing.md"
_MARKS: Final = ("<!-- made by `make sizing` -->\n", "<!-- end -->\n")
_HEADROOM: Final = 0.7
"""The share of a pod's rate that is planned with: the chart's targetCpuPercent."""
_PER_MINUTE: Final = (10_000, 100_000, 1_000_000)


class Road(NamedTuple):
    """One way in which recognitions come."""

    name: str
    row: str
    """How its row in README's table "Speed" begins."""
    rate: str
    """Where its rate stands in that row."""
    n_cores: int
    """How many cores one pod can use for it: recognizers are threads, the rest is one process's loop."""


ROADS: Final = (
    Road("photographs, as forms", "recognition over HTTP, 16 clients", r"([\d,.]+) or [\d,.]+ photographs/s", 2),
    Road("photographs, as raw bodies", "recognition over HTTP, 16 clients", r"[\d,.]+ or ([\d,.]+) photographs/s", 2),
    Road("landmarks, a call each", "landmarks over HTTP", r"([\d,.]+) calls/s", 1),
    Road("landmarks, live", "live landmarks", r"([\d,.]+) frames/s", 1),
)


def measured_rate(readme: str, road: Road) -> float:
    """Find a road's rate in README's table, per second, on two cores that the clients share.

    Raises:
        LookupError: The row, or the rate in it, is not where it was.
    """
    for line in readme.splitlines():
        if line.startswith(f"| {road.row}") and (found := re.search(road.rate, line)):
            return float(found[1].replace(",", ""))
    raise LookupError(f"README's table has no row '{road.row} ...' with {road.rate}; deploy/sizing.py reads it")


def n_pods(per_minute: int, rate_per_s: float) -> int:
    """Count the pods that a number of recognitions a minute needs, with headroom."""
    return math.ceil(per_minute / 60 / (rate_per_s * _HEADROOM))


def table(readme: str) -> str:
    """Write the table of sizing.md."""
    counts = " | ".join(f"pods for {per_minute:,} a minute" for per_minute in _PER_MINUTE)
    lines = [
        f"| how they come | measured, a second | planned | {counts} | cores of the last |",
        "|---|---|---|" + "---|" * len(_PER_MINUTE) + "---|",
    ]
    for road in ROADS:
        rate = measured_rate(readme, road)
        pods = [n_pods(per_minute, rate) for per_minute in _PER_MINUTE]
        cells = [road.name, f"{rate:,.0f}", f"{rate * _HEADROOM:,.0f}", *(f"{n:,}" for n in pods)]
        lines.append(f"| {' | '.join(cells)} | {pods[-1] * road.n_cores:,} |")
    return "\n".join(lines) + "\n"


def renewed(page: str, readme: str) -> str:
    """Return the page with the table that README's figures make."""
    before, start, rest = page.partition(_MARKS[0])
    _, end, after = rest.partition(_MARKS[1])
    return before + start + table(readme) + end + after


def main() -> None:
    """Renew deploy/sizing.md."""
    page = renewed(_PAGE.read_text(encoding="utf-8"), (_REPOSITORY / "README.md").read_text(encoding="utf-8"))
    _PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
