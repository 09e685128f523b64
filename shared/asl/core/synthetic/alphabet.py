"""The alphabet as one signer shows it before a calm background: pictures to learn from, and to try recognition with."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.hand import LETTERS
from asl.core.synthetic.renderer import RenderedHand, render_hand

_SIGNER: Final = 13
_SIZE: Final = (480, 480)
_USUAL_SEED: Final = 57
_SEEDS: Final = {"E": 53, "G": 20, "H": 18, "K": 22, "Q": 20, "S": 22}
"""Chosen for hands that fill the picture and are well lit; all other letters are drawn with the usual one."""
_BRIGHTEST: Final = 0.80
_FALL_OFF: Final = 0.28  # from the middle to the edges
_TINT: Final = (0.97, 0.985, 1.0)


def render_alphabet() -> Iterator[RenderedHand]:
    """Render a right hand for each letter, in order; J and Z are shown as they start."""
    background = _backdrop(_SIZE)
    for letter in LETTERS:
        seed = _SEEDS.get(letter, _USUAL_SEED)
        yield render_hand(letter, seed=seed, signer=_SIGNER, size=_SIZE, background=background)


def _backdrop(size: tuple[int, int]) -> NDArray[np.float32]:
    """Draw a grey wall, lit in the middle; (height, width, 3) float32 in [0, 1]."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    brightness = _BRIGHTEST - _FALL_OFF * np.hypot(x / width - 0.5, y / height - 0.45)
    return np.asarray(brightness[..., None] * np.array(_TINT), np.float32)
