"""Skin, nails, creases and light on the surface of a hand."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.flesh import THUMB
from asl.core.synthetic.raster import FAR_PX, Plane, Surface
from asl.core.synthetic.skeleton import FloatArray

# Back of the hand and palm, sRGB in [0, 1], from light to dark skin; palms differ less.
SKIN_TONES: Final = np.array(
    [
        [[0.93, 0.76, 0.67], [0.95, 0.76, 0.68]],
        [[0.88, 0.69, 0.57], [0.92, 0.71, 0.61]],
        [[0.80, 0.60, 0.46], [0.88, 0.66, 0.54]],
        [[0.70, 0.50, 0.37], [0.82, 0.60, 0.48]],
        [[0.56, 0.38, 0.27], [0.74, 0.52, 0.41]],
        [[0.42, 0.27, 0.19], [0.66, 0.45, 0.36]],
        [[0.32, 0.20, 0.15], [0.58, 0.39, 0.31]],
    ]
)
# Light that comes round the edge of lit skin, for red, green and blue: flesh scatters red farthest.
WRAP: Final = np.array([[0.45], [0.30], [0.24]], dtype=np.float32)
NAIL_TINT: Final = np.array([[1.14], [1.04], [1.02]], dtype=np.float32)
CREASE_DEPTH: Final = 0.30  # share of the light that the deepest crease takes
OCCLUSION_SCALES: Final = (0.03, 0.09)  # of the hand's size
OCCLUSION_DEPTH: Final = 0.45  # share of the light that neighbours can take, at each scale
SHADOW_STEPS: Final = (0.05, 0.09, 0.14, 0.20)  # places along the ray to the lamp, of the hand's size
SHADOW_SOFTNESS: Final = 0.04  # of the hand's size
SHADOW_DEPTH: Final = 0.6  # share of the lamp's light that the hand itself can take
GLOSS: Final = np.float32(0.06)  # strength of the lamp's reflection
GLOSS_SQUARINGS: Final = 4  # its sharpness: the cosine to the 16th power
EDGE_SHADE: Final = 0.28  # how much darker skin is where it turns away from the camera


@dataclass(frozen=True)
class Light:
    """One lamp and the light of the room.

    Attributes:
        direction: (3,) unit vector to the lamp on the camera's axes.
        lamp: (3,) RGB strength.
        room: (3,) RGB strength.
    """

    direction: FloatArray
    lamp: FloatArray
    room: FloatArray


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a lamp on the camera's side of the hand, mostly above it."""
    direction = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, 0.2), -1.0])
    warmth = rng.normal(0.0, 0.05)
    tint = np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    share = rng.uniform(0.40, 0.65)
    strength = rng.uniform(0.9, 1.15)
    return Light(
        direction=direction / np.linalg.norm(direction),
        lamp=tint * share * strength,
        room=(1.0 - 0.8 * share) * strength * np.ones(3),
    )


def sample_skin(rng: np.random.Generator) -> FloatArray:
    """Draw the skin of one person: (2, 3) sRGB in [0, 1] of the back and of the palm."""
    place = rng.uniform(0.0, len(SKIN_TONES) - 1.0)
    below = int(place)
    tone = SKIN_TONES[below] + (SKIN_TONES[below + 1] - SKIN_TONES[below]) * (place - below)
    return np.asarray(np.clip(tone + rng.normal(0.0, 0.015, (1, 3)), 0.05, 1.0))


