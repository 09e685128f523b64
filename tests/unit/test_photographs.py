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
