"""Find how most hands of each letter are, for explanations, and how well they tell one letter from another.

Usage: coaching.py DATA. Writes shared/asl/assets/coaching.json; `make starter` runs it.
"""

import json
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl.contracts import HandPart
from asl.core import coaching
from asl.core.coaching import References
from asl.core.dataset import Dataset, concatenate
from asl.core.landmark_files import read_landmarks
from asl.core.splits import rank_in_class

_FILE: Final = Path(__file__).parents[2] / "shared" / "asl" / "assets" / "coaching.json"
_N_ROWS: Final = 60
"""Of each letter and source at most."""
_SEED: Final = 0
_DIGITS: Final = 3
_TOLD: Final = (
    ("A", "S", HandPart.THUMB),
    ("S", "A", HandPart.THUMB),
    ("A", "T", HandPart.THUMB),
    ("I", "Y", HandPart.THUMB),
    ("Y", "I", HandPart.THUMB),
    ("D", "L", HandPart.THUMB),
    ("L", "D", HandPart.THUMB),
    ("S", "E", HandPart.THUMB),
    ("U", "V", HandPart.INDEX_AND_MIDDLE),
    ("V", "U", HandPart.INDEX_AND_MIDDLE),
    ("U", "R", HandPart.INDEX_AND_MIDDLE),
    ("R", "U", HandPart.INDEX_AND_MIDDLE),
    ("V", "W", HandPart.RING),
    ("W", "V", HandPart.RING),
    ("A", "I", HandPart.PINKY),
    ("I", "A", HandPart.PINKY),
    ("B", "W", HandPart.PINKY),
    ("F", "B", HandPart.INDEX),
    ("B", "F", HandPart.INDEX),
    ("D", "X", HandPart.INDEX),
    ("X", "D", HandPart.INDEX),
    ("U", "D", HandPart.MIDDLE),
    ("U", "H", HandPart.HAND),
    ("H", "U", HandPart.HAND),
)
"""What is to be told of a hand that shows the first letter where the second is expected."""


class _Hands(NamedTuple):
    values: NDArray[np.float32]
    letters: NDArray[np.str_]
    sources: NDArray[np.str_]


def main(data: Path) -> None:
    """Write the ranges, and print how good they are for sources that had no part in them."""
    tested = [read_landmarks(path, "file") for path in sorted(data.glob("landmarks/*.npz"))]
    more = [read_landmarks(path, "original") for path in sorted(data.glob("landmarks_train_only/*.npz"))]
    rows = concatenate([*tested, *more])
    hands = _measured(rows.take(rank_in_class(rows, _SEED) < _N_ROWS))
    known = coaching.fit(*hands)
    plain = {letter: [np.round(side, _DIGITS).tolist() for side in usual] for letter, usual in _sides(known).items()}
    _FILE.write_text(json.dumps({"letters": plain}, separators=(",", ":")) + "\n", encoding="utf-8")
    sys.stdout.write(f"made {_FILE}\n")
    for source in np.unique(np.concatenate([part.group for part in tested])):
        others = coaching.fit(*(values[hands.sources != source] for values in hands))
        own = _Hands(*(values[hands.sources == source] for values in hands))
        told = f"{_false_share(own, others):.3f} of right hands told something, {_right_share(own, others)}"
        sys.stdout.write(f"{source:<12} {told}\n")


def _measured(rows: Dataset) -> _Hands:
    assert rows.landmarks is not None  # noqa: S101 - they come from files of landmarks
    return _Hands(coaching.measure(rows.landmarks, rows.is_left, rows.image_size), rows.letters, rows.group)


def _sides(known: References) -> dict[str, list[NDArray[np.float64]]]:
    return {
        letter: [side.astype(float) for side in (usual.low, usual.middle, usual.high)]
        for letter, usual in known.items()
    }


def _false_share(own: _Hands, known: References) -> float:
    told = [
        bool(coaching.compare(values, letter, known[letter]))
        for values, letter in zip(own.values, own.letters.tolist(), strict=True)
        if letter in known
    ]
    return float(np.mean(told))


def _right_share(own: _Hands, known: References) -> str:
    shares = []
    for shown, expected, part in _TOLD:
        found = [coaching.compare(values, expected, known[expected]) for values in own.values[own.letters == shown]]
        if found:
            shares.append(np.mean([bool(told) and told[0].finger is part for told in found]))
    return f"{np.mean(shares):.3f} of {len(shares)} mix-ups told by the right part"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
