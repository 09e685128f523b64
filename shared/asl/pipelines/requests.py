"""What a job is asked to do, as a contract; and where it is to compute."""

from typing import TypeVar

import torch
from pydantic import ValidationError

from asl.contracts import Contract, Device
from asl.errors import OptionsInvalid, Stopped
from asl.pipelines.context import Context

_Request = TypeVar("_Request", bound=Contract)


def parse(context: Context, kind: type[_Request]) -> _Request:
    """Read a job's request; what submission noted beside the contract is passed over.

    Raises:
        OptionsInvalid: It is of another version of ours.
    """
    known = {name: value for name, value in context.claim.request.items() if name in kind.model_fields}
    try:
        return kind.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise OptionsInvalid(
            f"expected a request for {context.claim.kind}, found another: {name}: {first['msg']}",
            hint="Submit the job again.",
        ) from error


def choose_device(context: Context, asked_for: Device | None) -> str:
    """Return where to compute: as asked, CUDA where there is one if not asked; the CPU where there is none."""
    has_cuda = torch.cuda.is_available()
    if asked_for is Device.CUDA and not has_cuda:
        context.tell("note: no CUDA device on this machine; computing on its CPU instead")
    return str(Device.CUDA if has_cuda and asked_for is not Device.CPU else Device.CPU)


def check_stopping(context: Context) -> None:
    """Stop where that was asked for.

    Raises:
        Stopped: It was.
    """
    if context.is_stopping():
        raise Stopped(f"the {context.claim.kind} was told to stop")
