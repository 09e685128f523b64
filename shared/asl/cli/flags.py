"""Options of the contracts as flags: what does not fit is told in one line."""

from typing import Annotated, Any, Final, Self

from cyclopts import Parameter
from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, model_validator

from asl.contracts import PreparationOptions, TrainingOptions, TuningOptions
from asl.errors import OptionsInvalid

JsonFlag = Annotated[bool, Parameter(negative=())]
"""`--json`, without a `--no-json`."""


class _Flags(BaseModel):
    """What does not fit is told in a line of ours instead of pydantic's page."""

    @model_validator(mode="wrap")
    @classmethod
    def _tell_plainly(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise OptionsInvalid(first_line(error, prefix="--"), hint="See --help.") from error


class TrainingFlags(_Flags, TrainingOptions):
    """The options of a training."""


class TuningFlags(_Flags, TuningOptions):
    """The options of a tuning."""


class PreparationFlags(_Flags, PreparationOptions):
    """The options of a preparation."""


DEFAULT_TRAINING: Final = TrainingFlags()
DEFAULT_TUNING: Final = TuningFlags()
DEFAULT_PREPARATION: Final = PreparationFlags()


def first_line(error: ValidationError, *, prefix: str) -> str:
    """Tell the first thing that does not fit.

    Args:
        error: What pydantic found.
        prefix: '--' where names are those of flags, '' where they are those of a file.
    """
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # of several options together
        return first["msg"].removeprefix("Value error, ")
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"expected names of options, found {name}"
    if prefix:
        name = prefix + name.replace("_", "-")
    return f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r:.60}"
