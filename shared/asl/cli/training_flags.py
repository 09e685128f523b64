"""Training options from three places: the command line, before a file, before what a checkpoint was trained with."""

import json
from pathlib import Path
from typing import Any, Final, Self

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator

from asl.contracts import TrainingOptions
from asl.core.training import resumed_options
from asl.errors import NotFound, OptionsInvalid


class TrainingFlags(TrainingOptions):
    """The options as flags; what does not fit is told in a line of ours instead of pydantic's page."""

    @model_validator(mode="wrap")
    @classmethod
    def _tell_plainly(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise OptionsInvalid(_first_line(error, prefix="--"), hint="See `asl train-model --help`.") from error


DEFAULT_FLAGS: Final = TrainingFlags()


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
    began_with = resumed_options(resume).model_dump() if resume else {}
    given = {name: getattr(flags, name) for name in flags.model_fields_set}
    try:
        return TrainingOptions.model_validate({**began_with, **(_read(config) if config else {}), **given})
    except ValidationError as error:
        raise OptionsInvalid(f"{config}: {_first_line(error, prefix='')}", hint="Correct the file.") from error


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


def _first_line(error: ValidationError, *, prefix: str) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # of several options together
        return first["msg"].removeprefix("Value error, ")
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"expected names of training options, found {name}"
    if prefix:
        name = prefix + name.replace("_", "-")
    return f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r:.60}"
