"""Films of a hand that spells: the pictures, or only the landmarks, as MediaPipe would find them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.background import draw_background
from asl.core.synthetic.camera import DISTANCE_RANGE_M, Camera
from asl.core.synthetic.renderer import GIRTH_RANGE, Handedness, Look, draw, project
from asl.core.synthetic.shading import sample_light, sample_skin
from asl.core.synthetic.signers import PosedHand
from asl.core.synthetic.skeleton import BoneLengths, FloatArray, HandAngles, pose_hand, rotation, vary_bones
from asl.core.synthetic.timeline import ANGLES, FOREARM, PLACE, VIEW, Spelling

_COVER_RANGE: Final = (0.36, 0.52)
"""The share of the picture's height that an open hand covers: strokes need room."""
_HAND_M: Final = 0.18
_WRIST_RANGES: Final = ((0.42, 0.58), (0.68, 0.78))
"""Where in the picture the wrist rests, of its width and height."""

# How MediaPipe errs, relative to the hand's size: measured once on rendered hands, of which the joints are known, and
# on films of real hands that are held still.
_JITTER: Final = np.array([0.007, 0.007, 0.014])
"""Anew in each frame; standard deviation in x, y, z."""
_WANDERING: Final = np.array([0.014, 0.014, 0.035])
_MEMORY_S: Final = 0.25
"""How long an error lasts that comes and goes."""
_BLUR: Final = 0.02
"""More jitter a hand's size that a joint moves per frame of 1/25 s."""
_DEPTH_DAMPING: Final = (-0.15, 0.25)
"""Mean and standard deviation of the logarithm of z's scale."""
_LOST_SHARE: Final = 0.03
_WRONG_SIDE_SHARE: Final = 0.03


@dataclass(frozen=True)
class FoundFilm:
    """The landmarks of a film, as found.

    Attributes:
        landmarks: (n, 21, 3) float32, as MediaPipe gives them; nonsense where the hand is lost.
        is_found: (n,) bool.
        is_left: (n,) bool, the side that was named.
        size: width and height of the picture.
    """

    landmarks: NDArray[np.float32]
    is_found: NDArray[np.bool_]
    is_left: NDArray[np.bool_]
    size: tuple[int, int]


class FilmMaker:
    """One signer's bones and looks before one camera."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int] = (640, 480)) -> None:
        """Draw them."""
        self._rng, self._size = rng, size
        self._bones = vary_bones(rng)
        self._camera = _place(size, rng)
        self._handedness: Handedness = "left" if rng.random() < 0.3 else "right"

    def render(self, spelling: Spelling) -> Iterator[NDArray[np.uint8]]:
        """Render each frame: (height, width, 3) uint8, RGB."""
        rng = self._rng
        look = Look(float(rng.uniform(*GIRTH_RANGE)), sample_skin(rng), sample_light(rng))
        background = draw_background(self._size, rng)
        for state in spelling.states:
            hand, camera = posed(state, self._bones), self._camera_at(state[PLACE])
            image = draw(hand, camera, look, self._size, rng=rng, background=background)
            yield image if self._handedness == "right" else np.ascontiguousarray(image[:, ::-1])

    def find(self, spelling: Spelling) -> FoundFilm:
        """Make the landmarks that MediaPipe would find, with errors as its own."""
        rng, times_s = self._rng, spelling.times_s
        true = np.array([self._project(state) for state in spelling.states])
        points = _inexact(true, times_s, self._size, rng)
        is_left = np.full(len(points), self._handedness == "left")
        if self._handedness == "left":
            points[..., 0] = 1.0 - points[..., 0]
        is_wrong = rng.random(len(points)) < _WRONG_SIDE_SHARE
        return FoundFilm(points.astype(np.float32), _found(points, rng), is_left ^ is_wrong, self._size)

    def _project(self, state: FloatArray) -> NDArray[np.float32]:
        hand = posed(state, self._bones)
        return project(hand.skeleton.joints @ hand.turn.T, self._camera_at(state[PLACE]), self._size)

    def _camera_at(self, place: FloatArray) -> Camera:
        """The camera as the wrist sees it, which its position is relative to."""
        camera = self._camera
        distance = camera.distance + float(place[2])
        return replace(camera, distance=distance, centre=camera.centre + place[:2] * camera.focal / distance)


def posed(state: FloatArray, bones: BoneLengths) -> PosedHand:
    """Pose a signer's hand as a state of `asl.core.synthetic.timeline` says."""
    angles = HandAngles(state[ANGLES][:16].reshape(4, 4), state[ANGLES][16:]).limited()
    yaw, pitch, roll = state[VIEW]
    flexion, deviation = state[FOREARM]
    return PosedHand(
        skeleton=pose_hand(angles, bones),
        bones=bones,
        turn=rotation("z", roll) @ rotation("x", pitch) @ rotation("y", yaw),
        forearm=(rotation("z", deviation) @ rotation("x", flexion))[:, 1],
    )


def _place(size: tuple[int, int], rng: np.random.Generator) -> Camera:
    distance = float(rng.uniform(*DISTANCE_RANGE_M))
    focal = float(rng.uniform(*_COVER_RANGE)) * size[1] * distance / _HAND_M
    return Camera(
        distance, focal, np.array([rng.uniform(*span) * side for span, side in zip(_WRIST_RANGES, size, strict=True)])
    )


def _inexact(true: FloatArray, times_s: FloatArray, size: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    units = np.array([size[0], size[1], size[0]], np.float64)
    pixels = true * units
    hand_px = np.linalg.norm(pixels - pixels[:, :1], axis=2).max(axis=1).mean()
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    moved = np.zeros((len(true), true.shape[1], 1))
    moved[1:, :, 0] = np.linalg.norm(np.diff(pixels, axis=0), axis=2) / hand_px / (25.0 * step_s)
    strength = float(np.exp(rng.normal(0.0, 0.35)))
    noise = rng.normal(0.0, 1.0, true.shape) * _JITTER * (1.0 + moved * _BLUR / _JITTER[0] * 10.0)
    keep = float(np.exp(-step_s / _MEMORY_S))
    wandering = rng.normal(0.0, 1.0, true.shape)
    for i in range(1, len(true)):
        wandering[i] = keep * wandering[i - 1] + np.sqrt(1.0 - keep * keep) * wandering[i]
    pixels[..., 2] *= np.exp(rng.normal(*_DEPTH_DAMPING))
    pixels += (noise + wandering * _WANDERING) * hand_px * strength
    pixels[..., 2] -= pixels[:, :1, 2]
    return np.asarray(pixels / units, np.float64)


def _found(points: FloatArray, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) bool: now and then a hand is lost, for a frame or for some."""
    is_found = rng.random(len(points)) >= _LOST_SHARE
    for start in np.flatnonzero(~is_found):
        is_found[start : start + int(rng.geometric(0.6))] = False
    return is_found
