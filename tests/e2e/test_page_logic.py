"""What the page reckons by itself: words from held letters, lessons, hints on data."""

import json
from itertools import pairwise

import numpy as np
import pytest

from asl.core.hand import LETTERS
from asl.core.synthetic.shapes import as_found, sample_named
from asl.core.synthetic.signers import sample_hand


@pytest.fixture(scope="module")
def spell(run):
    """Show a speller (held letter or None, hand there, milliseconds) in steps of 50 ms; returns text and progress."""

    def shown(steps, then=""):
        return run(f"""
            const {{ Speller }} = await import('/page/live/speller.js');
            const speller = new Speller({{ holdMs: 700, pauseMs: 1500 }});
            let now = 0;
            for (const [letter, isThere, ms] of {json.dumps(steps)})
              for (const end = now + ms; now < end; now += 50) speller.see(letter, isThere, now);
            {then}
            return speller.text;""")

    return shown


def test_a_letter_is_added_once_when_it_was_held_long_enough(spell):
    assert spell([["A", True, 600]]) == ""
    assert spell([["A", True, 800]]) == "A"
    assert spell([["A", True, 9000]]) == "A"


def test_a_letter_is_added_again_after_it_was_let_go(spell):
    assert spell([["L", True, 800], [None, True, 100], ["L", True, 800]]) == "LL"
    assert spell([["A", True, 400], ["B", True, 400], ["A", True, 400]]) == ""


def test_a_pause_adds_one_space_and_none_at_the_start(spell):
    away = [None, False, 5000]
    assert spell([away, ["H", True, 800], ["I", True, 800], away, ["A", True, 800]]) == "HI A"
    assert spell([["H", True, 800], [None, False, 1000], ["I", True, 800]]) == "HI"
    assert spell([["H", True, 800], [None, True, 9000]]) == "H"


def test_an_open_hand_is_told_from_every_letter(run):
    rng = np.random.default_rng(1)
    shown = {letter: [sample_hand(letter, rng) for _ in range(20)] for letter in LETTERS}
    hands = {
        letter: as_found([one.skeleton.joints @ one.turn.T for one in posed], rng) for letter, posed in shown.items()
    }
    hands["open"] = sample_named("open hand", 100, rng)
    points = {name: (0.5 + 0.4 * found).reshape(len(found), 63).round(4).tolist() for name, found in hands.items()}
    n_open = run(f"""
        const {{ isOpen }} = await import('/page/live/openness.js');
        const hands = Object.entries({json.dumps(points)});
        const nOpen = (of) => of.filter((one) => isOpen(one, 480, 480)).length;
        return Object.fromEntries(hands.map(([name, of]) => [name, nOpen(of)]));""")
    assert n_open.pop("open") >= 85
    assert sum(n_open.values()) <= 5


def test_what_was_spelled_can_be_taken_back(spell):
    word = [["H", True, 800], ["I", True, 800]]
    assert spell(word, "speller.backspace();") == "H"
    assert spell(word, "speller.backspace(); speller.undo();") == "HI"
    assert spell(word, "speller.clear(); speller.undo(); speller.undo();") == "H"
    assert spell(word, "for (let i = 0; i < 9; i += 1) speller.undo();") == ""
    assert spell(word, "speller.space(); speller.type(speller.text + 'X');") == "HI X"


def test_a_lesson_goes_on_when_its_letter_was_held(run):
    assert run("""
        const { Course } = await import('/page/practice/course.js');
        const course = new Course(['A', 'B']);
        const seen = [];
        const shown = [['A', 0], [null, 200], ['A', 300], ['A', 700], ['A', 900], ['A', 1500], ['A', 1900]];
        for (const [letter, at] of [...shown, ['B', 2000], ['B', 2600], ['B', 3600]]) {
          course.see(letter, at);
          seen.push(`${course.letter ?? '-'}${course.isRight ? '!' : ''}`);
        }
        return [seen.join(' '), course.nRight, course.isDone];""") == ["A A A A A! A! B B B! -", 2, True]


