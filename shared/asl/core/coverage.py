"""How right the answers are that are kept, where the least confident ones are refused: the risk-coverage curve."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

N_POINTS: Final = 100


@dataclass(frozen=True)
class CoveragePoint:
    """What comes of refusing answers of less than some confidence."""

    unsure_below: float
    """Refused is what is less confident."""
    coverage: float
    """Share of the rows that is still answered, in [0, 1]."""
    accuracy: float
    """Of the answers kept, in [0, 1]; 0 where none is."""


@dataclass(frozen=True)
class Coverage:
    """Accuracy against the share answered."""

    points: tuple[CoveragePoint, ...]
    """From few answers to all; rows of one confidence are kept or refused together."""
    aurc: float
    """Area under the risk-coverage curve, the mean share of mistakes over all coverages; 0 is perfect (Geifman and
    El-Yaniv 2017, "Selective Classification for Deep Neural Networks")."""
    least_aurc: float
    """That of an order that puts every mistake last: what no confidence can beat at this accuracy."""
    as_set: CoveragePoint | None = None
    """By the model's own threshold; None where it refuses nothing."""


def coverage_of(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], unsure_below: float = 0.0
) -> Coverage:
    """Measure what refusing the least confident answers does, as `measure_coverage`.

    Args:
        probabilities: (n, classes), each row sums to 1; at least one row.
        labels: (n,) int.
        unsure_below: The confidence below which the model refuses to answer.
    """
    return measure_coverage(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, unsure_below)


def measure_coverage(
    confidences: NDArray[np.floating[Any]], is_right: NDArray[np.bool_], unsure_below: float = 0.0
) -> Coverage:
    """Measure what refusing the least confident answers does.

    Args:
        confidences: (n,) of each answer, in [0, 1]; at least one.
        is_right: (n,) bool, whether each is right.
        unsure_below: The confidence below which the model refuses to answer.
    """
    order = np.argsort(-confidences, kind="stable")
    sorted_confidences, right = confidences[order], is_right[order]
    counts = np.arange(1, len(order) + 1)
    # The last row of each confidence: those before it cannot be had without it.
    ends = np.flatnonzero(np.append(sorted_confidences[1:] != sorted_confidences[:-1], True))
    accuracy = np.cumsum(right)[ends] / counts[ends]
    shares = np.diff(np.append(0, counts[ends])) / len(order)
    least = np.cumsum(np.sort(~is_right)) / counts
    chosen = np.unique(np.searchsorted(counts[ends], np.linspace(1, len(order), N_POINTS)))
    return Coverage(
        points=tuple(
            CoveragePoint(
                float(sorted_confidences[ends[at]]), float(counts[ends[at]] / len(order)), float(accuracy[at])
            )
            for at in chosen
        ),
        aurc=float(((1 - accuracy) * shares).sum()),
        least_aurc=float(least.mean()),
        as_set=_kept(confidences, is_right, unsure_below) if unsure_below else None,
    )


def _kept(confidences: NDArray[np.floating[Any]], is_right: NDArray[np.bool_], unsure_below: float) -> CoveragePoint:
    is_kept = confidences >= unsure_below
    accuracy = float(is_right[is_kept].mean()) if is_kept.any() else 0.0
    return CoveragePoint(unsure_below, float(is_kept.mean()), accuracy)
