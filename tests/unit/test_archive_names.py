import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl.core import images
from asl.core.dataset import label_of
from asl.errors import DatasetInvalid
from asl.infra.archive_names import (
    SUFFIXES,
    Arrangement,
    Layout,
    Place,
    Survey,
    clean_name,
    is_hidden,
    reason_to_skip,
    shown,
)

PIECES = st.sampled_from(["..", ".", "/", "\\", "A", "a:", "\0", "\n", "é", "e\u0301", ".jpg", "\ud800", "x" * 300])


@pytest.fixture
def survey():
    def make(*names):
        made = Survey()
        for name in names:
            made.add(name)
        return made

    return make


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("A/1.jpg", "A/1.jpg"),
        ("./A//1.jpg", "A/1.jpg"),
        ("A/B/", "A/B"),
        ("./", ""),
        ("A/..jpg", "A/..jpg"),
        ("A/e\u0301.jpg", "A/\u00e9.jpg"),
        ("A/%2e%2e.jpg", "A/%2e%2e.jpg"),
    ],
)
def test_names_become_relative_with_single_slashes(raw, name):
    assert clean_name(raw) == name


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("../A/1.jpg", "stays in its folder"),
        ("A/../../1.jpg", "stays in its folder"),
        ("..", "stays in its folder"),
        ("/etc/A/1.jpg", "relative"),
        ("//server/A/1.jpg", "relative"),
        ("C:/A/1.jpg", "relative"),
        ("./c:A/1.jpg", "relative"),
        ("..\\A\\1.jpg", "forward slashes"),
        ("A/1.jpg\0.txt", "control characters"),
        ("A/1\n.jpg", "control characters"),
        ("A/\x9b31m.jpg", "control characters"),
        ("A/\u2028.jpg", "control characters"),
        ("A/\ud800.jpg", "control characters"),
        ("A/" + "x" * 256, "255 bytes"),
        ("A/" + "é" * 128, "255 bytes"),
        ("A/" * 512 + "1.jpg", "1,024 bytes"),
        (("é" * 100 + "/") * 6, "1,024 bytes"),
    ],
)
def test_names_that_lead_astray_are_refused(raw, expected):
    with pytest.raises(DatasetInvalid, match=expected) as caught:
        clean_name(raw)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 180
    assert caught.value.hint


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_any_name_is_refused_or_safe_for_good(raw):
    try:
        name = clean_name(raw)
    except DatasetInvalid as error:
        assert error.message.isprintable()  # noqa: PT017 - most names are refused, some are not
        return
    assert clean_name(name) == name
    assert not {"", ".", ".."} & set(name.split("/")) or not name
    assert not name.startswith("/")
    assert "\\" not in name
    assert len(name.encode()) <= 1024


@given(st.text())
def test_shown_names_are_short_and_printable(name):
    assert len(shown(name)) <= 80
    assert shown(name).isprintable()


@pytest.mark.parametrize("names", [("A/1.jpg", "a/1.JPG"), ("A/1.jpg", "A/1.jpg"), ("A/\u00e9.jpg", "A/\u00c9.jpg")])
def test_a_name_twice_in_any_case_is_refused(survey, names):
    with pytest.raises(DatasetInvalid, match="twice"):
        survey(*names)


def test_rules_are_those_of_the_core():
    assert SUFFIXES == images.SUFFIXES
    for folder in ("a", "A", "space", "ß", "é"):
        assert Arrangement(0, has_signers=False).place(f"{folder}/1.jpg").label == label_of(folder)


@pytest.mark.parametrize("name", [".git/A/1.jpg", "A/.1.jpg", "__MACOSX/A/1.jpg", "data/__MACOSX/A/._1.jpg"])
def test_hidden_files_and_what_stands_in_hidden_folders_are_told(name):
    assert is_hidden(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("A/1.JPG", ""), ("A/1.txt", "'.txt'"), ("A/more.zip", "'.zip'"), ("A/1", "''"), ("1.jpg", "in none")],
)
def test_what_is_no_photograph_of_a_class_has_a_reason(name, reason):
    assert reason in reason_to_skip(name)
    assert bool(reason_to_skip(name)) == bool(reason)


@pytest.mark.parametrize(
    ("names", "layout", "place"),
    [
        (["a/1.jpg", "B/1.jpg"], Layout.AUTO, Place("a/1.jpg", "", "A")),
        (["a/1.jpg"], Layout.AUTO, Place("a/1.jpg", "", "A")),
        (["data/a/1.jpg", "data/B/1.jpg"], Layout.AUTO, Place("a/1.jpg", "", "A")),
        (["data/a/1.jpg"], Layout.LETTERS, Place("a/1.jpg", "", "A")),
        (["ann/a/1.jpg", "ann/B/1.jpg"], Layout.SIGNERS, Place("ann/a/1.jpg", "ann", "A")),
        (["ann/a/1.jpg", "ben/a/1.jpg"], Layout.AUTO, Place("ann/a/1.jpg", "ann", "A")),
        (["data/ann/a/1.jpg", "data/ben/a/1.jpg"], Layout.AUTO, Place("ann/a/1.jpg", "ann", "A")),
        (["data/ann/a/1.jpg"], Layout.AUTO, Place("ann/a/1.jpg", "ann", "A")),
        (["data/ann/a/1.jpg", "readme.txt", "x/y/z/.w/1.jpg"], Layout.SIGNERS, Place("ann/a/1.jpg", "ann", "A")),
    ],
)
def test_folders_become_signer_and_letter(survey, names, layout, place):
    assert survey(*names).arrangement(layout).place(names[0]) == place


@pytest.mark.parametrize(
    ("names", "layout", "found"),
    [
        ([], Layout.AUTO, "found none"),
        (["1.jpg", "A/notes.txt", ".git/A/1.jpg"], Layout.AUTO, "found none"),
        (["A/1.jpg", "ann/A/1.jpg"], Layout.AUTO, "'A/1.jpg' and 'ann/A/1.jpg'"),
        (["data/ann/A/1.jpg", "more/ann/A/1.jpg"], Layout.AUTO, "'data/ann/A/1.jpg'"),
        (["up/data/ann/A/1.jpg"], Layout.AUTO, "'up/data/ann/A/1.jpg'"),
        (["ann/A/1.jpg", "ben/A/1.jpg"], Layout.LETTERS, "'ann/A/1.jpg'"),
        (["A/1.jpg", "B/1.jpg"], Layout.SIGNERS, "'A/1.jpg'"),
        (["data/ann/A/1.jpg"], Layout.LETTERS, "'data/ann/A/1.jpg'"),
    ],
)
def test_folders_of_no_layout_are_refused(survey, names, layout, found):
    with pytest.raises(DatasetInvalid, match=found) as caught:
        survey(*names).arrangement(layout)
    assert "<letter>" in caught.value.hint
