"""Hands that are no letters, for a classifier to learn and to show that it does not know them.

Trained to be unsure of such hands (Hendrycks et al. 2019, "Deep Anomaly Detection with Outlier Exposure"), a classifier
tells by its confidence whether a hand shows a letter at all.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.core.augmentation import as_right_hands
from asl.core.dataset import Dataset
from asl.core.features import FloatArray
from asl.core.synthetic.shapes import LEARNED, NAMED, sample_named, sample_shapes
from asl.errors import DatasetInvalid

BETWEEN_LETTERS: Final = "between two letters"

_N_SHAPES: Final = 4_000
_SHAPES_SEED: Final = 1
_BETWEEN_SHARE: Final = 0.4
_LEARNED_SHARE: Final = 0.2
"""Of the hands to train on; the others are shapes that the kinematic model draws at random."""
_N_OF_EACH_LEARNED: Final = 500
_WEIGHTS: Final = (0.35, 0.65)
"""Of one of the two hands that are mixed."""
_N_OF_EACH_NAME: Final = 40
_TEST_SEED: Final = 7


def draw(data: Dataset, count: int, generator: np.random.Generator) -> FloatArray:
    """Draw hands to train on: shapes of the kinematic model, some of them with names, and hands between two letters.

    Args:
        data: Hands that train, with landmarks.
        count: How many.
        generator: Where chance comes from.

    Returns:
        About (count, 21, 3) float32: right hands relative to the wrist, as long in x as in y; fewer where drawn pairs
        show the same letter.
    """
    shapes, learned = _shapes()
    n_between, n_learned = round(count * _BETWEEN_SHARE), round(count * _LEARNED_SHARE)
    drawn = shapes[generator.integers(0, len(shapes), count - n_between - n_learned)]
    named = learned[generator.integers(0, len(learned), n_learned)]
    return np.concatenate([drawn, named, _between(data, n_between, generator, _WEIGHTS)])


def hands_to_refuse(data: Dataset) -> dict[str, FloatArray]:
    """Make hands to test on: shapes with names, of which `draw` draws only `LEARNED`, and half-way between letters.

    Args:
        data: Hands that are tested on, with landmarks, of at least two letters.

    Returns:
        For each name, and for `BETWEEN_LETTERS`, (n, 21, 3) float32 as `draw` gives them.
    """
    generator = np.random.default_rng(_TEST_SEED)
    hands = {name: sample_named(name, _N_OF_EACH_NAME, generator) for name in NAMED}
    return {**hands, BETWEEN_LETTERS: _between(data, len(NAMED) * _N_OF_EACH_NAME, generator, (0.5, 0.5))}


@lru_cache(maxsize=1)
def _shapes() -> tuple[FloatArray, FloatArray]:
    """Draw shapes at random, and those with names."""
    generator = np.random.default_rng(_SHAPES_SEED)
    shapes = sample_shapes(_N_SHAPES, generator)
    return shapes, np.concatenate([sample_named(name, _N_OF_EACH_LEARNED, generator) for name in LEARNED])


def _between(
    data: Dataset, count: int, generator: np.random.Generator, weights: tuple[float, float]
) -> NDArray[np.float32]:
    first, second = generator.integers(0, len(data), (2, count))
    differ = data.labels[first] != data.labels[second]
    first, second = first[differ], second[differ]
    hands = as_right_hands(_landmarks(data), data.is_left, data.image_size)
    weight = generator.uniform(*weights, (len(first), 1, 1)).astype(np.float32)
    return np.asarray(hands[first] * (1 - weight) + hands[second] * weight, np.float32)


def _landmarks(data: Dataset) -> FloatArray:
    if data.landmarks is None:
        raise DatasetInvalid("expected landmarks to make hands between letters of, found features only")
    return data.landmarks
