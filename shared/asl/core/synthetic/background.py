"""Backgrounds that are nobody's room: from a plain wall to clutter."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.skeleton import FloatArray

Picture = NDArray[np.float32]
# Share of the pictures with a plain wall, a wall with a pattern, and clutter.
KIND_SHARES: Final = (0.4, 0.25, 0.35)
CLUTTER_COUNT: Final = (5, 22)


def draw_background(size: tuple[int, int], rng: np.random.Generator) -> Picture:
    """Draw a background.

    Args:
        size: width and height in pixels.
        rng: draws all of it.

    Returns:
        (height, width, 3) float32 sRGB, about [0, 1].
    """
    picture = _wall(size, rng)
    kind = int(rng.choice(3, p=KIND_SHARES))
    if kind == 1:
        _add_boards(picture, rng)
    if kind == 2:
        _add_clutter(picture, rng)
        sigma = float(rng.uniform(0.6, 3.0)) * min(size) / 480.0
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
    return picture


def _wall(size: tuple[int, int], rng: np.random.Generator) -> Picture:
    """A wall with a soft change of light across it and faint blotches."""
    tone = _colour(rng, rng.uniform(0.15, 0.9))
    corners = rng.uniform(0.75, 1.15, (2, 2, 1)) * tone
    blotches = rng.normal(0.0, 0.02, (6, 6, 1))
    wall = cv2.resize(corners.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    light = cv2.resize(blotches.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(wall + light[..., None], dtype=np.float32)


def _add_boards(picture: Picture, rng: np.random.Generator) -> None:
    """Boards, blinds or curtains: stripes of one width across the whole wall."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0.0, np.pi)
    place = np.cos(angle) * columns + np.sin(angle) * rows
    period = float(rng.uniform(0.12, 0.40)) * width
    depth = float(rng.uniform(0.05, 0.20))
    picture *= 1.0 - depth * (0.5 + 0.5 * np.sin(2.0 * np.pi * place / period))[..., None]


def _add_clutter(picture: Picture, rng: np.random.Generator) -> None:
    """Furniture and things: boxes, discs and edges in any colour."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(*CLUTTER_COUNT))):
        colour = tuple(_colour(rng, rng.uniform(0.05, 0.95)).tolist())
        centre = rng.uniform(0.0, 1.0, 2) * (width, height)
        extent = rng.uniform(0.03, 0.35, 2) * (width, height)
        kind = int(rng.integers(3))
        if kind == 0:
            corners = cv2.boxPoints((centre.tolist(), extent.tolist(), rng.normal(0.0, 20.0)))
            cv2.fillConvexPoly(picture, corners.astype(np.int32), colour, cv2.LINE_AA)
        elif kind == 1:
            axes = (extent * 0.5).astype(int).tolist()
            cv2.ellipse(picture, centre.astype(int).tolist(), axes, 0, 0, 360, colour, -1)
        else:
            end = (centre + rng.normal(0.0, 0.4, 2) * (width, height)).astype(int).tolist()
            thick = int(rng.integers(2, max(width // 40, 3) + 1))
            cv2.line(picture, centre.astype(int).tolist(), end, colour, thick, cv2.LINE_AA)


def _colour(rng: np.random.Generator, brightness: float) -> FloatArray:
    """(3,) sRGB: mostly muted colours."""
    saturation = abs(rng.normal(0.0, 0.25))
    return np.clip(brightness * (1.0 + saturation * rng.uniform(-1.0, 1.0, 3)), 0.0, 1.0)
