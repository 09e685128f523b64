"""Letters over time: what is shown long enough is held once, and nothing else is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl.core.smoothing import ENTER, EXIT, HOLD_MS, MAX_GAP_MS, MAX_WEIGHT, TIME_CONSTANT_MS, Change, LetterSmoother

LETTERS = "ABC"
LATEST_MS = 2 * TIME_CONSTANT_MS + HOLD_MS
"""By then a letter that is surely read must be held."""


def _row(letter, sure=0.95):
    rest = (1 - sure) / (len(LETTERS) - 1)
    return np.array([sure if name == letter else rest for name in LETTERS], np.float32)


def _show(smoother, frames):
    """Show (milliseconds, letter or None) frames; returns (milliseconds, change) of all that changed."""
    return [
        (time_ms, change)
        for time_ms, letter in frames
        for change in smoother.see(None if letter is None else _row(letter), time_ms)
    ]


def _frames(letters, *, every_ms=33.0, start_ms=0.0):
    return [(start_ms + number * every_ms, letter) for number, letter in enumerate(letters)]


@pytest.mark.parametrize("fps", [5, 10, 30, 60, 1000])
def test_a_letter_that_stays_is_held_once_whatever_the_frame_rate(fps):
    smoother = LetterSmoother(LETTERS)
    changes = _show(smoother, _frames("A" * 3 * fps, every_ms=1000 / fps))
    assert [change for _, change in changes] == [Change("A", is_held=True)]
    assert smoother.letter == "A"
    slowest_ms = max(LATEST_MS, 4 * 1000 / fps)
    assert HOLD_MS < changes[0][0] <= slowest_ms


def test_flicker_between_two_letters_holds_neither():
    smoother = LetterSmoother(LETTERS)
    assert _show(smoother, _frames("AB" * 100)) == []
    assert _show(smoother, _frames("BA" * 100, start_ms=7000)) == []


def test_a_held_letter_outlasts_single_other_frames():
    smoother = LetterSmoother(LETTERS)
    frames = _frames(("A" * 20 + "B") * 5 + "A" * 20 + "".join("A" * 9 + "C" for _ in range(5)))
    assert [change for _, change in _show(smoother, frames)] == [Change("A", is_held=True)]


def test_what_a_hand_passes_through_is_not_held():
    smoother = LetterSmoother(LETTERS)
    passing = round((TIME_CONSTANT_MS + HOLD_MS) * 0.8 / 10)
    frames = _frames("A" * 60 + "B" * passing + "C" * 60, every_ms=10)
    assert [change.letter for _, change in _show(smoother, frames) if change.is_held] == ["A", "C"]


def test_the_next_letter_releases_the_one_before_it_first():
    smoother = LetterSmoother(LETTERS)
    changes = [change for _, change in _show(smoother, _frames("A" * 30 + "B" * 30))]
    assert changes == [Change("A", is_held=True), Change("A", is_held=False), Change("B", is_held=True)]


def test_a_hand_that_leaves_releases_its_letter():
    smoother = LetterSmoother(LETTERS)
    changes = _show(smoother, _frames("A" * 30) + [(1000 + 33 * n, None) for n in range(30)])
    assert [change for _, change in changes] == [Change("A", is_held=True), Change("A", is_held=False)]
    assert changes[1][0] - 1000 <= LATEST_MS
    assert smoother.letter is None


def test_the_same_letter_after_a_gap_is_told_again():
    smoother = LetterSmoother(LETTERS)
    frames = _frames("A" * 30) + [(1000 + 33 * n, None) for n in range(20)] + _frames("A" * 30, start_ms=2000)
    held = [change.is_held for _, change in _show(smoother, frames)]
    assert held == [True, False, True]


def test_a_silence_releases_and_the_first_frame_after_it_decides_nothing():
    smoother = LetterSmoother(LETTERS)
    _show(smoother, _frames("A" * 30))
    assert smoother.see(_row("B"), 1000 + MAX_GAP_MS) == (Change("A", is_held=False),)
    assert smoother.see(_row("B"), 1000 + MAX_GAP_MS + 10) == ()
    assert smoother.letter is None


def test_no_single_frame_of_a_slow_camera_decides():
    smoother = LetterSmoother(LETTERS)
    frames = _frames("AAAABAAAA", every_ms=MAX_GAP_MS)
    assert [change for _, change in _show(smoother, frames)] == [Change("A", is_held=True)]


def test_unsure_readings_hold_nothing():
    smoother = LetterSmoother(LETTERS)
    for number in range(100):
        assert smoother.see(_row("A", ENTER - 0.01), number * 33.0) == ()


def test_forgetting_releases():
    smoother = LetterSmoother(LETTERS)
    assert smoother.forget() == ()
    _show(smoother, _frames("A" * 30))
    assert smoother.forget() == (Change("A", is_held=False),)
    assert smoother.letter is None


def test_the_constants_mean_what_they_say():
    assert EXIT <= ENTER * (1 - MAX_WEIGHT)  # no single frame releases what has just been taken up
    assert MAX_WEIGHT < ENTER  # nor is one enough to take it up
    assert ENTER > 0.5  # never two letters at once


frames_of_any_kind = st.lists(st.tuples(st.floats(-50, 1500), st.sampled_from([*LETTERS, None])), max_size=60)


@given(frames_of_any_kind)
def test_holding_and_releasing_take_turns_whatever_comes(steps):
    smoother = LetterSmoother(LETTERS)
    times = itertools.accumulate(step for step, _ in steps)
    held = None
    for time_ms, (_, letter) in zip(times, steps, strict=True):
        for change in smoother.see(None if letter is None else _row(letter), time_ms):
            assert change.is_held == (held is None)
            assert change.is_held or change.letter == held
            held = change.letter if change.is_held else None
        assert smoother.letter == held