def test_a_word_is_put_down_as_it_is_read_and_changed_afterwards(run):
    assert run("""
        const { Speller } = await import('/page/live/speller.js');
        const { likeliest } = await import('/page/live/word.js');
        const speller = new Speller();
        const texts = [];
        const note = () => texts.push(speller.text);
        speller.type('MY');
        for (const [word, isEnd] of [['H', false], ['HEL', false], ['HELO', true], ['', true], ['Y', false]]) {
          speller.read(word, isEnd);
          note();
        }
        speller.undo();
        note();
        speller.replace('HELLO');
        note();
        const meant = (confidence) => likeliest({ text: 'HELO', suggestions: [{ word: 'HELLO', confidence }] });
        return [texts, meant(0.7), meant(0.3)];""") == [
        ["MY H", "MY HEL", "MY HELO ", "MY HELO ", "MY HELO Y", "MY HELO ", "MY HELLO "],
        "HELLO",
        "HELO",
    ]


def test_letters_are_drawn_as_often_as_asked_and_never_twice_in_a_row(run):
    drawn = run("""
        const { drawLetters } = await import('/page/practice/course.js');
        return Array.from({ length: 50 }, () => drawLetters(['A', 'B', 'C'], 10));""")
    assert all(len(letters) == 10 for letters in drawn)
    assert all(one != other for letters in drawn for one, other in pairwise(letters))
    assert {letter for letters in drawn for letter in letters} == set("ABC")


def test_what_a_data_set_lacks_is_told(run):
    def hints(*counts):
        listed = [dict(zip(("label", "signer", "n_samples"), count, strict=True)) for count in counts]
        return run(f"const {{ hints }} = await import('/page/teach/hints.js'); return hints({listed});")

    assert hints() == []
    assert hints(*((letter, signer, 40) for letter in "AB" for signer in ("ann", "bob", "cy"))) == []
    assert any("Only 2 signers" in hint for hint in hints(("A", "ann", 40), ("B", "ann", 40), ("A", "bob", 40)))
    assert any("one signer only: B" in hint for hint in hints(("A", "ann", 40), ("B", "ann", 40), ("A", "bob", 40)))
    assert any("One signer" in hint for hint in hints(("A", "ann", 40), ("B", "ann", 40)))
    assert any("name no signer" in hint for hint in hints(("A", "", 40), ("B", "ann", 40)))
    assert any("Fewer than" in hint and "A" in hint for hint in hints(("A", "ann", 5), ("B", "bob", 40)))
    assert any("Uneven" in hint for hint in hints(("A", "ann", 400), ("B", "bob", 40)))


def test_photographs_that_look_alike_are_told(run):
    def is_poor(step):
        return run(f"""
            const {{ Diversity }} = await import('/page/teach/diversity.js');
            const diversity = new Diversity();
            for (let taken = 0; taken < 10; taken += 1) {{
              const points = Array.from({{ length: 63 }}, (_, index) => (index % 3 ? 0.2 : 0.1 + {step} * taken));
              diversity.add(points, 640, 480);
            }}
            return diversity.isPoor;""")

    assert is_poor(0.0)
    assert not is_poor(0.08)


def test_a_model_card_is_drawn_by_its_headings_and_lists(run):
    card = "# Model best\\_model\n\nReads\nletters.\n\n- a: 1\n- b\\_c: 2\n\n## Limits\n\n- none"
    assert run(f"""
        const {{ blocks }} = await import('/page/models/card.js');
        return blocks({json.dumps(card)}).map(({{ kind, lines }}) => [kind, lines]);""") == [
        ["text", ["Reads", "letters."]],
        ["list", ["a: 1", "b_c: 2"]],
        ["title", ["Limits"]],
        ["list", ["none"]],
    ]
