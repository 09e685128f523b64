"""Files of landmarks that MediaPipe found elsewhere, with their letters, as data sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from asl.core.dataset import Dataset, from_landmarks, label_of
from asl.core.files import Form, Kind, check_arrays, read_npz
from asl.core.hand import N_LANDMARKS
from asl.errors import DatasetInvalid

_REQUIRED: Final = ("landmarks", "labels", "handedness")
_FORMS: Final[Mapping[str, Form]] = {
    "labels": Form(("n",), Kind.TEXT),
    "landmarks": Form(("n", N_LANDMARKS, 3), Kind.NUMBERS),
    "handedness": Form(("n",), Kind.TEXT),
    "world_landmarks": Form(("n", N_LANDMARKS, 3), Kind.NUMBERS),
    "image_width": Form(("n",), Kind.INTEGERS),
    "image_height": Form(("n",), Kind.INTEGERS),
    "original": Form(("n",), Kind.TEXT_OR_INTEGERS),
}
_SIDES: Final = frozenset({"left", "right"})


def read_landmarks(path: Path, group_by: Literal["file", "original"]) -> Dataset:
    """Read an npz with the arrays `landmarks` (n, 21, 3), `labels` (letters) and `handedness` ('Left', 'Right').

    Single letters are turned to upper case; other labels, such as `space`, stay as they are. `world_landmarks`,
    `image_width`, `image_height` and `original` are kept where they are there.

    Args:
        path: The file.
        group_by: What names each row's group: the file, or its value of `original`.

    Raises:
        NotFound: There is no such file.
        DatasetInvalid: An array is missing, or of a wrong shape or kind.
        LandmarksInvalid: A hand without size, or not finite.
    """
    arrays = read_npz(path)
    _check(arrays, path)
    count = len(arrays["labels"])
    original = np.asarray(arrays.get("original", np.full(count, "")), np.str_)
    in_file = [f"{path.stem}/{name}" if name and group_by == "original" else path.stem for name in original]
    letters = np.array([label_of(str(label)) for label in arrays["labels"]], np.str_)
    size = [np.asarray(arrays.get(name, np.zeros(count)), np.int32) for name in ("image_width", "image_height")]
    return from_landmarks(
        landmarks=arrays["landmarks"],
        letters=letters,
        handedness=np.char.lower(arrays["handedness"]),
        world_landmarks=arrays.get("world_landmarks"),
        group=np.array(in_file, np.str_),
        original=_originals(original, letters),
        image_size=np.stack(size, axis=1),
    )


def _check(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    if missing := [name for name in _REQUIRED if name not in arrays]:
        raise DatasetInvalid(
            f"{path}: expected arrays {', '.join(_REQUIRED)}, found no {', '.join(missing)}",
            hint="Photographs become such landmarks with `asl prepare-dataset`.",
        )
    check_arrays(arrays, _FORMS, path)
    if wrong := {str(side) for side in np.unique(arrays["handedness"]) if side.lower() not in _SIDES}:
        raise DatasetInvalid(f"{path}: expected handedness Left or Right, found {', '.join(sorted(wrong))}")


def _originals(original: NDArray[np.str_], letters: NDArray[np.str_]) -> NDArray[np.str_]:
    # Names such as A27 are often counted anew for each letter.
    return np.array(
        [f"{letter}/{name}" if name else "" for letter, name in zip(letters, original, strict=True)], np.str_
    )
