"""Bytes of a PyTorch file to plain values and tensors, trusting nothing in them."""

import io
import sys
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from asl.errors import ModelInvalid

MAX_FILE_BYTES: Final = 1024**3
"""Largest file read, before and after decompression."""

State: TypeAlias = Mapping[str, Any]

_HINT: Final = "Make one with `asl train-model`."


def pack(payload: State) -> bytes:
    """Return the bytes of a file; equal payloads give equal bytes, since no file's name gets into them."""
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


def unpack(data: bytes) -> State:
    """Read a file's dict without running code from it.

    Raises:
        ModelInvalid: The bytes are no PyTorch zip of a plain dict, or expand to more than `MAX_FILE_BYTES`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size_bytes = sum(member.file_size for member in archive.infolist())
    # Of damaged files Python's reader raises UnicodeDecodeError, struct.error and more besides BadZipFile.
    except Exception as error:
        raise ModelInvalid(f"expected a PyTorch checkpoint, found another file ({error})", hint=_HINT) from error
    if size_bytes > MAX_FILE_BYTES:
        raise ModelInvalid(f"expected at most {MAX_FILE_BYTES:,} bytes, found {size_bytes:,} after decompression")
    try:
        with warnings.catch_warnings(action="ignore"):
            payload = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)  # noqa: TID251 - here it is refused
    # PyTorch's reader raises many types for damaged or hostile files, and documents none of them.
    except Exception as error:
        raise ModelInvalid(
            f"expected a PyTorch checkpoint of plain tensors, found one that is damaged or holds code"
            f" ({type(error).__name__})",
            hint=_HINT,
        ) from error
    if not isinstance(payload, Mapping):
        raise ModelInvalid(f"expected a dict, found {type(payload).__name__}", hint=_HINT)
    return payload


def check(state: State) -> None:
    """Check that weights are dense, finite, and no more than a file can hold.

    Raises:
        ModelInvalid: They are not.
    """
    n_numbers = 0
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise ModelInvalid(
                f"expected dense tensors as weights, found {type(tensor).__name__} in {name}", hint=_HINT
            )
        # Counted before looking into it: a few stored bytes can claim to be a tensor of any size.
        n_numbers += tensor.numel()
        if n_numbers > MAX_FILE_BYTES // 4:
            raise ModelInvalid(f"expected at most {MAX_FILE_BYTES // 4:,} weights, found more", hint=_HINT)
        if not torch.isfinite(tensor).all():
            raise ModelInvalid(f"expected finite weights, found NaN or infinity in {name}", hint=_HINT)


def plain(value: Any) -> Any:
    """Return a copy of nested values that is safe to save: numpy scalars as Python's, tensors on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, str):
        # One object for equal texts: a pickle tells one object written twice from two equal ones.
        return sys.intern(str(value))
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(entry) for entry in value)
    return value.item() if isinstance(value, np.generic) else value
