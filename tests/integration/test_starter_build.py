"""What `make starter` draws, and the tables of the model card that it writes."""

import csv
import importlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asl.core import dataset
from asl.core.hand import LETTERS, MOTION_LETTERS
from asl.core.held_out import HeldOut, summarise
from asl.core.non_letters import BETWEEN_LETTERS
from asl.core.synthetic.shapes import NAMED
from asl.core.synthetic.variants import FORMS, HANGING

FOLDER = Path(__file__).parents[2] / "deploy" / "starter"
SOURCES = ("clean", "elsewhere")
N_HANDS = 4
"""Of each letter and source."""


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield SimpleNamespace(
            **{name: importlib.import_module(name) for name in ("build", "cards", "photographs", "second_looks")}
        )


@pytest.fixture(scope="module")
def report():
    """What `asl cross-validate` prints, of two sources and of scores that are mostly right."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(len(LETTERS)).repeat(N_HANDS)

    def scores(count):
        return torch.randn((count, len(LETTERS)), generator=generator)

    refused = {name: scores(N_HANDS) for name in (*NAMED, BETWEEN_LETTERS)}
    answers = [
        HeldOut(source, 100, scores(len(labels)) + 3 * torch.eye(len(LETTERS))[labels], labels, LETTERS, refused)
        for source in SOURCES
    ]
    return summarise(answers, 1).as_dict()


def test_as_many_hands_are_drawn_as_the_card_says(scripts, tmp_path):
    build = scripts.build
    drawn = dataset.load(build.draw_forms(tmp_path / "drawn.npz"))
    names, counts = np.unique(drawn.letters, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        letter: build.N_USUAL
        + build.N_TURNED
        + build.N_DRAWN * (letter in FORMS)
        + build.N_HANGING * (letter in HANGING)
        for letter in LETTERS
        if letter not in MOTION_LETTERS
    }
    assert not drawn.is_left.any()


def test_the_cards_tables_have_each_source_and_each_letter_worst_first(scripts, report):
    columns = (scripts.cards.STARTER, "+ geometry", "+ more", "augmented", "plain")
    tables = scripts.cards.tables(dict.fromkeys(columns, report), {"clean"})
    assert sorted(row[0] for row in cells(tables["table"])) == ["**mean**", "clean", "elsewhere *"]
    for name in ("calibration", "refusals"):
        assert sorted(row[0] for row in cells(tables[name])) == ["**mean**", "clean", "elsewhere"]
    letters = cells(tables["letters"])
    assert sorted(row[0] for row in letters) == sorted(LETTERS)
    shares = [float(row[1]) for row in letters]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_a_hand_that_is_not_found_is_an_error_of_its_source(scripts, report, tmp_path):
    for letter, count in {"A": 2, "B": 1, "J": 1}.items():
        (tmp_path / "clean" / letter).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "clean" / letter / f"{number}.jpg").touch()
    skipped = tmp_path / "skipped.csv"
    with skipped.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["group", "class"], ["clean", "A"]])
    counts = scripts.photographs.count(tmp_path, skipped)
    [row] = scripts.photographs.accuracies(counts, report)
    [clean] = [group for group in report["groups"] if group["group"] == "clean"]
    still, whole = clean["still_accuracy"], clean["accuracy"]
    assert row == ["clean", *map(pytest.approx, (2 / 3, still, still * 2 / 3, whole * 3 / 4))]


def test_the_letters_found_most_rarely_are_named(scripts, report):
    everything = Counter({("clean", letter): 10 for letter in LETTERS})
    counts = scripts.photographs.Counts(everything, Counter({("clean", "Q"): 4, ("clean", "C"): 1}))
    tables = scripts.cards.photograph_tables(counts, report, {"clean"})
    assert tables["rarely_found"].startswith("Q .600, C .900, ")


def test_photographs_at_one_look_and_as_served_are_counted_without_a_hand_too(scripts):
    sure, unsure, wrong = np.eye(len(LETTERS))[[0, 0, 1]] * [[0.9], [0.6], [0.6]] + 0.1 / len(LETTERS)
    reading = scripts.second_looks.Reading
    readings = [reading(0, sure, sure, True), reading(0, wrong, unsure, True), reading(0, wrong, wrong, False)]
    tables = scripts.cards.second_look_table({"clean": (4, readings), "elsewhere": (3, readings[:1])}, {"clean"})
    worst, other, mean = cells(tables)
    assert (worst[0], other[0], mean[0]) == ("clean", "elsewhere *", "**mean**")
    assert [worst[place] for place in (1, 3, 5, 6, 7)] == [".250", ".500", ".667", "1.000", ".667"]
    assert [other[place] for place in (1, 3, 5, 6, 7)] == [".333", ".333", "1.000", "1.000", ".000"]


def cells(table):
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
