"""The server that remote commands call, and how they close."""

import contextlib
import shlex
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, TypeVar

from cyclopts import Parameter
from pydantic import BaseModel, ValidationError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from asl.cli import console
from asl.cli.flags import first_line
from asl.client import Client
from asl.errors import OptionsInvalid
from asl.infra.settings import load_settings

_Contract = TypeVar("_Contract", bound=BaseModel)

UrlFlag = Annotated[str | None, Parameter(help="Server; ASL_URL where not given. Its API key comes from ASL_API_KEY.")]

_PATIENCE_S: Final = 15.0


@contextlib.contextmanager
def connect(url: str | None) -> Iterator[Client]:
    """Open the way to the server; a call that is tried again is told on stderr.

    Args:
        url: The server; ASL_URL where None.
    """
    settings = load_settings()
    with Client(url or settings.url, settings.api_key, patience_s=_PATIENCE_S, on_retry=_tell) as client:
        yield client


def build(contract: type[_Contract], **values: Any) -> _Contract:
    """Build what is sent; what does not fit is told as a flag's fault.

    Raises:
        OptionsInvalid: A value does not fit.
    """
    try:
        return contract(**values)
    except ValidationError as error:
        raise OptionsInvalid(first_line(error, prefix="--"), hint="See --help.") from error


def print_made(what: str, *next_command: str) -> None:
    """Close a command: what it made on the server, and what to type next, word by word."""
    console.err.print(f"made {what}   next: {shlex.join(next_command)}", markup=False)


def print_items(items: Iterator[_Contract]) -> None:
    """Write a list for programs to stdout."""
    console.print_json([item.model_dump(mode="json") for item in items])


@contextlib.contextmanager
def bytes_bar(name: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar for bytes on stderr; it shows nothing where stderr is no terminal.

    Yields:
        Takes how many bytes are done.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console.err, disable=not console.err.is_terminal) as bars:
        bar = bars.add_task(name, total=size_bytes)
        yield lambda n_bytes: bars.update(bar, completed=n_bytes)


def _tell(why: str, delay_s: float) -> None:
    console.err.print(f"note:  {why}; trying again in {delay_s:.1f} s", markup=False)
