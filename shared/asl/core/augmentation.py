"""Landmarks of one hand to those of the same letter seen from elsewhere, on another hand, less exactly."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.features import FloatArray
from asl.core.hand import WRIST


@dataclass(frozen=True)
class Strengths:
    """How far hands are altered."""

    rotation_deg: float = 25.0
    """Largest turn about each of the three axes; uniform."""
    scale_sigma: float = 0.12
    """Standard deviation of the logarithm of the scale of each axis; normal."""
    jitter_sigma: float = 0.015
    """Standard deviation of each coordinate's shift, relative to the hand's size; normal."""


DEFAULT_STRENGTHS: Final = Strengths()


def augment(
    landmarks: FloatArray, generator: np.random.Generator, strengths: Strengths = DEFAULT_STRENGTHS
) -> FloatArray:
    """Turn each hand in space, stretch it along the axes, and jitter its landmarks.

    Args:
        landmarks: (n, 21, 3) float32, as MediaPipe gives them.
        generator: Where chance comes from; the same state gives the same hands.
        strengths: How far hands are altered.

    Returns:
        (n, 21, 3) float32, a new array: relative to the wrist, and before jitter and stretch of size 1 (the largest
        distance of a landmark from the wrist).
    """
    count = len(landmarks)
    centred = landmarks - landmarks[:, WRIST : WRIST + 1]
    size = np.linalg.norm(centred, axis=2).max(axis=1, initial=0)
    # A hand without size stays one, for `compute_features` to refuse.
    centred /= np.maximum(size, np.finfo(np.float32).tiny)[:, None, None]
    angles = generator.uniform(-1, 1, (count, 3)) * np.deg2rad(strengths.rotation_deg)
    scales = np.exp(generator.standard_normal((count, 3)) * strengths.scale_sigma)
    moved = np.matmul(centred, (_rotations(angles) * scales[:, None, :]).astype(np.float32))
    jitter = generator.standard_normal(moved.shape, np.float32)
    return np.asarray(moved + jitter * np.float32(strengths.jitter_sigma), np.float32)


def _rotations(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3) rotation matrices: about x, then y, then z, by (n, 3) angles in radians."""
    (sin_x, sin_y, sin_z), (cos_x, cos_y, cos_z) = np.sin(angles).T, np.cos(angles).T
    rows = [
        [cos_y * cos_z, sin_x * sin_y * cos_z - cos_x * sin_z, cos_x * sin_y * cos_z + sin_x * sin_z],
        [cos_y * sin_z, sin_x * sin_y * sin_z + cos_x * cos_z, cos_x * sin_y * sin_z - sin_x * cos_z],
        [-sin_y, sin_x * cos_y, cos_x * cos_y],
    ]
    return np.array(rows).transpose(2, 0, 1)
