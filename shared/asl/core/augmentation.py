"""Landmarks of one hand to those of the same letter seen from elsewhere, on another hand, less exactly."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.features import FloatArray
from asl.core.hand import WRIST


@dataclass(frozen=True)
class Strengths:
    """How far hands are altered.

    The defaults were chosen on the sources clean, collection, frames and normalised, each read by a model that never
    saw it; see the model card of the starter model.
    """

    tilt_deg: float = 35.0
    """Largest turn about the picture's horizontal and its vertical axis; uniform."""
    roll_deg: float = 25.0
    """Largest turn in the picture's plane; uniform."""
    scale_sigma: float = 0.12
    """Standard deviation of the logarithm of the scale of each axis; normal."""
    shear_sigma: float = 0.10
    """Standard deviation of how much of each axis is added to each other one; normal."""
    jitter_sigma: float = 0.01
    """Standard deviation of each coordinate's shift, relative to the hand's size; normal."""


DEFAULT_STRENGTHS: Final = Strengths()


def augment(
    landmarks: FloatArray,
    image_size: NDArray[np.int32],
    generator: np.random.Generator,
    strengths: Strengths = DEFAULT_STRENGTHS,
) -> FloatArray:
    """Stretch and shear each hand, turn it in space, and jitter its landmarks.

    This is done in units that are as long in x as in y, since a turn is none where they differ; what is returned is in
    the picture's own units again.

    Args:
        landmarks: (n, 21, 3) float32, as MediaPipe gives them.
        image_size: (n, 2) int32 width and height of each hand's picture, 0 where unknown: then it counts as square.
        generator: Where chance comes from; the same state gives the same hands.
        strengths: How far hands are altered.

    Returns:
        (n, 21, 3) float32, a new array, relative to the wrist; its scale is the hand's own.
    """
    count = len(landmarks)
    units = _square_units(image_size)
    centred = (landmarks - landmarks[:, WRIST : WRIST + 1]) * units
    size = np.linalg.norm(centred, axis=2).max(axis=1, initial=0)
    # A hand without size stays one, for `compute_features` to refuse.
    centred /= np.maximum(size, np.finfo(np.float32).tiny)[:, None, None]
    scales = np.exp(generator.standard_normal((count, 3)) * strengths.scale_sigma)
    shears = np.eye(3) + generator.standard_normal((count, 3, 3)) * strengths.shear_sigma * (1 - np.eye(3))
    limits = np.deg2rad([strengths.tilt_deg, strengths.tilt_deg, strengths.roll_deg])
    turns = _rotations(generator.uniform(-1, 1, (count, 3)) * limits)
    moved = np.matmul(centred, (scales[:, :, None] * shears @ turns).astype(np.float32))
    moved += generator.standard_normal(moved.shape, np.float32) * np.float32(strengths.jitter_sigma)
    return np.asarray(moved / units, np.float32)


def _square_units(image_size: NDArray[np.int32]) -> FloatArray:
    """Return (n, 1, 3) factors: x and z are in widths of the picture, y in heights; all become heights."""
    width, height = image_size.astype(np.float32).T
    known = (width > 0) & (height > 0)
    aspect = np.divide(width, height, out=np.ones_like(width), where=known)
    return np.stack([aspect, np.ones_like(aspect), aspect], axis=1)[:, None]


def _rotations(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3) matrices that turn rows about y, then x, then z, by (n, 3) angles about x, y, z in radians."""
    (sin_x, sin_y, sin_z), (cos_x, cos_y, cos_z) = np.sin(angles).T, np.cos(angles).T
    zeros, ones = np.zeros_like(sin_x), np.ones_like(sin_x)
    about_x = [[ones, zeros, zeros], [zeros, cos_x, sin_x], [zeros, -sin_x, cos_x]]
    about_y = [[cos_y, zeros, -sin_y], [zeros, ones, zeros], [sin_y, zeros, cos_y]]
    about_z = [[cos_z, sin_z, zeros], [-sin_z, cos_z, zeros], [zeros, zeros, ones]]
    x, y, z = (np.array(rows).transpose(2, 0, 1) for rows in (about_x, about_y, about_z))
    return np.asarray(y @ x @ z)
