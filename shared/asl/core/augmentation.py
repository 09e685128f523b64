"""Landmarks of one hand to those of the same letter seen from elsewhere, on another hand, less exactly."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.features import FloatArray
from asl.core.hand import WRIST, mirrored_to_right, square_units


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
    depth_sigma: float = 0.4
    """Standard deviation of the logarithm of a further scale of z, which MediaPipe guesses; normal."""
    depth_jitter_sigma: float = 0.02
    """Standard deviation of a further shift of each z, relative to the hand's size; normal."""
    flat_share: float = 0.1
    """Share of hands that keep a tenth of their z alone."""
    blend_share: float = 0.5
    """Share of hands that are mixed with another one of the same letter."""
    blend_limit: float = 0.5
    """Largest weight of that other hand; uniform."""
    wrong_side_share: float = 0.1
    """Share of hands whose side is taken for the other one, as MediaPipe does at times."""


DEFAULT_STRENGTHS: Final = Strengths()

_FLAT_DEPTH: Final = 0.1


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
    units = square_units(image_size)
    centred = _normalised(landmarks, units)
    scales = np.exp(generator.standard_normal((count, 3)) * strengths.scale_sigma)
    shears = np.eye(3) + generator.standard_normal((count, 3, 3)) * strengths.shear_sigma * (1 - np.eye(3))
    limits = np.deg2rad([strengths.tilt_deg, strengths.tilt_deg, strengths.roll_deg])
    turns = _rotations(generator.uniform(-1, 1, (count, 3)) * limits)
    moved = np.matmul(centred, (scales[:, :, None] * shears @ turns).astype(np.float32))
    moved[..., 2] *= _depth_scales(count, generator, strengths)
    moved[..., 2] += generator.standard_normal(moved.shape[:2], np.float32) * np.float32(strengths.depth_jitter_sigma)
    moved += generator.standard_normal(moved.shape, np.float32) * np.float32(strengths.jitter_sigma)
    return np.asarray(moved / units, np.float32)


def blend(  # noqa: PLR0917 - what a hand is
    landmarks: FloatArray,
    is_left: NDArray[np.bool_],
    image_size: NDArray[np.int32],
    labels: NDArray[np.int64],
    generator: np.random.Generator,
    strengths: Strengths = DEFAULT_STRENGTHS,
) -> FloatArray:
    """Move some hands towards another hand of the same letter, drawn at random: signers between signers.

    Args:
        landmarks: (n, 21, 3) float32, as MediaPipe gives them.
        is_left: (n,) bool, true where the hand is a left one; both are laid over one another as right ones.
        image_size: (n, 2) int32 width and height of each hand's picture, 0 where unknown.
        labels: (n,) int64.
        generator: Where chance comes from.
        strengths: How many are moved, and how far.

    Returns:
        (n, 21, 3) float32, a new array, relative to the wrist and the hand's size, in units of its own picture.
    """
    units, count = square_units(image_size), len(labels)
    right = as_right_hands(landmarks, is_left, image_size)
    by_label = np.argsort(labels, kind="stable")
    first = np.searchsorted(labels[by_label], labels, side="left")
    after = np.searchsorted(labels[by_label], labels, side="right")
    others = by_label[first + (generator.random(count) * (after - first)).astype(np.int64)]
    is_moved = generator.random(count) < strengths.blend_share
    weight = (generator.random(count) * strengths.blend_limit * is_moved).astype(np.float32)
    moved = np.asarray(right + (right[others] - right) * weight[:, None, None], np.float32)
    return np.asarray(mirrored_to_right(moved, is_left) / units, np.float32)


def as_right_hands(landmarks: FloatArray, is_left: NDArray[np.bool_], image_size: NDArray[np.int32]) -> FloatArray:
    """Lay hands over one another, whatever their side, place, size and picture.

    Args:
        landmarks: (n, 21, 3) float32, as MediaPipe gives them.
        is_left: (n,) bool, true where the hand is a left one.
        image_size: (n, 2) int32 width and height of each hand's picture, 0 where unknown.

    Returns:
        (n, 21, 3) float32: right hands relative to the wrist, as long in x as in y, the largest distance of a landmark
        from the wrist being 1.
    """
    return mirrored_to_right(_normalised(landmarks, square_units(image_size)), is_left)


def mistake_sides(
    is_left: NDArray[np.bool_], generator: np.random.Generator, strengths: Strengths = DEFAULT_STRENGTHS
) -> NDArray[np.bool_]:
    """Take some hands for the other one, as MediaPipe does at times.

    Args:
        is_left: (n,) bool, true where the hand is a left one.
        generator: Where chance comes from.
        strengths: How many are mistaken.

    Returns:
        (n,) bool, a new array.
    """
    return is_left ^ (generator.random(len(is_left)) < strengths.wrong_side_share)


def _normalised(landmarks: FloatArray, units: FloatArray) -> FloatArray:
    """Return (n, 21, 3) relative to the wrist and to the hand's size, as long in x as in y."""
    centred = (landmarks - landmarks[:, WRIST : WRIST + 1]) * units
    size = np.linalg.norm(centred, axis=2).max(axis=1, initial=0)
    # A hand without size stays one, for `compute_features` to refuse.
    return np.asarray(centred / np.maximum(size, np.finfo(np.float32).tiny)[:, None, None], np.float32)


def _depth_scales(count: int, generator: np.random.Generator, strengths: Strengths) -> FloatArray:
    """Return (n, 1) factors of z."""
    scales = np.exp(generator.standard_normal(count) * strengths.depth_sigma)
    flat = np.where(generator.random(count) < strengths.flat_share, _FLAT_DEPTH, 1)
    return np.asarray(scales * flat, np.float32)[:, None]


def _rotations(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3) matrices that turn rows about y, then x, then z, by (n, 3) angles about x, y, z in radians."""
    (sin_x, sin_y, sin_z), (cos_x, cos_y, cos_z) = np.sin(angles).T, np.cos(angles).T
    zeros, ones = np.zeros_like(sin_x), np.ones_like(sin_x)
    about_x = [[ones, zeros, zeros], [zeros, cos_x, sin_x], [zeros, -sin_x, cos_x]]
    about_y = [[cos_y, zeros, -sin_y], [zeros, ones, zeros], [sin_y, zeros, cos_y]]
    about_z = [[cos_z, sin_z, zeros], [-sin_z, cos_z, zeros], [zeros, zeros, ones]]
    x, y, z = (np.array(rows).transpose(2, 0, 1) for rows in (about_x, about_y, about_z))
    return np.asarray(y @ x @ z)
