"""How well photographs are read at one look and at two, by models that never saw their source."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from photographs import STILL

from asl.contracts import ExtractionOptions, NoLetter, Recognition, RecognitionOptions
from asl.core import landmarker
from asl.core.calibration import expected_calibration_error
from asl.core.classifier import load_classifier
from asl.core.hand import LETTERS
from asl.core.recognition import Recognizer

Probabilities: TypeAlias = NDArray[np.float64]

HEADS: Final = (
    *("source", "one look: of all photographs", "ECE"),
    *("as served: of all photographs", "ECE", "letters kept", "of these right", "looked at twice"),
)
_ONCE: Final = ExtractionOptions(second_look_below=0)
_AS_SERVED: Final = ExtractionOptions()
_WHOLE: Final = RecognitionOptions(top_k=len(LETTERS))


@dataclass(frozen=True)
class Reading:
    """One photograph with a hand as one model read it."""

    label: int
    once: Probabilities
    """(26,) at one look."""
    as_served: Probabilities
    """(26,)"""
    is_named: bool
    """As served: whether a letter is named."""


def read(folder: Path, models: Sequence[Path]) -> tuple[int, list[Reading]]:
    """Read all photographs of a source but those of J and Z.

    Args:
        folder: The source's, with a folder for each letter.
        models: Trained without it; each reads all.

    Returns:
        How many photographs were read, once for each model, and what was read where a hand was found.
    """
    photographs = [(letter, path) for letter in STILL for path in sorted((folder / letter).glob("*"))]
    with ProcessPoolExecutor() as pool:
        parts = pool.map(_read, repeat(photographs), models)
        return len(photographs) * len(models), [reading for part in parts for reading in part]


def figures(n_all: int, readings: Sequence[Reading]) -> tuple[float, ...]:
    """Return what `HEADS` names after the source.

    Args:
        n_all: How many photographs were read, those without a hand too.
        readings: What was read where a hand was found.
    """
    labels = np.array([reading.label for reading in readings])
    once, as_served = (np.array([getattr(reading, name) for reading in readings]) for name in ("once", "as_served"))
    is_right = as_served.argmax(axis=1) == labels
    is_named = np.array([reading.is_named for reading in readings])
    return (
        float((once.argmax(axis=1) == labels).sum() / n_all),
        expected_calibration_error(once, labels),
        float(is_right.sum() / n_all),
        expected_calibration_error(as_served, labels),
        float(is_named.mean()),
        float(is_right[is_named].mean()),
        float((once.max(axis=1) < _AS_SERVED.second_look_below).mean()),
    )


def _read(photographs: Sequence[tuple[str, Path]], model: Path) -> list[Reading]:
    classifier, path = load_classifier(model), landmarker.ensure()
    readings = []
    with ExitStack() as stack:
        once, as_served = (
            stack.enter_context(Recognizer(classifier, path, options)) for options in (_ONCE, _AS_SERVED)
        )
        for letter, photograph in photographs:
            data = photograph.read_bytes()
            answer = as_served.recognize(data, _WHOLE)
            if answer.reason is not NoLetter.NO_HAND:
                first = _probabilities(once.recognize(data, _WHOLE))
                label = LETTERS.index(letter)
                readings.append(Reading(label, first, _probabilities(answer), answer.letter is not None))
    return readings


def _probabilities(answer: Recognition) -> Probabilities:
    by_letter = {entry.letter: entry.confidence for entry in answer.alternatives}
    return np.array([by_letter[letter] for letter in LETTERS])
