"""What labelled hands lack, and what to do about it: sentences, and the names by which they go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from asl.core.dataset import Dataset, with_schema
from asl.core.features import SCHEMA
from asl.core.hand import LETTERS, N_LANDMARKS
from asl.errors import AslError

FEW_ROWS: Final = 30
"""Rows below which a letter has few."""
UNEVEN: Final = 4.0
"""So many times the rows of the rarest letter, the commonest has too many."""
NEAR: Final = 0.02
"""Of the hand's size: root mean square distance of landmarks at which two hands count as nearly the same. Of one-signer
collections of frames 80 to 93 % of the rows have such a neighbour, of photographs from many rooms 0.1 %."""
_MANY_NEAR: Final = 0.1
_MAX_COMPARED: Final = 200
"""Rows of a letter and group that are compared with each other."""
_FOUND_SHARE: Final = 0.8
_ENOUGH_PHOTOGRAPHS: Final = 5
_NAMED: Final = 8


class AdviceCode(StrEnum):
    """What advice is about."""

    UNBALANCED = "unbalanced"
    FEW_ROWS = "few_rows"
    MISSING_LETTERS = "missing_letters"
    ONE_SIGNER = "one_signer"
    NO_SIGNERS = "no_signers"
    ONE_SIGNERS_LETTERS = "one_signers_letters"
    NEAR_DUPLICATES = "near_duplicates"
    RARELY_FOUND = "rarely_found"
    OVERFITTING = "overfitting"
    UNDERFITTING = "underfitting"
    UNFINISHED = "unfinished"
    RARELY_READ = "rarely_read"
    WEAK_GROUP = "weak_group"
    OVERCONFIDENT = "overconfident"


@dataclass(frozen=True)
class Advice:
    """Something that was found, and what to do about it."""

    code: AdviceCode
    found: str
    """A sentence."""
    remedy: str
    """A sentence."""

    def __str__(self) -> str:
        return f"{self.found} {self.remedy}"

    def as_dict(self) -> dict[str, str]:
        """Return plain values."""
        return asdict(self)


def of_dataset(dataset: Dataset) -> tuple[Advice, ...]:
    """Tell what labelled hands lack.

    Args:
        dataset: The hands.
    """
    return (*_of_letters(dataset), *_of_groups(dataset), *_of_duplicates(dataset))


def of_hands_found(counts: Mapping[str, tuple[int, int]]) -> tuple[Advice, ...]:
    """Tell in which letters' photographs hands were rarely found.

    Args:
        counts: For each letter how many photographs there are, and in how many of them a hand was found.
    """
    shares = {name: found / n for name, (n, found) in counts.items() if n >= _ENOUGH_PHOTOGRAPHS}
    rare = sorted((name for name in shares if shares[name] < _FOUND_SHARE), key=lambda name: shares[name])
    if not rare:
        return ()
    named = ", ".join(f"{name} ({shares[name]:.0%})" for name in rare[:_NAMED])
    return (
        Advice(
            AdviceCode.RARELY_FOUND,
            f"Hands are found in few photographs of {named}{_and_more(rare)}.",
            "See that the whole hand is in the picture and well lit, or lower --min-detection-confidence; a letter of "
            "which only easy photographs are found is learnt from these alone.",
        ),
    )


def _of_letters(dataset: Dataset) -> Iterator[Advice]:
    names, counts = np.unique(dataset.letters, return_counts=True)
    by_count = sorted(zip(counts.tolist(), names.tolist(), strict=True))
    (least, rarest), (most, commonest) = by_count[0], by_count[-1]
    if most > UNEVEN * least:
        yield Advice(
            AdviceCode.UNBALANCED,
            f"Unbalanced: {commonest} has {most:,} rows, {rarest} {least:,}.",
            "Train with --use-class-weights, or --train-rows-per-class; better, add photographs of the rare letters.",
        )
    if few := [name for count, name in by_count if count < FEW_ROWS]:
        yield Advice(
            AdviceCode.FEW_ROWS,
            f"Fewer than {FEW_ROWS} rows show {', '.join(few[:_NAMED])}{_and_more(few)}.",
            "Add photographs of them; --augment-images adds altered copies, which help less.",
        )
    missing = [letter for letter in LETTERS if letter not in names]
    if missing and len(missing) < len(LETTERS) / 2 and set(names) <= set(LETTERS):
        yield Advice(
            AdviceCode.MISSING_LETTERS,
            f"No row shows {', '.join(missing)}.",
            "A model of these rows takes them for other letters; J and Z are movements, and often left out.",
        )


def _of_groups(dataset: Dataset) -> Iterator[Advice]:
    groups = dataset.groups
    if not groups:
        yield Advice(
            AdviceCode.NO_SIGNERS,
            "The rows name no signers or sources.",
            "Prepare them from DIR/<signer>/<letter>/ or with --groups FILE.csv: without, every figure flatters.",
        )
        return
    if len(groups) == 1:
        yield Advice(
            AdviceCode.ONE_SIGNER,
            f"All rows are of one signer or source, {groups[0]}.",
            "Add other people: nothing helps more, and nothing tells how well they would be read.",
        )
        return
    known = dataset.group != ""
    pairs = np.unique(np.stack([dataset.letters[known], dataset.group[known]]), axis=1)
    letters, n_groups = np.unique(pairs[0], return_counts=True)
    if alone := letters[n_groups == 1].tolist():
        yield Advice(
            AdviceCode.ONE_SIGNERS_LETTERS,
            f"Only one of {len(groups)} signers or sources shows {', '.join(alone[:_NAMED])}{_and_more(alone)}.",
            "Add these letters from other people.",
        )


def _of_duplicates(dataset: Dataset) -> Iterator[Advice]:
    try:
        points = with_schema(dataset, SCHEMA).features[:, : 3 * N_LANDMARKS]
    except AslError:  # there are no landmarks to compare
        return
    keys = np.unique(np.stack([dataset.group, dataset.letters]), axis=1, return_inverse=True)[1].ravel()
    n_compared = n_near = 0
    for key in range(int(keys.max(initial=-1)) + 1):
        rows = np.flatnonzero(keys == key)[:_MAX_COMPARED]
        n_compared += len(rows)
        n_near += int(_has_neighbour(dataset.take(rows), points[rows]).sum())
    if n_near > _MANY_NEAR * n_compared:
        yield Advice(
            AdviceCode.NEAR_DUPLICATES,
            f"{n_near / n_compared:.0%} of the rows are nearly the same as another of their letter and signer, as "
            "frames of a film are.",
            "They teach little: take fewer frames, from more places, views and people; a split by rows, or of one "
            "signer, says nothing here.",
        )


def _has_neighbour(dataset: Dataset, points: np.ndarray) -> np.ndarray:
    """Find rows that are nearly another one, copies of one photograph apart, which are known to be."""
    squares = (points * points).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0) / N_LANDMARKS
    is_copy = dataset.sample_sha256[:, None] == dataset.sample_sha256[None]
    is_copy |= (dataset.original[:, None] == dataset.original[None]) & (dataset.original != "")[:, None]
    is_near: np.ndarray = ((apart < NEAR**2) & ~is_copy).any(axis=1)
    return is_near


def _and_more(names: Sequence[str]) -> str:
    return f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
