"""How far a classifier's confidence may be trusted, and the one number that mends it."""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_LOWEST_TEMPERATURE: Final = 0.05
_HIGHEST_TEMPERATURE: Final = 20.0
_N_STEPS: Final = 60
_GOLDEN: Final = (5**0.5 - 1) / 2


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the number by which logits are divided so that their confidence fits how often they are right.

    Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks"): the least negative log-likelihood
    over the logarithm of the temperature, which has one minimum there, by golden-section search.

    Args:
        logits: (n, classes) float, of rows that were not trained on.
        labels: (n,) int64.

    Returns:
        The temperature, from 0.05 to 20; 1 where there are no rows.
    """
    if not len(labels):
        return 1.0
    logits, labels = logits.detach().to("cpu", torch.float64), labels.cpu()

    def loss(log_temperature: float) -> float:
        return float(functional.cross_entropy(logits / float(np.exp(log_temperature)), labels))

    low, high = float(np.log(_LOWEST_TEMPERATURE)), float(np.log(_HIGHEST_TEMPERATURE))
    for _ in range(_N_STEPS):
        width = (high - low) * _GOLDEN
        low, high = (low, low + width) if loss(high - width) < loss(low + width) else (high - width, high)
    return float(np.exp((low + high) / 2))


def expected_calibration_error(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], n_bins: int = 15
) -> float:
    """Measure by how much confidence and accuracy differ on average (ECE; Naeini et al. 2015).

    Args:
        probabilities: (n, classes), each row sums to 1.
        labels: (n,) int.
        n_bins: Into how many bins of equal width the confidences from 0 to 1 are put.

    Returns:
        From 0, perfect, to 1; 0 where there are no rows.
    """
    if not len(labels):
        return 0.0
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    # A confidence on an edge belongs to the bin below it, as in the paper's code.
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gap = np.bincount(bins, is_right - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(labels))
