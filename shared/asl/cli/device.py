"""Where the network computes: what was asked for, or what is there."""

import torch

from asl.contracts import Device
from asl.errors import OptionsInvalid


def choose(device: Device | None) -> str:
    """Return the device asked for, checked to be there; CUDA if it is there where none was asked for.

    Raises:
        OptionsInvalid: CUDA was asked for, and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device is Device.CUDA and not has_cuda:
        raise OptionsInvalid("expected a CUDA device, found none", hint="Use --device cpu.")
    return str(device or (Device.CUDA if has_cuda else Device.CPU))
