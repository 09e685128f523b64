"""Altered copies of a photograph: slightly turned, brighter or darker, with more or less contrast, mirrored."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from asl.core.images import RgbImage

_MAX_ROTATION_DEG: Final = 15.0
_MAX_BRIGHTNESS: Final = 40.0
"""Added to or taken from samples of 0 to 255."""
_CONTRAST_RANGE: Final = (0.75, 1.3)
_MIRROR_SHARE: Final = 0.5


@dataclass(frozen=True)
class AlteredCopy:
    """A copy, and whether it is a mirror image: then it shows the other hand."""

    image: RgbImage
    is_mirrored: bool


def alter(image: RgbImage, rng: np.random.Generator) -> AlteredCopy:
    """Make one altered copy.

    Args:
        image: (height, width, 3) uint8 RGB.
        rng: Source of all the chances taken.

    Returns:
        A copy of the same size; corners that a turn leaves empty repeat the edge.
    """
    turned = _rotated(image, rng.uniform(-_MAX_ROTATION_DEG, _MAX_ROTATION_DEG))
    contrast, brightness = rng.uniform(*_CONTRAST_RANGE), rng.uniform(-_MAX_BRIGHTNESS, _MAX_BRIGHTNESS)
    mean = float(turned.mean())
    lit = np.clip((turned - mean) * contrast + mean + brightness, 0, 255).astype(np.uint8)
    is_mirrored = bool(rng.random() < _MIRROR_SHARE)
    return AlteredCopy(np.ascontiguousarray(lit[:, ::-1]) if is_mirrored else lit, is_mirrored)


def _rotated(image: RgbImage, angle_deg: float) -> RgbImage:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    return np.asarray(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)
