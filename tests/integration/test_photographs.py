import os

import pytest

from asl.core.photographs import list_photographs
from asl.errors import DatasetInvalid, NotFound


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return make


def test_class_folders_of_any_case_become_labels(folder):
    listing = list_photographs(folder("a/2.JPG", "A/1.jpeg", "space/x.png", "B/y.webp"))
    assert [(photo.name, photo.label, photo.group) for photo in listing.photographs] == [
        ("A/1.jpeg", "A", ""),
        ("B/y.webp", "B", ""),
        ("a/2.JPG", "A", ""),
        ("space/x.png", "space", ""),
    ]


def test_signer_folders_become_groups(folder):
    listing = list_photographs(folder("anna/A/1.jpg", "ben/a/1.jpg"))
    assert [(photo.group, photo.label) for photo in listing.photographs] == [("anna", "A"), ("ben", "A")]


def test_other_files_are_listed_and_hidden_ones_are_not(folder):
    listing = list_photographs(folder("A/1.jpg", "A/notes.txt", "top.jpg", ".cache/A/1.jpg", "__MACOSX/A/1.jpg"))
    assert [photo.name for photo in listing.photographs] == ["A/1.jpg"]
    assert listing.others == ("A/notes.txt", "top.jpg")


def test_linked_class_folders_are_followed(folder):
    root = folder("store/A/1.jpg", "data/B/2.jpg")
    (root / "data" / "A").symlink_to(root / "store" / "A")
    (root / "data" / "C").symlink_to(root / "store" / "A")
    photographs = list_photographs(root / "data").photographs
    assert [(photo.name, photo.label) for photo in photographs] == [
        ("A/1.jpg", "A"),
        ("B/2.jpg", "B"),
        ("C/1.jpg", "C"),
    ]


def test_links_that_lead_in_circles_are_listed_and_not_followed(folder):
    root = folder("A/1.jpg")
    (root / "A" / "up").symlink_to(root)
    (root / "A" / "same.jpg").symlink_to("same.jpg")
    listing = list_photographs(root)
    assert [photo.name for photo in listing.photographs] == ["A/1.jpg"]
    assert listing.others == ("A/same.jpg", "A/up")


def test_broken_links_and_pipes_are_listed(folder):
    root = folder("A/1.jpg")
    (root / "A" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    os.mkfifo(root / "A" / "pipe.jpg")
    listing = list_photographs(root)
    assert [photo.name for photo in listing.photographs] == ["A/1.jpg"]
    assert listing.others == ("A/gone.jpg", "A/pipe.jpg")


def test_mixed_depths_are_refused(folder):
    with pytest.raises(DatasetInvalid, match=r"A/1.jpg and anna/A/1.jpg"):
        list_photographs(folder("A/1.jpg", "anna/A/1.jpg"))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetInvalid, match="found none"):
        list_photographs(tmp_path)


def test_a_missing_folder_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        list_photographs(tmp_path / "nowhere")


def test_groups_come_from_a_csv(folder):
    root = folder("A/1.jpg", "B/2.jpg")
    table = root / "who.csv"
    table.write_text("path,group,original\nA/1.jpg,anna,p1\nB/2.jpg,ben,\n")
    photographs = list_photographs(root, table).photographs
    assert [(photo.group, photo.original) for photo in photographs] == [("anna", "A/p1"), ("ben", "B/2.jpg")]


def test_a_csv_that_leaves_photographs_out_is_refused(folder):
    root = folder("A/1.jpg", "B/2.jpg")
    table = root / "who.csv"
    table.write_text("path,group\nA/1.jpg,anna\n")
    with pytest.raises(DatasetInvalid, match=r"none for 1, such as B/2.jpg"):
        list_photographs(root, table)


def test_a_csv_without_its_columns_is_refused(folder):
    root = folder("A/1.jpg")
    table = root / "who.csv"
    table.write_text("file,signer\nA/1.jpg,anna\n")
    with pytest.raises(DatasetInvalid, match="expected the columns path and group"):
        list_photographs(root, table)


@pytest.mark.parametrize("row", ["B/2.jpg,", "B/2.jpg", "B/2.jpg,  ,p1"])
def test_a_csv_row_without_a_group_is_refused(folder, row):
    root = folder("A/1.jpg", "B/2.jpg")
    table = root / "who.csv"
    table.write_text(f"path,group,original\nA/1.jpg,anna,p1\n{row}\n")
    with pytest.raises(DatasetInvalid, match=r"who.csv, line 3: expected a group for B/2.jpg, found none"):
        list_photographs(root, table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,group\nA/1.jpg,Zo\u00eb\n".encode("latin-1"), "expected a CSV in UTF-8"),
        ("path,group\nA/1.jpg,anna\n".encode("utf-16"), "expected a CSV in UTF-8"),
        (b"path,group\nA/1.jpg," + b"x" * 200_000, "expected a CSV, found none"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused(folder, content, message):
    root = folder("A/1.jpg")
    table = root / "who.csv"
    table.write_bytes(content)
    with pytest.raises(DatasetInvalid, match=message):
        list_photographs(root, table)
