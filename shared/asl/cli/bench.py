"""`asl bench`: how fast a server answers recognition calls."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.load import Sample, Target, drive, percentile
from asl.core.hand import LETTERS
from asl.core.images import SUFFIXES, encode_jpeg
from asl.core.synthetic.renderer import RenderedHand, render_hand
from asl.errors import NotFound, Unavailable
from asl.infra.settings import load_settings

Mode: TypeAlias = Literal["photographs", "raw", "landmarks"]
MODES: Final[tuple[Mode, ...]] = ("photographs", "raw", "landmarks")
_MAX_PHOTOGRAPHS: Final = 200
"""All are in memory."""
_SIZE: Final = (640, 480)


def bench(
    *,
    url: str | None = None,
    clients: tuple[Annotated[int, Parameter(validator=Number(gte=1, lte=1000))], ...] = (1, 4, 16),
    seconds: Annotated[float, Parameter(validator=Number(gt=0))] = 10.0,
    photos: Path | None = None,
    modes: tuple[Mode, ...] = MODES,
    json: JsonFlag = False,
) -> None:
    """Measure how fast a server answers recognition calls.

    Example: `asl bench --url http://127.0.0.1:8000 --clients 1 16 --seconds 5`

    Each client holds one connection and sends its next call when the last is answered. A call refused with 503 or 429
    counts as refused alone; its client waits as Retry-After says. Run it from another machine where you can: here, it
    and the server share the cores.

    Args:
        url: Server; ASL_URL where not given. Its API key comes from ASL_API_KEY.
        clients: How many at once; each number is a row.
        seconds: How long each row takes.
        photos: Folder of photographs to send, looked through to the bottom; rendered hands where not given.
        modes: What is sent: photographs as forms, photographs as raw bodies, landmarks.
        json: Print a JSON list.
    """
    settings = load_settings()
    key = settings.api_key.get_secret_value() if settings.api_key else None
    target = Target.of(url or settings.url, key)
    hands = [render_hand(letter, seed=seed, size=_SIZE) for seed, letter in enumerate(LETTERS)]
    pictures = _read_photographs(photos) if photos else [encode_jpeg(hand.image) for hand in hands]
    requests: dict[Mode, list[bytes]] = {
        "photographs": [target.form(picture) for picture in pictures],
        "raw": [target.raw(picture) for picture in pictures],
        "landmarks": [target.landmarks(landmarks_of(hand)) for hand in hands],
    }
    rows = [
        Row(mode, n_clients, _measure(target, requests[mode], n_clients, seconds))
        for mode in modes
        for n_clients in clients
    ]
    if json:
        console.print_json([row.as_json() for row in rows])
    else:
        console.out.print(_table(rows))


def landmarks_of(hand: RenderedHand) -> dict[str, Any]:
    """Describe a rendered hand as `POST .../recognitions/landmarks` takes it."""
    width, height = _SIZE
    points = [[round(float(value), 5) for value in point] for point in hand.landmarks]
    return {"landmarks": points, "image_width": width, "image_height": height, "handedness": hand.handedness}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    mode: Mode
    n_clients: int
    sample: Sample

    def as_json(self) -> dict[str, Any]:
        """Describe it for programs; what nothing was measured for is null."""
        return {
            "mode": self.mode,
            "clients": self.n_clients,
            **{f"p{rank}_ms": self._ms(rank) for rank in (50, 95, 99)},
            "calls_per_second": round(self.sample.per_second, 2),
            "answered": len(self.sample.seconds),
            "refused": len(self.sample.refused_s),
            "failed": {str(status): n for status, n in self.sample.failed.items()},
        }

    def _ms(self, rank: int) -> float | None:
        latency_s = percentile(self.sample.seconds, rank / 100)
        return None if math.isnan(latency_s) else round(latency_s * 1000, 3)


def _measure(target: Target, requests: Sequence[bytes], n_clients: int, seconds: float) -> Sample:
    sample = drive(target, requests, n_clients=n_clients, seconds=seconds)
    if sample.failed and not sample.seconds:
        statuses = ", ".join(map(str, sorted(sample.failed)))
        hint = "It needs a key: set ASL_API_KEY." if 401 in sample.failed else "Is this the API's address?"
        raise Unavailable(f"expected answers of status 200, found {statuses} alone", hint=hint)
    return sample


def _read_photographs(folder: Path) -> list[bytes]:
    """Read image files, spread over the folder's whole tree."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise NotFound(f"no photographs in {folder}", hint="Name a folder with JPEG or PNG files, at any depth.")
    return [path.read_bytes() for path in paths[:: math.ceil(len(paths) / _MAX_PHOTOGRAPHS)]]


def _table(rows: Sequence[Row]) -> Table:
    table = Table("sent", box=None, collapse_padding=True, pad_edge=False)  # nine columns fit into 80 characters
    for name in ("clients", "p50 ms", "p95 ms", "p99 ms", "calls/s", "answered", "refused", "failed"):
        table.add_column(name, justify="right")
    for row in rows:
        told = row.as_json()
        latencies = [f"{told[f'p{rank}_ms']:.1f}" if row.sample.seconds else "-" for rank in (50, 95, 99)]
        rest = (told["answered"], told["refused"], row.sample.failed.total())
        table.add_row(
            row.mode, str(row.n_clients), *latencies, f"{row.sample.per_second:,.1f}", *(f"{n:,}" for n in rest)
        )
    return table
