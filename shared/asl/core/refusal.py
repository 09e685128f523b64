"""What a classifier refuses to name: thresholds of its confidence, and how well they tell letters from other hands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Confidences = NDArray[np.floating[Any]]

UNSURE_SHARE: Final = 0.05
"""Of letters whose answers are refused."""
NOT_A_LETTER_SHARE: Final = 0.02
"""Of letters that are taken for no letter."""


@dataclass(frozen=True)
class Thresholds:
    """Confidences below which an answer is refused, and below which a refused one is taken for no letter."""

    unsure_below: float
    not_a_letter_below: float


@dataclass(frozen=True)
class RefusalScore:
    """What of a group's letters is kept, and what of other hands refused, by thresholds of the other groups."""

    group: str
    kept: float
    """Share of letters, in [0, 1]."""
    right_of_kept: float
    """Share of the kept letters that are read right; 0 where none is kept."""
    refused: Mapping[str, float]
    """Share of each kind of hands that are no letters, in [0, 1]."""


def fit_thresholds(letters: Sequence[Confidences]) -> Thresholds:
    """Find the thresholds that refuse a fixed share of letters.

    Args:
        letters: For each group, (n,) confidences of answers on letters by models that never saw it; groups count the
            same, whatever their size.
    """
    known = [part for part in letters if len(part)]
    if not known:
        return Thresholds(0.0, 0.0)
    values = np.concatenate(known)
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in known])
    unsure, not_a_letter = (
        float(np.quantile(values, share, weights=weights, method="inverted_cdf"))
        for share in (UNSURE_SHARE, NOT_A_LETTER_SHARE)
    )
    return Thresholds(unsure, not_a_letter)


def score(
    group: str,
    letters: Confidences,
    is_right: NDArray[np.bool_],
    others: Mapping[str, Confidences],
    thresholds: Thresholds,
) -> RefusalScore:
    """Measure what thresholds keep and refuse.

    Args:
        group: Whose letters they are.
        letters: (n,) confidences of answers on letters.
        is_right: (n,) bool, whether each is right.
        others: For each kind of hands that are no letters, (m,) confidences.
        thresholds: See `fit_thresholds`.
    """
    is_kept = letters >= thresholds.unsure_below
    return RefusalScore(
        group=group,
        kept=float(is_kept.mean()),
        right_of_kept=float(is_right[is_kept].mean()) if is_kept.any() else 0.0,
        refused={name: float((part < thresholds.unsure_below).mean()) for name, part in others.items()},
    )
