"""What of a hand differs from the letter that it is to show: angles and places, against those of many signers.

Each measure of a hand is compared with the range that most hands of the letter have, the sources of the data counting
the same. `deploy/starter/coaching.py` makes these ranges, `assets/coaching.json`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl.contracts import Change, Difference, Explanation, FeatureSchema, Handedness, HandPart, NearLetter
from asl.core.coaching_words import advise
from asl.core.features import compute_features
from asl.core.hand import Hand

RANGE: Final = (0.075, 0.925)
"""Quantiles between which a letter's usual hands lie."""
_N_NEAREST: Final = 3
_FILE: Final = "coaching.json"
_N_TOLD: Final = 3
_STRAIGHT_DEGREES: Final = 60.0
"""A finger that is bent less in its two outer joints counts as straight."""
_STRAIGHT_IN_LETTER_DEGREES: Final = 45.0
"""A letter in which half of the hands bend a finger less wants it straight."""
_FOLDED_DEGREES: Final = 110.0
"""One in which half bend it more wants it folded."""

# Where `asl.core.geometry.measure` has what is needed of a hand.
_POINTS: Final = slice(0, 60)
_PALM_POINTS: Final = slice(81, 141)
_ANGLES: Final = slice(141, 156)
_DIGITS_APART: Final = slice(160, 163)
_FRAME: Final = slice(214, 223)
_RADIANS_PER_UNIT: Final = 1.5
_LEAST_LENGTH: Final = 1e-6
_THUMB_TIP, _INDEX_KNUCKLE, _INDEX_TIP, _MIDDLE_TIP = 3, 4, 7, 11
_MIDDLE_JOINTS: Final = [5, 9, 13, 17]
"""Landmarks in `_PALM_POINTS`, which leaves out the wrist."""


class _Measure(NamedTuple):
    part: HandPart
    tolerance: float
    """Beyond the usual range, by so much a difference is worth telling: degrees, or lengths of two palms."""
    less: Change
    """What to do where there is too much."""
    more: Change


def _measures() -> tuple[_Measure, ...]:
    fingers = (HandPart.INDEX, HandPart.MIDDLE, HandPart.RING, HandPart.PINKY)
    apart = (HandPart.INDEX_AND_MIDDLE, HandPart.MIDDLE_AND_RING, HandPart.RING_AND_PINKY)
    return (
        *(_Measure(finger, 30.0, Change.STRAIGHTEN, Change.FOLD) for finger in fingers),
        *(_Measure(finger, 25.0, Change.LIFT, Change.LOWER) for finger in fingers),
        *(_Measure(pair, 10.0, Change.CLOSE, Change.SPREAD) for pair in apart),
        _Measure(HandPart.INDEX_AND_MIDDLE, 0.05, Change.CLOSE, Change.SPREAD),
        *(_Measure(HandPart.THUMB, 0.12, Change.PLACE, Change.PLACE) for _ in range(7)),
        _Measure(HandPart.HAND, 0.35, Change.TURN, Change.TURN),
        _Measure(HandPart.HAND, 0.25, Change.TURN, Change.TURN),
        _Measure(HandPart.HAND, 0.35, Change.TURN, Change.TURN),
    )


MEASURES: Final = _measures()
_TOLERANCES: Final = np.array([measure.tolerance for measure in MEASURES], np.float32)
_BENDS: Final = slice(0, 4)
_TIPS_APART: Final = 11
_CROSSED: Final = 0.02
"""Tips nearer than this, as `_TIPS_APART` has them, are those of fingers that cross."""
_STRAIGHT_ONLY: Final = {8: (0, 1), 9: (1, 2), 10: (2, 3), _TIPS_APART: (0, 1), 21: (0, 0)}
"""Measures that tell something only where some fingers are straight, by the place of these fingers' bends."""


@dataclass(frozen=True)
class LetterRange:
    """How most hands of a letter are."""

    low: NDArray[np.float32]
    """(n_measures,) float32"""
    middle: NDArray[np.float32]
    """(n_measures,) float32, the median: what the letter asks for, in words."""
    high: NDArray[np.float32]
    """(n_measures,) float32"""


References = Mapping[str, LetterRange]


def explain(
    hand: Hand, probabilities: NDArray[np.float32], label_names: Sequence[str], expected: str | None = None
) -> Explanation | None:
    """Tell in words what of a hand differs most from a letter.

    Args:
        hand: The hand.
        probabilities: (n_labels,) float32, what the classifier takes it for.
        label_names: (n_labels,) its labels.
        expected: The letter that it is to show; the likeliest where None.

    Returns:
        The explanation; None where nothing is known of the letter, as of labels that are none of A to Z.

    Raises:
        LandmarksInvalid: A hand without size, or with numbers that are not finite.
    """
    known, likely = references(), np.argsort(-probabilities)[:_N_NEAREST].tolist()
    wanted = expected or label_names[likely[0]]
    if wanted not in known:
        return None
    values = measure(
        hand.landmarks[None], np.array([hand.handedness == Handedness.LEFT]), np.array([hand.image_size], np.int32)
    )[0]
    differences = compare(values, wanted, known[wanted])
    return Explanation.model_construct(
        expected=wanted,
        finger=differences[0].finger if differences else None,
        advice=differences[0].advice if differences else None,
        differences=differences,
        nearest=tuple(
            _near(values, label_names[index], float(probabilities[index]))
            for index in likely
            if label_names[index] in known
        ),
    )


