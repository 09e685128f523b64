"""How far a classifier's confidence may be trusted, and the one number that mends it."""

from dataclasses import dataclass
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

N_BINS: Final = 15
"""Bins of the calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows answered with a confidence in (lower, upper]."""

    lower: float
    upper: float
    n_rows: int
    confidence: float
    """Mean of the rows."""
    accuracy: float


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


def reliability_bins(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], n_bins: int = N_BINS
) -> tuple[ReliabilityBin, ...]:
    """Put answers into bins of equal width by their confidence, and measure how often those of each are right.

    Args:
        probabilities: (n, classes), each row sums to 1.
        labels: (n,) int.
        n_bins: Into how many bins the confidences from 0 to 1 are put.

    Returns:
        The bins that hold rows, in order.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == labels
    # A confidence on an edge belongs to the bin below it, as in the paper's code.
    bin_of = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    rows_of = ((int(index), bin_of == index) for index in np.unique(bin_of))
    return tuple(
        ReliabilityBin(
            lower=index / n_bins,
            upper=(index + 1) / n_bins,
            n_rows=int(rows.sum()),
            confidence=float(confidence[rows].mean()),
            accuracy=float(is_right[rows].mean()),
        )
        for index, rows in rows_of
    )


def expected_calibration_error(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], n_bins: int = N_BINS
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
    bins = reliability_bins(probabilities, labels, n_bins)
    return sum(entry.n_rows * abs(entry.accuracy - entry.confidence) for entry in bins) / len(labels)
