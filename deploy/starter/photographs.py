"""How often hands are found in photographs, and how well letters are read where a hand not found is an error."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from asl.core import images, landmarker
from asl.core.extraction import HandExtractor
from asl.core.hand import LETTERS, MOTION_LETTERS
from asl.core.images import RgbImage
from asl.core.synthetic.background import draw_background

N_EMPTY: Final = 1_000
"""Pictures without a hand that are drawn."""
_EMPTY_SIZE: Final = (640, 480)
STILL: Final = tuple(letter for letter in LETTERS if letter not in MOTION_LETTERS)


@dataclass(frozen=True)
class Counts:
    """Photographs by source and letter."""

    all: Counter[tuple[str, str]]
    missed: Counter[tuple[str, str]]
    """Those in which no hand is found."""

    @property
    def sources(self) -> list[str]:
        """All sources, sorted."""
        return sorted({source for source, _ in self.all})

    def with_letter(self, letter: str) -> list[str]:
        """Tell the sources that have photographs of a letter, sorted."""
        return sorted(source for source, name in self.all if name == letter)

    def found(self, sources: Iterable[str], letters: Iterable[str]) -> float:
        """Tell the share of photographs in which a hand is found."""
        keys = [(source, letter) for source in sources for letter in letters]
        return 1 - sum(self.missed[key] for key in keys) / sum(self.all[key] for key in keys)


def count(folder: Path, skipped: Path) -> Counts:
    """Count photographs, and those without a hand.

    Args:
        folder: A folder for each source, with one for each letter.
        skipped: What `asl prepare-dataset` writes beside its data set.
    """
    photographs = Counter((path.parts[-3], path.parts[-2]) for path in folder.glob("*/?/*"))
    with skipped.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["class"]]
    return Counts(photographs, Counter((row["group"], row["class"]) for row in rows))


def accuracies(counts: Counts, report: dict[str, Any]) -> list[list[str | float]]:
    """Tell of each source, worst first, what is found and what is read right, by models that never saw the source.

    Args:
        counts: See `count`.
        report: Of `asl cross-validate`.

    Returns:
        Rows of source, share found, share of the found that is read right, and of all photographs, which is their
        product; these three without J and Z. Then the last one of A to Z.
    """
    groups = [group for group in report["groups"] if group["group"] in counts.sources]
    rows: list[list[str | float]] = []
    for group in groups:
        source = group["group"]
        found, whole = counts.found([source], STILL), counts.found([source], LETTERS)
        right = group["still_accuracy"]
        rows.append([source, found, right, found * right, whole * group["accuracy"]])
    return sorted(rows, key=lambda row: row[3])


def false_hands(folder: Path) -> tuple[int, int, int]:
    """Count drawn pictures, and photographs without a hand in a folder, in which a hand is found.

    Returns:
        Of the drawn ones, of the photographs, and how many photographs there are.
    """
    photographs = [images.decode(path.read_bytes()) for path in sorted(folder.iterdir())]
    with HandExtractor(landmarker.ensure()) as extractor:
        drawn = sum(bool(extractor.extract(_empty(number))) for number in range(N_EMPTY))
        found = sum(bool(extractor.extract(picture)) for picture in photographs)
    return drawn, found, len(photographs)


def _empty(number: int) -> RgbImage:
    picture = draw_background(_EMPTY_SIZE, np.random.default_rng(number))
    return np.asarray(np.clip(picture * 255, 0, 255), np.uint8)
