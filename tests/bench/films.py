"""Frames as a camera gives them, made of one photograph: the hand wanders, turns and comes nearer, a little a frame."""

import cv2
import numpy as np

from asl.core import images

_ROUND = 48
"""Frames of one wandering: 1.6 s at 30 frames a second."""
_SHIFT = (0.05, 0.04)
"""Of the picture's width and height: 2 to 4 pixels a frame at 640 x 480."""
_DEGREES, _NEARER = 4, 0.05


def film(photograph: bytes, n_frames: int) -> list[bytes]:
    """Return the frames, as JPEG files."""
    image = images.decode(photograph)
    return [images.encode_jpeg(_seen_from(image, number / _ROUND)) for number in range(n_frames)]


def _seen_from(image: images.RgbImage, rounds: float) -> images.RgbImage:
    height, width = image.shape[:2]
    angle = 2 * np.pi * rounds
    view = cv2.getRotationMatrix2D((width / 2, height / 2), _DEGREES * np.sin(1.3 * angle), 1 + _NEARER * np.sin(angle))
    view[:, 2] += (_SHIFT[0] * width * np.sin(angle), _SHIFT[1] * height * np.sin(2 * angle))
    return cv2.warpAffine(image, view, (width, height), borderMode=cv2.BORDER_REFLECT)
