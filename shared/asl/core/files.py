"""Files on the disk: written whole or not at all, and npz files read as plain arrays of expected forms."""

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl.errors import DatasetInvalid, NotFound, OptionsInvalid

_LARGEST_NPZ_BYTES: Final = 4 * 1024**3


class Kind(Enum):
    """What an array holds; the value lists the kinds of numpy's dtypes that are taken for it."""

    INTEGERS = "iu"
    NUMBERS = "fiu"
    TEXT = "U"
    TEXT_OR_INTEGERS = "Uiu"


class Form(NamedTuple):
    """What an array must look like."""

    shape: tuple[int | str, ...]
    """Sizes of its axes: 'n' is the number of labels, 'm' is any."""
    kind: Kind


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file atomically: a reader sees the old file or the whole new one.

    Args:
        path: The file; folders above it are made.

    Yields:
        A path in the same folder to write to, moved into place at the end and removed after an error.

    Raises:
        OptionsInvalid: The path is a folder, or stands below a file.
    """
    if path.is_dir():
        raise OptionsInvalid(f"expected a file to write to, found the folder {path}", hint="Name a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OptionsInvalid(
            f"expected a folder to write to, found a file at or above {path.parent}", hint="Choose another path."
        ) from error
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_npz(path: Path) -> Mapping[str, NDArray[Any]]:
    """Read the arrays of an npz file; pickled objects are refused, since unpickling runs code.

    Raises:
        NotFound: There is no such file.
        DatasetInvalid: The file is no npz of plain arrays, or expands to more than 4 GiB.
    """
    if not path.is_file():
        raise NotFound(f"no file at {path}", hint="Check the path; `asl prepare-dataset` makes such files.")
    try:
        with zipfile.ZipFile(path) as archive:
            size_bytes = sum(member.file_size for member in archive.infolist())
        if size_bytes > _LARGEST_NPZ_BYTES:
            raise DatasetInvalid(f"{path}: expected at most {_LARGEST_NPZ_BYTES:,} bytes, found {size_bytes:,}")
        with np.load(path, allow_pickle=False) as archive:  # noqa: TID251 - here it is refused
            # Members that are no arrays come as bytes.
            return {name: np.asarray(value) for name, value in archive.items()}
    # RuntimeError: the zip is encrypted, or packed in an unknown way.
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DatasetInvalid(
            f"{path}: expected an npz file of plain arrays, found none ({error})",
            hint="Make the file with `asl prepare-dataset`.",
        ) from error


def check_arrays(arrays: Mapping[str, NDArray[Any]], forms: Mapping[str, Form], source: Path | str) -> None:
    """Check arrays, one of which is `labels`, against their forms; those that are not there are passed over.

    Args:
        arrays: The arrays by name.
        forms: The form of each array, that of `labels` first.
        source: Where they come from, for messages.

    Raises:
        DatasetInvalid: There are no labels, or an array has another form; the message names it.
    """
    labels = arrays["labels"]
    if not labels.size:
        raise DatasetInvalid(f"{source}: expected rows, found an empty data set")
    sizes = {"n": len(labels)} if labels.ndim else {}
    for name, (shape, kind) in forms.items():
        if name not in arrays:
            continue
        expected, found = tuple(sizes.get(str(size), size) for size in shape), arrays[name]
        fits = len(expected) == found.ndim and all(
            size in (found_size, "m") for size, found_size in zip(expected, found.shape, strict=True)
        )
        if not fits or found.dtype.kind not in kind.value:
            raise DatasetInvalid(
                f"{source}: expected {name} of shape {_text(expected)} that holds {kind.name.lower().replace('_', ' ')}"
                f", found shape {_text(found.shape)} of {found.dtype}"
            )


def _text(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
