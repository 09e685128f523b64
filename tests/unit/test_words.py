"""Letters over time to text: holds, passages, letters that come twice, strokes; and words that may have been meant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl.core.hand import LETTERS
from asl.core.lexicon import Lexicon
from asl.core.motion import HOLDING, MOVING, STEP_MS, J, Step, Z
from asl.core.words import SpelledLetter, WordReader

HAND = np.zeros((21, 3), np.float32)
LEXICON = Lexicon(["the", "hello", "help", "letter", "pizza", "jazz", "hold", "an", "and"])


def row(letter, sure=0.9):
    rest = (1 - sure) / (len(LETTERS) - 1)
    return np.array([sure if name == letter else rest for name in LETTERS], np.float32)


def doing(kind, sure=0.9):
    return np.array([sure if place == kind else (1 - sure) / 3 for place in range(4)], np.float32)


def read(plan, *, sure=0.9):
    """Read [(letter shown, what the hand does, steps)]; a letter of None shows no hand."""
    reader, n = WordReader(LETTERS), 0
    for letter, kind, n_steps in plan:
        for _ in range(n_steps):
            step = Step(None if letter is None else HAND, None if letter is None else row(letter, sure), n * STEP_MS)
            reader.see(step, doing(kind))
            n += 1
    return reader


def text(plan, **options):
    return "".join(entry.letter for entry in read(plan, **options).read())


def test_letters_that_are_held_are_spelled_with_their_times():
    reader = read([("X", MOVING, 3), ("A", HOLDING, 4), ("E", MOVING, 2), ("B", HOLDING, 4), ("B", MOVING, 2)])
    first, second = reader.read()
    assert (first.letter, first.start_ms, first.end_ms) == ("A", 3 * STEP_MS, 7 * STEP_MS)
    assert (second.letter, second.start_ms, second.end_ms) == ("B", 9 * STEP_MS, 13 * STEP_MS)
    assert second.probabilities.sum() == pytest.approx(1)
    assert LETTERS[second.probabilities.argmax()] == "B"


def test_what_a_hand_passes_is_no_letter_and_a_flicker_in_a_hold_is_none():
    assert text([("A", HOLDING, 5), ("S", HOLDING, 1), ("A", HOLDING, 5)]) == "A"
    assert text([("A", HOLDING, 5), ("O", MOVING, 3), ("B", HOLDING, 5)]) == "AB"


def test_a_letter_comes_twice_only_with_a_movement_between():
    assert text([("L", HOLDING, 12)]) == "L"
    assert text([("L", HOLDING, 4), ("L", MOVING, 3), ("L", HOLDING, 4)]) == "LL"


def test_letters_are_told_apart_without_a_movement_between():
    assert text([("U", HOLDING, 6), ("V", HOLDING, 6)]) == "UV"


def test_only_a_stroke_is_j_or_z():
    assert text([("J", HOLDING, 8), ("X", MOVING, 3), ("Z", HOLDING, 8)]) == "ID"
    assert text([("I", J, 12), ("A", MOVING, 2), ("A", HOLDING, 4), ("X", MOVING, 2), ("D", Z, 12)]) == "JAZ"


def test_a_hand_that_was_gone_spelled_nothing_meanwhile():
    assert text([(None, MOVING, 10)]) == ""
    assert text([("A", HOLDING, 4), (None, MOVING, 8), ("B", HOLDING, 4)]) == "AB"


def test_a_classifier_without_j_and_z_can_still_be_told_strokes():
    reader = WordReader("AB")
    for n in range(10):
        reader.see(Step(HAND, np.array([0.5, 0.5], np.float32), n * STEP_MS), doing(J))
    assert [entry.letter for entry in reader.read()] == ["J"]


@given(
    st.lists(st.tuples(st.sampled_from([*"ABL", None]), st.sampled_from([MOVING, HOLDING, J, Z]), st.integers(1, 5)))
)
def test_letters_follow_one_another_in_time(plan):
    entries = read(plan).read()
    times = [time_ms for entry in entries for time_ms in (entry.start_ms, entry.end_ms)]
    assert times == sorted(times)
    assert all(np.isfinite(entry.probabilities).all() for entry in entries)


def spelled(word, sure=0.85):
    return [SpelledLetter(letter, 0, 0, row(letter, sure)) for letter in word]


def first(word, **options):
    found = LEXICON.suggest(spelled(word), LETTERS, **options)
    return found[0].word if found else None


@pytest.mark.parametrize(
    ("typed", "meant"), [("HELO", "HELLO"), ("LETER", "LETTER"), ("PIZZZA", "PIZZA"), ("HOLO", "HOLD")]
)
def test_words_are_suggested_that_were_missed_by_a_letter(typed, meant):
    assert first(typed) == meant


def test_a_letter_that_was_likely_though_not_read_decides_between_words():
    unsure = spelled("HELX")
    shares = row("X", 0.55)
    shares[LETTERS.index("D")] += 0.4
    unsure[3] = SpelledLetter("X", 0, 0, shares / shares.sum())
    lexicon = Lexicon(["help", "held"])
    assert lexicon.suggest(unsure, LETTERS)[0].word == "HELD"


def test_what_is_like_no_word_suggests_none_and_confidences_leave_room_for_it():
    assert LEXICON.suggest(spelled("KOWALSKI"), LETTERS) == ()
    assert LEXICON.suggest(spelled("A"), LETTERS) == ()
    found = LEXICON.suggest(spelled("HELO"), LETTERS, 5)
    assert 0 < sum(entry.confidence for entry in found) < 1
    assert [entry.confidence for entry in found] == sorted((entry.confidence for entry in found), reverse=True)


def test_a_word_that_goes_on_is_suggested_by_its_beginning():
    closed, still_open = (
        {entry.word: entry.confidence for entry in LEXICON.suggest(spelled("LET"), LETTERS, is_open=is_open)}
        for is_open in (False, True)
    )
    assert still_open["LETTER"] > 0.5 > closed.get("LETTER", 0)


def test_a_classifier_that_lacks_letters_gets_no_suggestions():
    assert LEXICON.suggest([SpelledLetter("A", 0, 0, np.array([0.9, 0.1]))] * 3, "AB") == ()


def test_words_are_looked_up_in_either_case():
    assert "Pizza" in LEXICON
    assert "pizz" not in LEXICON
    assert LEXICON.words()[:2] == ("THE", "HELLO")
