"""Labelled hands: the table that training and evaluation read, and its npz file."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from asl.core.features import SCHEMA, SCHEMAS, compute_features
from asl.core.files import Form, Kind, check_arrays, read_npz, replacing
from asl.core.hand import N_LANDMARKS
from asl.errors import DatasetInvalid

_REQUIRED: Final = ("features", "labels", "label_names")
_FORMS: Final[Mapping[str, Form]] = {
    "labels": Form(("n",), Kind.INTEGERS),
    "label_names": Form(("m",), Kind.TEXT),
    "features": Form(("n", "m"), Kind.NUMBERS),
    "landmarks": Form(("n", N_LANDMARKS, 3), Kind.NUMBERS),
    "world_landmarks": Form(("n", N_LANDMARKS, 3), Kind.NUMBERS),
    "handedness": Form(("n",), Kind.TEXT),
    "group": Form(("n",), Kind.TEXT_OR_INTEGERS),
    "original": Form(("n",), Kind.TEXT_OR_INTEGERS),
    "sample_sha256": Form(("n",), Kind.TEXT),
    "image_size": Form(("n", 2), Kind.INTEGERS),
    "feature_schema": Form((), Kind.TEXT),
}


@dataclass(frozen=True)
class Dataset:
    """n labelled hands; every array has one entry a hand, in the same order."""

    features: NDArray[np.float32]
    """(n, n_features) float32, as many as `feature_schema` has."""
    labels: NDArray[np.int64]
    """(n,) int64, indices into `label_names`."""
    label_names: tuple[str, ...]
    landmarks: NDArray[np.float32] | None
    """(n, 21, 3) float32 as MediaPipe gives them; None in files that hold only features."""
    world_landmarks: NDArray[np.float32] | None
    """(n, 21, 3) float32 in metres, NaN where unknown; None in files that hold only features."""
    handedness: NDArray[np.str_]
    """(n,) 'left', 'right', or '' where unknown."""
    group: NDArray[np.str_]
    """(n,) the signer or source, '' where unknown; the default split keeps each on one side."""
    original: NDArray[np.str_]
    """(n,) what near-duplicates have in common (the photograph that a copy was made from), '' where unknown."""
    sample_sha256: NDArray[np.str_]
    """(n,) hash of the photograph's file (of the landmarks or features where there is none); copies have the same."""
    image_size: NDArray[np.int32]
    """(n, 2) int32 width and height in pixels, 0 where unknown."""
    feature_schema: str = SCHEMA

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_left(self) -> NDArray[np.bool_]:
        """(n,) bool, true where the hand is a left one."""
        return np.asarray(self.handedness == "left", np.bool_)

    @property
    def letters(self) -> NDArray[np.str_]:
        """(n,) the label's name of each row."""
        return np.array(self.label_names, np.str_)[self.labels]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups there are, sorted; empty where none is known."""
        return tuple(str(name) for name in np.unique(self.group) if name)

    def take(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Self:
        """Return the rows chosen by index or mask; `label_names` stay as they are."""
        chosen: dict[str, Any] = {
            field.name: value[rows]
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray)
        }
        return replace(self, **chosen)


def label_of(text: str) -> str:
    """Return the label that a class is known by: single letters in upper case, other names as they are."""
    return text.upper() if len(text) == 1 else text


def from_landmarks(
    *,
    landmarks: NDArray[np.float32],
    letters: Sequence[str] | NDArray[np.str_],
    handedness: NDArray[np.str_],
    world_landmarks: NDArray[np.float32] | None = None,
    group: NDArray[np.str_] | None = None,
    original: NDArray[np.str_] | None = None,
    sample_sha256: NDArray[np.str_] | None = None,
    image_size: NDArray[np.int32] | None = None,
    label_names: Sequence[str] | None = None,
) -> Dataset:
    """Make a data set of landmarks and compute its features.

    Args:
        landmarks: (n, 21, 3) float32, as MediaPipe gives them.
        letters: (n,) label of each hand.
        handedness: (n,) 'left' or 'right'.
        world_landmarks: (n, 21, 3) float32 in metres, or None.
        group: (n,) signer or source, or None.
        original: (n,) what near-duplicates have in common, or None.
        sample_sha256: (n,) hash of each photograph, or None to hash the landmarks.
        image_size: (n, 2) int32 width and height, or None.
        label_names: All labels in their order; None for those that occur, sorted.

    Raises:
        DatasetInvalid: There are no hands, or the arrays do not fit together.
        LandmarksInvalid: A hand without size, or not finite.
    """
    landmarks = _floats(landmarks)
    count = len(landmarks)
    names = tuple(label_names) if label_names is not None else tuple(str(name) for name in np.unique(letters))
    index = {name: position for position, name in enumerate(names)}
    dataset = Dataset(
        features=compute_features(landmarks, handedness == "left"),
        labels=np.array([index[letter] for letter in letters], np.int64),
        label_names=names,
        landmarks=landmarks,
        world_landmarks=np.full_like(landmarks, np.nan) if world_landmarks is None else _floats(world_landmarks),
        handedness=handedness,
        group=_blank(count) if group is None else group,
        original=_blank(count) if original is None else original,
        sample_sha256=_hash_rows(landmarks) if sample_sha256 is None else sample_sha256,
        image_size=np.zeros((count, 2), np.int32) if image_size is None else image_size,
    )
    check_arrays(_arrays(dataset), _FORMS, "landmarks")
    return dataset


def with_schema(dataset: Dataset, schema: str) -> Dataset:
    """Return the same hands with the features of a schema, computed anew where it is another.

    Raises:
        DatasetInvalid: The features are of another schema, and there are no landmarks to compute them from.
        LandmarksInvalid: A hand without size, or not finite.
    """
    if dataset.feature_schema == schema:
        return dataset
    if dataset.landmarks is None or schema not in SCHEMAS:
        raise DatasetInvalid(
            f"expected features {schema}, found {dataset.feature_schema}", hint="Prepare the data set anew."
        )
    features = compute_features(dataset.landmarks, dataset.is_left, dataset.image_size, schema)
    return replace(dataset, features=features, feature_schema=schema)


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """Put data sets below one another; labels are matched by name.

    Landmarks are kept where every part has them.

    Raises:
        DatasetInvalid: There is no part, or parts differ in their feature schema.
    """
    if not parts:
        raise DatasetInvalid("expected at least one data set, found none")
    schemas = sorted({part.feature_schema for part in parts})
    if len(schemas) > 1:
        raise DatasetInvalid(f"expected data sets of one feature schema, found {', '.join(schemas)}")
    names = tuple(sorted({name for part in parts for name in part.label_names}))
    joined: dict[str, Any] = {
        field.name: _joined([getattr(part, field.name) for part in parts])
        for field in fields(Dataset)
        if field.name not in {"labels", "label_names", "feature_schema"}
    }
    labels = np.concatenate([relabel(part, names) for part in parts])
    return Dataset(**joined, labels=labels, label_names=names, feature_schema=schemas[0])


def relabel(dataset: Dataset, label_names: Sequence[str]) -> NDArray[np.int64]:
    """Translate a data set's labels, by name, into indices of other label names.

    Returns:
        (n,) int64.

    Raises:
        DatasetInvalid: A label occurs that the other names lack.
    """
    index = {name: position for position, name in enumerate(label_names)}
    present = {dataset.label_names[label] for label in np.unique(dataset.labels)}
    if unknown := sorted(present - set(index)):
        raise DatasetInvalid(
            f"expected labels among {', '.join(label_names)}, found also {', '.join(unknown)}",
            hint="Leave those classes out of the data set, or use a model that was trained on them.",
        )
    table = np.array([index.get(name, -1) for name in dataset.label_names], np.int64)
    return table[dataset.labels]


def save(dataset: Dataset, path: Path) -> None:
    """Write an npz file, atomically: a reader sees the old file or the whole new one.

    Raises:
        OptionsInvalid: The path is a folder, or stands below a file.
    """
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **_arrays(dataset))


def load(path: Path) -> Dataset:
    """Read an npz file of ours, or one that holds only features, labels and label_names.

    Raises:
        NotFound: There is no such file.
        DatasetInvalid: The file is no such npz, or its arrays do not fit together.
    """
    arrays = read_npz(path)
    if missing := [name for name in _REQUIRED if name not in arrays]:
        raise DatasetInvalid(
            f"{path}: expected arrays {', '.join(_REQUIRED)}, found no {', '.join(missing)}",
            hint="Make the file with `asl prepare-dataset`, or `asl import-landmarks` for landmarks with letters.",
        )
    check_arrays(arrays, _FORMS, path)
    count = len(arrays["labels"])
    features = _floats(arrays["features"])
    dataset = Dataset(
        features=features,
        labels=np.asarray(arrays["labels"], np.int64),
        label_names=tuple(str(name) for name in arrays["label_names"]),
        landmarks=_floats(arrays["landmarks"]) if "landmarks" in arrays else None,
        world_landmarks=_floats(arrays["world_landmarks"]) if "world_landmarks" in arrays else None,
        handedness=_text(arrays.get("handedness"), count),
        group=_text(arrays.get("group"), count),
        original=_text(arrays.get("original"), count),
        sample_sha256=arrays["sample_sha256"] if "sample_sha256" in arrays else _hash_rows(features),
        image_size=np.asarray(arrays.get("image_size", np.zeros((count, 2))), np.int32),
        feature_schema=str(arrays.get("feature_schema", SCHEMA)),
    )
    _check_values(dataset, path)
    return dataset


def _check_values(dataset: Dataset, path: Path) -> None:
    count = len(dataset)
    n_features = SCHEMAS.get(dataset.feature_schema)
    if n_features and dataset.features.shape != (count, n_features):
        raise DatasetInvalid(
            f"{path}: expected features of shape ({count}, {n_features}), found {dataset.features.shape}"
        )
    if dataset.labels.min() < 0 or dataset.labels.max() >= len(dataset.label_names):
        raise DatasetInvalid(f"{path}: expected labels from 0 to {len(dataset.label_names) - 1}, found others")
    if not np.isfinite(dataset.features).all():
        raise DatasetInvalid(f"{path}: expected finite features, found NaN or infinity")


def _arrays(dataset: Dataset) -> dict[str, Any]:
    return {
        field.name: np.asarray(value)
        for field in fields(dataset)
        if (value := getattr(dataset, field.name)) is not None
    }


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    # What float32 cannot hold becomes infinite, and is refused as such.
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def _joined(values: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    arrays = [value for value in values if value is not None]
    return np.concatenate(arrays) if len(arrays) == len(values) else None


def _blank(count: int) -> NDArray[np.str_]:
    return np.full(count, "", np.str_)


def _text(value: NDArray[Any] | None, count: int) -> NDArray[np.str_]:
    return _blank(count) if value is None else np.asarray(value, np.str_)


def _hash_rows(rows: NDArray[np.float32]) -> NDArray[np.str_]:
    return np.array([hashlib.sha256(row.tobytes()).hexdigest() for row in rows], np.str_).reshape(len(rows))