def measure(landmarks: NDArray[Any], is_left: NDArray[np.bool_], image_size: NDArray[np.int32]) -> NDArray[np.float32]:
    """Measure hands as a signer would be told of them.

    Args:
        landmarks: (n, 21, 3) float, as MediaPipe gives them.
        is_left: (n,) bool, true where the hand is a left one.
        image_size: (n, 2) int32, 0 where unknown.

    Returns:
        (n, len(MEASURES)) float32: for index to little finger how far the two outer joints are bent, then the knuckle,
        degrees; angles between neighbouring fingers, degrees; by how much the index finger's tip is on the thumb's side
        of the middle finger's; where the thumb's tip is in the palm's frame, and how far from the fingers' middle
        joints, in lengths of two palms; how far the palm points up in the picture (-1 is down), how squarely it is seen
        (0 to 1), and how far the index finger points up.

    Raises:
        LandmarksInvalid: A hand without size, or with numbers that are not finite.
    """
    features = compute_features(landmarks, is_left, image_size, FeatureSchema.ASL_GEO_V1.value)
    points = features[:, _PALM_POINTS].reshape(-1, 20, 3)
    angles = np.degrees(features[:, _ANGLES] * _RADIANS_PER_UNIT).reshape(-1, 5, 3)[:, 1:]
    apart = np.degrees(np.arccos(np.clip(features[:, _DIGITS_APART], -1, 1)))
    frame = features[:, _FRAME].reshape(-1, 3, 3)
    thumb = points[:, _THUMB_TIP]
    in_picture = features[:, _POINTS].reshape(-1, 20, 3)
    index = in_picture[:, _INDEX_TIP] - in_picture[:, _INDEX_KNUCKLE]
    reach = points[:, _MIDDLE_JOINTS] - thumb[:, None]
    parts = [
        angles[:, :, 1:].sum(axis=2),
        angles[:, :, 0],
        apart,
        (points[:, _INDEX_TIP, 0] - points[:, _MIDDLE_TIP, 0])[:, None],
        thumb,
        np.sqrt((reach * reach).sum(axis=2)),
        -frame[:, 1, 1:2],
        np.abs(frame[:, 2, 2:3]),
        -index[:, 1:2] / np.maximum(np.sqrt((index * index).sum(axis=1, keepdims=True)), _LEAST_LENGTH),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32, copy=False)


def compare(values: NDArray[np.float32], letter: str, usual: LetterRange) -> tuple[Difference, ...]:
    """Tell what differs, each part of the hand once, the largest difference first.

    Args:
        values: (n_measures,) float32, see `measure`.
        letter: Which letter is wanted, A to Z.
        usual: How most hands of it are.
    """
    beyond = np.maximum(values - usual.high, usual.low - values) / _TOLERANCES
    are_straight = (values[_BENDS] < _STRAIGHT_DEGREES) & (usual.low[_BENDS] < _STRAIGHT_DEGREES)
    for place, (one, other) in _STRAIGHT_ONLY.items():
        if not (are_straight[one] and are_straight[other]):
            beyond[place] = 0
    found: dict[HandPart, Difference] = {}
    for place in np.argsort(-beyond).tolist():
        size, part = float(beyond[place]), MEASURES[place].part
        if size < 1 or len(found) == _N_TOLD:
            break
        if part not in found:
            change = _change(place, values, usual)
            found[part] = Difference.model_construct(
                finger=part, change=change, size=round(size, 2), advice=advise(letter, part, change)
            )
    return tuple(found.values())


@cache
def references() -> References:
    """Read the letters' usual hands that come with the package."""
    text = (resources.files("asl.assets") / _FILE).read_text(encoding="utf-8")
    return {
        letter: LetterRange(*(np.array(side, np.float32) for side in usual))
        for letter, usual in json.loads(text)["letters"].items()
    }


def fit(values: NDArray[np.float32], letters: NDArray[np.str_], sources: NDArray[np.str_]) -> References:
    """Find how most hands of each letter are, each source counting the same.

    Args:
        values: (n, n_measures) float32, see `measure`.
        letters: (n,) what each hand shows.
        sources: (n,) who or what it is of.
    """
    found = {}
    for letter in np.unique(letters):
        rows = letters == letter
        _, source, counts = np.unique(sources[rows], return_inverse=True, return_counts=True)
        weights = (1 / counts)[source]
        quantiles = (
            np.array([np.quantile(column, q, weights=weights, method="inverted_cdf") for column in values[rows].T])
            for q in (RANGE[0], 0.5, RANGE[1])
        )
        found[str(letter)] = LetterRange(*(side.astype(np.float32) for side in quantiles))
    return found


def _near(values: NDArray[np.float32], letter: str, confidence: float) -> NearLetter:
    difference = next(iter(compare(values, letter, references()[letter])), None)
    return NearLetter.model_construct(letter=letter, confidence=round(confidence, 4), difference=difference)


def _change(place: int, values: NDArray[np.float32], usual: LetterRange) -> Change:
    is_too_much = values[place] > usual.high[place]
    change = MEASURES[place].less if is_too_much else MEASURES[place].more
    if MEASURES[place].part is HandPart.INDEX_AND_MIDDLE:
        # The index finger's tip belongs on the thumb's side of the middle finger's, unless they cross.
        apart = values[_TIPS_APART]
        if place == _TIPS_APART and usual.middle[place] < 0 and is_too_much:
            return Change.CROSS
        return Change.UNCROSS if apart < min(_CROSSED, usual.low[_TIPS_APART]) else change
    # A finger that is bent in the letter too is not to be straight, and one that is only curved not to be folded.
    if change is Change.STRAIGHTEN and usual.middle[place] >= _STRAIGHT_IN_LETTER_DEGREES:
        return Change.OPEN
    if change is Change.FOLD and usual.middle[place] < _FOLDED_DEGREES:
        return Change.CURVE
    return change
