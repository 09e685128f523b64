"""Training options from three places: the command line, before a file, before what a checkpoint was trained with."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from asl.cli.flags import first_line
from asl.contracts import TrainingOptions
from asl.errors import NotFound, OptionsInvalid


def merge(flags: TrainingOptions, config: Path | None, resume: Path | None = None) -> TrainingOptions:
    """Put the options together; flags that were given win over the file, and the file over the checkpoint.

    Args:
        flags: From the command line.
        config: JSON file with names of `TrainingOptions`.
        resume: Checkpoint whose training goes on.

    Raises:
        NotFound: The file or the checkpoint does not exist.
        OptionsInvalid: The file is no JSON object of training options.
        ModelInvalid, Conflict: The checkpoint is none, or does not tell its options.
    """
    began_with = _read_checkpoint(resume) if resume else {}
    given = {name: getattr(flags, name) for name in flags.model_fields_set}
    try:
        return TrainingOptions.model_validate({**began_with, **(_read(config) if config else {}), **given})
    except ValidationError as error:
        raise OptionsInvalid(f"{config}: {first_line(error, prefix='')}", hint="Correct the file.") from error


def _read_checkpoint(path: Path) -> dict[str, Any]:
    # Here: commands that only send options to a server need no PyTorch, which takes seconds to import.
    from asl.core.training import resumed_options  # noqa: PLC0415

    return resumed_options(path).model_dump()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotFound(f"no file at {path}", hint="Check --config.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OptionsInvalid(f"{path}: expected JSON, found none ({error})") from error
    if not isinstance(values, dict):
        raise OptionsInvalid(f"{path}: expected a JSON object, found {type(values).__name__}")
    return values
