import io
import zipfile

import numpy as np
import pytest

from asl.core import files
from asl.core.files import read_npz, replacing
from asl.errors import DatasetInvalid, NotFound, OptionsInvalid


def _write(path, text):
    with replacing(path) as part:
        part.write_text(text)


def _write_half(path):
    with replacing(path) as part:
        part.write_text("half")
        raise ZeroDivisionError


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "f.txt"
    _write(path, "old")
    with replacing(path) as part:
        part.write_text("new")
        assert part.parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f.txt"
    _write(path, "old")
    with pytest.raises(ZeroDivisionError):
        _write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(OptionsInvalid, match="found the folder"):
        _write(tmp_path, "text")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file/f.txt", "file/deep/f.txt"])
def test_a_path_below_a_file_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionsInvalid, match="found a file at or above"):
        _write(tmp_path / name, "text")


def test_a_missing_npz_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        read_npz(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(DatasetInvalid, match="expected an npz file"):
        read_npz(tmp_path / "f.npz")


@pytest.mark.parametrize("position", [0.02, 0.1, 0.5])
def test_a_damaged_npz_is_refused(tmp_path, position):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, features=np.random.default_rng(0).random(2_000))
    data = bytearray(buffer.getvalue())
    start = int(len(data) * position)
    data[start : start + 40] = bytes(255 - value for value in data[start : start + 40])
    (tmp_path / "f.npz").write_bytes(data)
    with pytest.raises(DatasetInvalid, match="expected an npz file"):
        read_npz(tmp_path / "f.npz")


def test_members_that_are_no_arrays_become_ones_of_bytes(tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("labels", "A, B")
    assert read_npz(tmp_path / "f.npz")["labels"].dtype.kind == "S"


def test_a_file_that_expands_hugely_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST_NPZ_BYTES", 100_000)
    np.savez_compressed(tmp_path / "bomb.npz", features=np.zeros(200_000, np.uint8))
    assert (tmp_path / "bomb.npz").stat().st_size < 1_000
    with pytest.raises(DatasetInvalid, match="expected at most 100,000 bytes"):
        read_npz(tmp_path / "bomb.npz")
