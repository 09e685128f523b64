"""Made-up data for tests."""

from collections.abc import Sequence

import numpy as np

from asl.core.dataset import Dataset, from_landmarks
from asl.core.hand import N_LANDMARKS


def make_landmarks(labels: Sequence[int], *, seed: int = 0, noise: float = 0.03) -> np.ndarray:
    """Return (n, 21, 3) float32 landmarks: each class has a pose of its own, each row is near it."""
    poses = np.random.default_rng(1000).uniform(0.2, 0.8, (max(labels) + 1, N_LANDMARKS, 3))
    rows = np.random.default_rng(seed).normal(0, noise, (len(labels), N_LANDMARKS, 3))
    return (poses[np.asarray(labels)] + rows).astype(np.float32)


def make_dataset(
    *,
    letters: str = "ABCD",
    rows_per_letter: int = 10,
    groups: Sequence[str] = ("",),
    seed: int = 0,
    noise: float = 0.03,
    label_names: Sequence[str] | None = None,
) -> Dataset:
    """Return a data set that a small network learns in a few epochs.

    Each group has `rows_per_letter` rows of each letter; every third hand is a left one.
    """
    labels = [label for _ in groups for label in range(len(letters)) for _ in range(rows_per_letter)]
    landmarks = make_landmarks(labels, seed=seed, noise=noise)
    is_left = np.arange(len(labels)) % 3 == 0
    landmarks[is_left, :, 0] = 1 - landmarks[is_left, :, 0]
    return from_landmarks(
        landmarks=landmarks,
        letters=np.array(list(letters))[labels],
        handedness=np.where(is_left, "left", "right"),
        group=np.repeat(np.array(groups), len(letters) * rows_per_letter),
        label_names=label_names,
    )
