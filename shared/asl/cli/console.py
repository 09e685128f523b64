"""How commands speak: data on stdout, the rest on stderr, one line for an error and one for what to do."""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from asl.errors import AslError, Conflict, NotFound, OptionsInvalid

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_CONFLICT = 5
EXIT_INTERRUPTED = 130

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def exit_code(error: AslError) -> int:
    """Tell with which status a command ends after an error."""
    codes = {OptionsInvalid: EXIT_USAGE, NotFound: EXIT_NOT_FOUND, Conflict: EXIT_CONFLICT}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), EXIT_FAILED)


def print_error(error: AslError) -> None:
    """Say on stderr what went wrong and what to do."""
    err.print(f"error: {error.message}", style="red", markup=False)
    if error.hint:
        err.print(f"hint:  {error.hint}", markup=False)


def print_advice(advice: Iterable[object]) -> None:
    """Say on stderr what to do about what was found."""
    for entry in advice:
        err.print(f"advice: {entry}", markup=False)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Write a result for programs to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_made(path: Path, *next_command: str | Path) -> None:
    """Close a long command: what it made, by its absolute path, and what to type next, word by word."""
    err.print(f"made {path.resolve()}   next: {shlex.join(map(str, next_command))}", markup=False)


def progress() -> Progress:
    """Return a progress bar on stderr; it shows nothing where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        disable=not err.is_terminal,
    )


def mute_native_logs() -> None:
    """Keep MediaPipe's C++ library, which has no switch for it, from writing its log lines into our stderr.

    Python's own stderr goes on; call before any thread is started.
    """
    err.file = sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    with Path(os.devnull).open("w") as devnull:
        os.dup2(devnull.fileno(), 2)
