"""Live in a real browser: a film of hands for a camera, the words that come of it, and photographs without one."""

import time

import pytest
from browsers import S_PER_LETTER, STILL_LETTERS, Visit
from page_road import wait_until
from playwright.sync_api import expect

FILM_S = S_PER_LETTER * len(STILL_LETTERS)
_PRESS_WHAT_IS_SHOWN = "button => button.isConnected && (button.click(), button.innerText)"
N_READ_AT_LEAST = 20
N_ROUNDS = 6
"""Of the film, at most: a busy machine misses letters, and then they are looked for once more from the beginning."""


@pytest.fixture(scope="module")
def visit(browser, service):
    with Visit(browser, service.url, permissions=["camera", "clipboard-read", "clipboard-write"]) as made:
        yield made


@pytest.fixture(scope="module")
def page(visit):
    return visit.page


def test_drawn_hands_and_photographs_are_read(page, hand_jpeg):
    page.get_by_label("Drawn hand: L").click()
    letter = page.get_by_test_id("photo-letter")
    expect(letter).to_have_text("L")
    _choose(page, hand_jpeg("W"))
    expect(letter).to_have_text("W")
    _choose(page, b"no picture")
    expect(page.get_by_role("alert")).to_be_visible()


def test_the_film_is_read_and_spelled(visit, page, service):
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_label("Hold for").select_option("0.4 s")
    page.wait_for_selector(".letter:not(.unsure)", timeout=180_000)
    letters = set()
    for _ in range(N_ROUNDS):
        read = _read_once(page)
        if _n_in_order(read) >= N_READ_AT_LEAST / 2:  # what comes in no order is not what the film shows
            letters.update(read)
        if len(letters) >= N_READ_AT_LEAST:
            break
    assert len(letters & set(STILL_LETTERS)) >= N_READ_AT_LEAST, read
    word = page.get_by_test_id("word")
    wait_until(lambda: len(set(word.input_value()) & set(STILL_LETTERS)) >= N_READ_AT_LEAST / 2)
    assert visit.hosts == {f"127.0.0.1:{service.port}"}
    assert not visit.complaints


def test_words_are_read_as_they_are_spelled(page):
    word = page.get_by_test_id("word")
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Read whole words").check()
    suggestions = page.get_by_role("group", name="Words that may be meant").get_by_role("button")
    expect(suggestions.first).to_be_visible(timeout=180_000)
    pressed = []  # as soon as one stays long enough: the film goes on, and with it what may be meant
    wait_until(lambda: pressed.append(suggestions.last.evaluate(_PRESS_WHAT_IS_SHOWN)) or pressed[-1])
    assert f"{pressed[-1]} " in word.input_value()
    wait_until(lambda: _n_in_order(word.input_value().rpartition(" ")[2]) >= 3)
    page.get_by_label("Read whole words").uncheck()


def test_nothing_keeps_people_out_while_the_camera_is_on(visit, axe, tmp_path):
    assert not axe.serious_in_all(visit, tmp_path)


def test_words_are_changed_by_hand(page):
    page.get_by_label("Hold for").select_option("1.5 s")  # longer than the film shows a letter: none is added meanwhile
    word = page.get_by_test_id("word")
    word.fill("hello")
    for button, text in (("Delete", "HELL"), ("Undo", "HELLO"), ("Space", "HELLO ")):
        page.get_by_role("button", name=button, exact=True).click()
        assert word.input_value().startswith(text)
    page.locator(".word").get_by_role("button", name="Copy").click()
    wait_until(lambda: page.evaluate("navigator.clipboard.readText()").startswith("HELLO "))
    page.get_by_role("button", name="Clear").click()
    assert not word.input_value().startswith("H")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_what_was_done_is_told_as_code(page, service):
    page.locator("summary", has_text="Do this from code").click()
    for language, told in (("Python", "client.recognize"), ("JavaScript", "new WebSocket"), ("curl", "curl -F")):
        page.get_by_role("button", name=language).click()
        expect(page.locator("pre")).to_contain_text(told)
    page.locator(".code").get_by_role("button", name="Copy").click()
    wait_until(lambda: service.url in page.evaluate("navigator.clipboard.readText()"))


def test_the_colours_are_chosen_and_kept(page):
    theme = page.get_by_role("button", name="Switch between light and dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    theme.click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.wait_for_selector("h1")
    assert page.evaluate(ground) == dark
    theme.click()
    assert page.evaluate(ground) == light


def test_a_key_is_kept_in_this_browser(page, service):
    page.goto(f"{service.url}/#/system")
    expect(page.locator(".checks li")).not_to_have_count(0)
    page.locator("summary", has_text="Do this from code").click()
    for key in ("secret", ""):
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Save").click()
        assert (page.evaluate("localStorage.getItem('asl-api-key')") or "") == key


def test_every_button_was_pressed(visit, request):
    """The tests above have done so, where they ran."""
    ran = {item.originalname for item in request.session.items if item.module is request.module}
    if ran != {name for name in vars(request.module) if name.startswith("test_")}:
        pytest.skip("not all tests of this file were run")
    assert not visit.never_pressed("live", "system", "every")


def _choose(page, content):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Read a photograph").click()
    chooser.value.set_files({"name": "v.jpg", "mimeType": "image/jpeg", "buffer": content})


def _read_once(page):
    """Return the letters of one round of the film at most, in the order in which they were shown."""
    read = []
    deadline = time.monotonic() + FILM_S + 1
    while time.monotonic() < deadline and _n_in_order(read) < N_READ_AT_LEAST:
        shown = page.evaluate("document.querySelector('.letter:not(.unsure)')?.innerText")
        if shown and shown != (read[-1] if read else None):
            read.append(shown)
        page.wait_for_timeout(50)
    return read


def _n_in_order(read):
    """How many letters were read in the film's order, wherever in it that began."""
    starts = range(len(STILL_LETTERS))
    return max(_common(read, STILL_LETTERS[start:] + STILL_LETTERS[:start]) for start in starts)


def _common(one, other):
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for letter in one:
        above = row[:]
        for index, wanted in enumerate(other, 1):
            row[index] = above[index - 1] + 1 if letter == wanted else max(row[index - 1], above[index])
    return row[-1]
