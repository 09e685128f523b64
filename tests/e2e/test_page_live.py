"""Live and Practice in a real browser: a film of hands for a camera, and the words that come of it."""

import time

import pytest
from browsers import STILL_LETTERS, Visit
from playwright.sync_api import expect

FILM_S = 2.0 * len(STILL_LETTERS)
N_READ_AT_LEAST = 20


@pytest.fixture
def visit(browser, service):
    with Visit(browser, service.url, permissions=["camera"]) as made:
        yield made


def test_the_film_is_read_and_spelled(visit, service):
    visit.page.get_by_role("button", name="Start the camera").click()
    visit.page.get_by_label("Hold for").select_option("0.4 s")
    letter = visit.page.get_by_test_id("letter")
    expect(letter).to_have_text("A", timeout=60_000 + 1000 * FILM_S)
    read = []
    deadline = time.monotonic() + FILM_S + 1
    while time.monotonic() < deadline:
        shown = visit.page.evaluate("document.querySelector('.letter:not(.unsure)')?.innerText")
        if shown and shown != (read[-1] if read else None):
            read.append(shown)
        visit.page.wait_for_timeout(50)
    assert _common(read, STILL_LETTERS) >= N_READ_AT_LEAST, read
    assert len(set(visit.page.get_by_test_id("word").input_value()) & set(STILL_LETTERS)) >= N_READ_AT_LEAST / 2
    assert visit.hosts == {f"127.0.0.1:{service.port}"}
    assert not visit.complaints


def test_words_are_changed_by_hand(visit):
    visit.page.get_by_role("button", name="Start the camera").click()
    word = visit.page.get_by_test_id("word")
    word.fill("hello")
    for button, text in (("Delete", "HELL"), ("Undo", "HELLO"), ("Space", "HELLO ")):
        visit.page.get_by_role("button", name=button, exact=True).click()
        assert word.input_value().startswith(text)
    visit.page.get_by_role("button", name="Stop").click()
    expect(visit.page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_a_word_is_practised_to_its_end(visit, service):
    visit.page.goto(f"{service.url}/#/practice")
    visit.page.get_by_label("Word to spell").fill("abf")
    visit.page.get_by_role("button", name="Spell it").click()
    advice = visit.page.get_by_test_id("advice")
    expect(advice).to_contain_text(":", timeout=60_000)  # what finger to move: the film begins with A
    expect(visit.page.get_by_text("3 of 3 letters right")).to_be_visible(timeout=60_000 + 3000 * FILM_S)


def _common(one, other):
    """Length of the longest common subsequence, the film being a circle."""
    row = [0] * (len(other) + 1)
    for letter in one:
        above = row[:]
        for index, wanted in enumerate(other, 1):
            row[index] = above[index - 1] + 1 if letter == wanted else max(row[index - 1], above[index])
    return row[-1]
