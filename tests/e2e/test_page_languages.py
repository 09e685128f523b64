"""The page in other languages: chosen by the browser or on the page, and whole."""

import pytest
from browsers import Visit
from playwright.sync_api import expect

from asl.contracts import (
    Change,
    HandPart,
    JobKind,
    JobState,
    NoLetter,
    SampleState,
    TrainingOptions,
    TriedState,
    TuningOptions,
)
from asl.core.advice import AdviceCode
from asl.core.hand import LETTERS
from asl.errors import AslError
from services.gateway import errors

_LEAVES = """
const leaves = (value, path) => {
  if (typeof value === "function") return [[path, `function of ${value.length}`]];
  if (typeof value !== "object") return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, path ? `${path}.${name}` : name));
};
"""


@pytest.fixture(scope="module")
def languages(run):
    """Each language's texts, as a table of path and text; functions are told by their number of arguments."""
    return run(f"""{_LEAVES}
        const {{ LANGUAGES }} = await import("/page/texts/languages.js");
        const tables = {{}};
        for (const code of Object.keys(LANGUAGES)) {{
          const {{ text }} = await import(`/page/texts/${{code}}/index.js`);
          tables[code] = Object.fromEntries(leaves(text, ""));
        }}
        return tables;""")


def test_every_language_has_all_texts_and_no_others(languages):
    english = languages["en"]
    for code, texts in languages.items():
        own = {path: text for path, text in texts.items() if not path.startswith("service.")}
        assert own.keys() == english.keys(), code
        for path, text in own.items():
            assert text.startswith("function") == english[path].startswith("function"), (code, path)
            assert not text.startswith("function") or text == english[path], (code, path)


def test_no_text_was_left_in_english(languages):
    english = languages["en"]
    for code in languages.keys() - {"en"}:
        sentences = {path for path, text in english.items() if text.count(" ") >= 2 and "function of" not in text}
        assert not {path for path in sentences if languages[code][path] == english[path]}, code


def test_every_name_that_the_service_tells_has_a_text(languages):
    for code, texts in languages.items():
        assert _names(texts, "jobs.states") == set(JobState), code
        assert _names(texts, "jobs.kinds") == set(JobKind) - {JobKind.EXTRACTION_SHARD}, code
        assert _names(texts, "teach.states") == {"", *SampleState}, code
        assert _names(texts, "live.reasons") >= set(NoLetter), code
        assert _names(texts, "tuning.states") == set(TriedState), code
        assert _names(texts, "advice.codes") == set(AdviceCode), code


def test_what_the_service_says_in_english_has_a_text_by_its_code(languages):
    options = TrainingOptions.model_fields.keys() | TuningOptions.model_fields.keys()
    problems = {kind.code for kind in _tree(AslError)} | {code for code, *_ in errors.HTTP_CODES.values()}
    fingers = set(HandPart) - {HandPart.THUMB, HandPart.HAND}
    for code in languages.keys() - {"en"}:
        texts = languages[code]
        assert _names(texts, "service.problems") == problems, code
        assert _names(texts, "service.remedies") == set(AdviceCode), code
        assert _names(texts, "service.options") == options, code
        assert _names(texts, "service.coaching.parts") == fingers, code
        assert _names(texts, "service.coaching.changes") == set(Change) - {Change.PLACE, Change.TURN}, code
        assert _names(texts, "service.coaching.thumb") == set(LETTERS), code


def test_figures_and_times_are_written_as_readers_write_them(run, browser, service):
    written = """
        const { accuracy, ago, brief, bytes, duration, percent } = await import("/page/numbers.js");
        const before = (seconds) => ago(new Date(Date.now() - 1000 * seconds));
        return [accuracy(0.1234), percent(0.9971), percent(1), brief(0.00015), bytes(2_500_000), duration(5400),
          before(1), before(90), before(200_000)];"""
    assert run(written) == [
        *("12.3 %", "99.7 %", "100 %", "0.00015", "2.5 MB", "1.5 h", "just now", "1 minute ago", "2 days ago"),
    ]
    with Visit(browser, service.url, locale="es-ES") as visit:
        spanish = visit.page.evaluate(f"(async () => {{ {written} }})()")
    assert spanish == [
        *("12,3 %", "99,7 %", "100 %", "0,00015", "2,5 MB", "1,5 h", "ahora mismo", "hace 1 minuto", "hace 2 días"),
    ]


@pytest.mark.parametrize(
    ("browsers_own", "title"), [("es-MX", "En vivo"), ("en-GB", "Live"), ("ja-JP", "Live")]
)  # fmt: skip
def test_the_browsers_language_is_taken_where_there_is_a_text(browser, service, browsers_own, title):
    with Visit(browser, service.url, locale=browsers_own) as visit:
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(title)


def test_a_language_is_chosen_on_the_page_and_kept(browser, service, axe, tmp_path):
    with Visit(browser, f"{service.url}/#/practice", locale="en-US") as visit:
        page = visit.page
        page.get_by_label("Language of this page").select_option(label="Español")
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text("Practicar")
        assert page.evaluate("document.documentElement.lang") == "es"
        page.goto(f"{service.url}/#/teach/nada")
        expect(page.get_by_role("alert")).to_contain_text("Eso ya no está, o nunca estuvo.")
        assert not axe.serious_in_all(visit, tmp_path)
        page.reload()
        page.get_by_label("Idioma de esta página").select_option(label="English")
        expect(page.get_by_role("alert")).to_contain_text("No data set")
        assert not visit.complaints


def _names(texts, place):
    """What stands right under a place."""
    return {path.removeprefix(f"{place}.").partition(".")[0] for path in texts if path.startswith(f"{place}.")}


def _tree(kind):
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)