def shade(
    surface: Surface, skin: FloatArray, light: Light, hand_px: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Colour the surface of a hand.

    Args:
        surface: what the camera sees.
        skin: (2, 3) sRGB of the back and of the palm.
        light: the lamp and the room.
        hand_px: size of the hand in pixels.
        rng: draws the mottling of the skin.

    Returns:
        (height, width, 3) float32 sRGB, about [0, 1]; 0 where nothing was drawn.
    """
    colour = np.zeros((*surface.depth.shape, 3), dtype=np.float32)
    x, y, width, height = cv2.boundingRect((surface.depth < FAR_PX).view(np.uint8))
    box = (slice(y, y + height), slice(x, x + width))
    colour[box] = _shade_box(surface.at(box), skin, light, hand_px, _mottling((height, width), rng))
    return colour


def _shade_box(
    surface: Surface, skin: FloatArray, light: Light, hand_px: float, mottling: Plane
) -> NDArray[np.float32]:
    """Colour a part of a surface, as `shade` does; `mottling` is (height, width) about 1."""
    seen = surface.depth < FAR_PX
    openness = _openness(surface, hand_px)[seen]
    reached = _reached(surface.depth, light.direction, hand_px)[seen]
    pixels = surface.at(seen)
    normal = pixels.normal / (np.sqrt((pixels.normal * pixels.normal).sum(axis=0)) + np.float32(1e-6))
    colour = np.zeros((*seen.shape, 3), dtype=np.float32)
    lit = _albedo(pixels, skin) * mottling[seen] * _light(normal, light, openness, reached)
    colour[seen] = (lit + GLOSS * openness * _gloss(normal, light)).T
    return colour


def _light(normal: Plane, light: Light, openness: Plane, reached: Plane) -> Plane:
    """(3, n) RGB light that n pixels of skin with (3, n) normals give back."""
    towards = _facing(light.direction, normal)
    lit = np.maximum((towards + WRAP) / (1.0 + WRAP), 0.0)
    lamp = light.lamp.astype(np.float32)[:, None] * (lit * reached * (0.4 + 0.6 * openness))
    room = light.room.astype(np.float32)[:, None] * ((0.85 - 0.15 * normal[1]) * openness)
    turned = 1.0 + normal[2]
    return np.asarray((lamp + room) * (1.0 - EDGE_SHADE * turned * turned))


def _gloss(normal: Plane, light: Light) -> Plane:
    """(n,) in [0, 1]: the lamp's reflection in the skin."""
    halfway = light.direction + np.array([0.0, 0.0, -1.0])
    gloss = np.maximum(_facing(halfway / np.linalg.norm(halfway), normal), 0.0)
    for _ in range(GLOSS_SQUARINGS):
        gloss = gloss * gloss
    return np.asarray(gloss)


def _facing(direction: FloatArray, normal: Plane) -> Plane:
    """(n,) cosines between one direction and (3, n) normals."""
    return np.asarray(direction.astype(np.float32) @ normal)


def _openness(surface: Surface, hand_px: float) -> Plane:
    """(height, width), how much of the room a pixel sees: less with its neighbours before it."""
    mask = (surface.depth < FAR_PX).astype(np.float32)
    depth = surface.depth * mask
    openness = np.ones_like(depth)
    for share in OCCLUSION_SCALES:
        reach = max(int(share * hand_px), 1) * 2 + 1
        around = cv2.blur(depth, (reach, reach)) / (cv2.blur(mask, (reach, reach)) + 1e-6)
        behind = (depth - around) / np.float32(share * hand_px)
        openness *= 1.0 - OCCLUSION_DEPTH * np.clip(behind, 0.0, 1.0)
    return np.asarray(openness)


def _reached(depth: Plane, direction: FloatArray, hand_px: float) -> Plane:
    """(height, width) in [0, 1], how much of the lamp's light comes past the rest of the hand.

    Looks for something in front of the ray to the lamp at a few places along it.
    """
    height, width = depth.shape
    darkest = np.zeros_like(depth)
    for share in SHADOW_STEPS:
        column, row, rise = direction * (share * hand_px / float(np.hypot(*direction[:2])))
        shift = np.array([[1.0, 0.0, -column], [0.0, 1.0, -row]])
        there = cv2.warpAffine(depth, shift, (width, height), borderValue=FAR_PX)
        cover = (depth + np.float32(rise) - there) / np.float32(SHADOW_SOFTNESS * hand_px)
        np.maximum(darkest, np.clip(cover, 0.0, 1.0), out=darkest)
    return np.asarray(1.0 - SHADOW_DEPTH * cv2.blur(darkest, (3, 3)))


def _albedo(pixels: Surface, skin: FloatArray) -> Plane:
    """(3, n) colour of the skin without light."""
    back, palm = skin.astype(np.float32)[..., None]
    palmar = np.clip(0.5 - 1.2 * pixels.back, 0.0, 1.0)
    colour = (back + (palm - back) * palmar) * (1.0 - CREASE_DEPTH * _creases(pixels))
    return np.asarray(colour * (1.0 + (NAIL_TINT - 1.0) * _nails(pixels)), dtype=np.float32)


def _creases(pixels: Surface) -> Plane:
    """(n,) in [0, 1]: the folds of the joints, on the palm's side of the digits."""
    digit = pixels.part >= THUMB
    near_joint = np.minimum(pixels.along, 1.0 - pixels.along) / np.float32(0.05)
    is_tip = (pixels.bone == 2) & (pixels.along > 0.5)
    fold = np.exp(-near_joint * near_joint) * np.clip(0.3 - pixels.back, 0.0, 1.0)
    return np.where(digit & ~is_tip, fold, np.float32(0.0))


def _nails(pixels: Surface) -> Plane:
    """(n,) in [0, 1]: the nail plates."""
    end = (pixels.bone == 2) & (pixels.part >= THUMB)
    length = np.clip((pixels.along - 0.45) * 12.0, 0.0, 1.0)
    width = np.clip((0.62 - np.abs(pixels.side)) * 10.0, 0.0, 1.0)
    return np.where(end, length * width * (pixels.back > 0.3), np.float32(0.0))


def _mottling(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """(height, width) about 1: blotches of the skin."""
    coarse = rng.normal(1.0, 0.035, (shape[0] // 12 + 2, shape[1] // 12 + 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
