"""Landmarks to the numbers that a classifier reads, by named schemas."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asl.contracts import FeatureSchema
from asl.core.geometry import N_GEOMETRY, measure
from asl.core.hand import CONNECTIONS, N_LANDMARKS, WRIST, mirrored_to_right, square_units
from asl.errors import LandmarksInvalid

FloatArray: TypeAlias = NDArray[np.float32]

SCHEMA: Final = FeatureSchema.ASL84_V1.value
"""The schema where none is named. Every data set and model names its own; two that differ do not fit together."""

N_FEATURES: Final = N_LANDMARKS * 3 + len(CONNECTIONS)
"""Of `SCHEMA`."""

SCHEMAS: Final = {SCHEMA: N_FEATURES, FeatureSchema.ASL_GEO_V1.value: N_GEOMETRY}
"""How many features each schema has."""

_FROM, _TO = np.array(CONNECTIONS).T


def compute_features(
    landmarks: ArrayLike, is_left: ArrayLike, image_size: ArrayLike | None = None, schema: str = SCHEMA
) -> FloatArray:
    """Compute what remains of a hand when place, size and side are taken away.

    `asl84-v1` is the 21 landmarks relative to the wrist, divided by the largest 3-D distance of a landmark from the
    wrist, left hands mirrored to right ones; then the 21 distances between connected joints, in 3-D after scaling.
    `asl-geo-v1` is what `asl.core.geometry.measure` tells of the same landmarks, made as long in x as in y first.

    Args:
        landmarks: (n, 21, 3) float, as MediaPipe gives them: x and y in [0, 1] of the picture, z on x's scale.
        is_left: (n,) bool, true where the hand is a left one.
        image_size: (n, 2) int width and height of each picture, 0 where unknown, for `asl-geo-v1`; None where all are
            unknown.
        schema: One of `SCHEMAS`.

    Returns:
        (n, `SCHEMAS[schema]`) float32; of `asl84-v1` x, y, z of landmarks 0 to 20, then the distances in the order of
        `hand.CONNECTIONS`.

    Raises:
        LandmarksInvalid: A wrong shape, a number that is not finite, or a hand without size or of one beyond float32.
    """
    points, left = _checked(landmarks, is_left)
    if schema == FeatureSchema.ASL_GEO_V1:
        size = np.zeros((len(points), 2), np.int32) if image_size is None else np.asarray(image_size, np.int32)
        return measure(_scaled(points, left, square_units(size)))
    scaled = _scaled(points, left)
    distances = np.linalg.norm(scaled[:, _TO] - scaled[:, _FROM], axis=2)
    return np.concatenate([scaled.reshape(-1, N_LANDMARKS * 3), distances], axis=1)


def _scaled(points: FloatArray, left: NDArray[np.bool_], units: FloatArray | None = None) -> FloatArray:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        centred = points - points[:, WRIST : WRIST + 1]
        if units is not None:
            centred *= units
        size = np.sqrt(np.add.reduce(centred * centred, axis=2)).max(axis=1)
    measured = np.isfinite(size)
    if not measured.all():
        raise LandmarksInvalid(
            f"expected hands of a finite size, found one too large to measure in row {int(np.argmin(measured))}",
            hint="Leave that row out; x and y are in [0, 1] of the picture.",
        )
    if not size.all():
        raise LandmarksInvalid(
            f"expected hands with a size, found all 21 landmarks in one place in row {int(np.argmin(size))}",
            hint="Leave that row out.",
        )
    return mirrored_to_right(centred / size[:, None, None], left)


def _checked(landmarks: ArrayLike, is_left: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    with np.errstate(over="ignore"):
        points, left = np.asarray(landmarks, np.float32), np.asarray(is_left, np.bool_)
    if points.ndim != 3 or points.shape[1:] != (N_LANDMARKS, 3):
        raise LandmarksInvalid(f"expected landmarks of shape (n, {N_LANDMARKS}, 3), found {points.shape}")
    if left.shape != (len(points),):
        raise LandmarksInvalid(f"expected one side for each of {len(points)} hands, found shape {left.shape}")
    finite = np.isfinite(points).all(axis=(1, 2))
    if not finite.all():
        raise LandmarksInvalid(
            f"expected finite landmarks, found NaN or infinity in row {int(np.argmin(finite))}",
            hint="Leave that row out.",
        )
    return points, left
