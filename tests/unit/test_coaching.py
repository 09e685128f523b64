from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl.contracts import Change, Handedness, HandPart
from asl.core import coaching
from asl.core.coaching import MEASURES, compare, explain, fit, measure, references
from asl.core.coaching_words import advise
from asl.core.hand import LETTERS, Hand
from asl.core.synthetic.signers import sample_landmarks

SIZE = (480, 480)
SURE = np.eye(len(LETTERS), dtype=np.float32)


def _hand(letter, seed=3):
    points = sample_landmarks(letter, np.random.default_rng(seed))
    return Hand(points, points, Handedness.RIGHT, 1.0, 0.0, SIZE)


def _told(shown, expected):
    return explain(_hand(shown), SURE[LETTERS.index(shown)], LETTERS, expected)


@pytest.mark.parametrize(
    ("shown", "expected", "part", "change"),
    [
        ("U", "V", HandPart.INDEX_AND_MIDDLE, Change.SPREAD),
        ("V", "U", HandPart.INDEX_AND_MIDDLE, Change.CLOSE),
        ("A", "I", HandPart.PINKY, Change.STRAIGHTEN),
        ("S", "J", HandPart.PINKY, Change.STRAIGHTEN),
        ("W", "V", HandPart.RING, Change.FOLD),
        ("V", "W", HandPart.RING, Change.STRAIGHTEN),
        ("Y", "I", HandPart.THUMB, Change.PLACE),
        ("A", "S", HandPart.THUMB, Change.PLACE),
        ("H", "U", HandPart.HAND, Change.TURN),
    ],
)
def test_what_differs_most_is_told(shown, expected, part, change):
    told = _told(shown, expected)
    assert (told.expected, told.finger, told.differences[0].change) == (expected, part, change)
    assert told.advice == advise(expected, part, change)


def test_crossed_fingers_are_told_of_both_ways():
    values = np.stack([measure(_hand(letter).landmarks[None], [False], [SIZE])[0] for letter in "RU"])
    known = fit(values, np.array(["R", "U"]), np.array(["a", "a"]))
    assert [compare(values[1], "R", known["R"])[0].change, compare(values[0], "U", known["U"])[0].change] == [
        Change.CROSS,
        Change.UNCROSS,
    ]


def test_without_an_expected_letter_the_likeliest_counts_and_the_nearest_are_told():
    told = explain(_hand("U"), SURE[20] + 0.1 * SURE[21] + 0.01 * SURE[17], LETTERS)
    assert told.expected == "U"
    assert [near.letter for near in told.nearest] == ["U", "V", "R"]
    assert told.nearest[1].difference.change is Change.SPREAD


def test_labels_that_are_no_letters_are_passed_over():
    assert explain(_hand("U"), np.array([0.9, 0.1], np.float32), ("space", "U")) is None
    told = explain(_hand("U"), np.array([0.9, 0.1], np.float32), ("space", "U"), "V")
    assert (told.expected, [near.letter for near in told.nearest]) == ("V", ["U"])


def test_side_place_and_size_change_nothing():
    right = _hand("K")
    moved = replace(right, landmarks=right.landmarks * np.float32([0.5, 0.5, 0.5]) + np.float32([0.2, 0.1, 0]))
    left = replace(right, landmarks=right.landmarks * np.float32([-1, 1, 1]), handedness=Handedness.LEFT)
    wanted = _told("K", "B")
    assert wanted.differences
    for hand in (moved, left):
        again = explain(hand, SURE[10], LETTERS, "B")
        assert [(entry.finger, entry.change) for entry in again.differences] == [
            (entry.finger, entry.change) for entry in wanted.differences
        ]
        assert [entry.size for entry in again.differences] == pytest.approx(
            [entry.size for entry in wanted.differences], abs=0.02
        )


def test_every_letter_has_a_range_and_a_word_for_everything():
    assert set(references()) == set(LETTERS)
    for letter, usual in references().items():
        assert len(usual.low) == len(usual.middle) == len(usual.high) == len(MEASURES)
        assert (usual.low <= usual.middle).all()
        assert (usual.middle <= usual.high).all()
        for part in HandPart:
            for change in set(Change) - {Change.PLACE, Change.TURN}:
                text = advise(letter, part, change)
                assert text.endswith(".")
                assert "{" not in text


@given(st.sampled_from(LETTERS), st.integers(0, 2**32 - 1))
def test_within_the_range_nothing_is_told_and_beyond_each_part_once_the_largest_first(letter, seed):
    usual, rng = references()[letter], np.random.default_rng(seed)
    inside = usual.low + (usual.high - usual.low) * rng.random(len(MEASURES), np.float32)
    assert compare(inside, letter, usual) == ()
    told = compare(inside + rng.normal(0, 60, len(MEASURES)).astype(np.float32), letter, usual)
    assert len({entry.finger for entry in told}) == len(told) <= 3
    assert [entry.size for entry in told] == sorted((entry.size for entry in told), reverse=True)
    assert all(entry.size >= 1 for entry in told)


def test_each_source_counts_the_same_in_a_range():
    values = np.repeat(np.arange(11, dtype=np.float32), [1000, *[1] * 10])[:, None] * np.ones(len(MEASURES), np.float32)
    sources = np.array(["many"] * 1000 + ["few"] * 10)
    usual = fit(values, np.full(len(values), "A"), sources)["A"]
    assert usual.low[0] == 0
    assert usual.high[0] >= 8  # half of the weight lies from 1 to 10
    assert coaching.RANGE == (0.075, 0.925)
