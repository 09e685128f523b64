import hashlib
import os
import subprocess
import sys
import time

import pytest

from asl.errors import Conflict, InvalidInput, Unavailable
from asl.infra.storage import FolderStorage


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("key", ["a/b", "a/b/c/d"])
def test_a_key_below_an_object_is_a_conflict_in_a_folder(tmp_path, key):
    storage = FolderStorage(tmp_path)
    storage.put_bytes("a", b"object")
    with pytest.raises(Conflict):
        storage.put_bytes(key, b"below")


def test_a_key_that_is_a_folder_is_a_conflict_in_a_folder(tmp_path):
    storage = FolderStorage(tmp_path)
    storage.put_bytes("a/b", b"object")
    with pytest.raises(Conflict):
        storage.put_bytes("a", b"folder")


def test_a_folder_has_no_urls(tmp_path):
    assert FolderStorage(tmp_path).presigned_url("a", file_name="a", expires_s=1) is None


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "store"
    root.mkdir()
    (root / "file").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    storage = FolderStorage(root)
    for key in ("file", "folder/secret"):
        with pytest.raises(InvalidInput, match="found a link"):
            storage.open(key)
        with pytest.raises(InvalidInput, match="found a link"):
            storage.put_bytes(key, b"changed")
        with pytest.raises(InvalidInput, match="found a link"):
            storage.delete(key)
    with pytest.raises(Unavailable):
        storage.open("circle/a")
    assert not list(storage.list(""))
    assert (tmp_path / "secret").read_text() == "secret"


def test_parts_that_nobody_writes_to_are_removed_after_a_day(tmp_path):
    FolderStorage(tmp_path).put_bytes("a", b"")
    old, new = tmp_path / "~parts" / "~old", tmp_path / "~parts" / "~new"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    assert [entry.key for entry in FolderStorage(tmp_path).list("")] == ["a"]
    assert not old.exists()
    assert new.exists()


def test_foreign_files_are_not_listed(tmp_path):
    storage = FolderStorage(tmp_path)
    storage.put_bytes("b", b"")
    for name in ("a b", "~a", "c..d", "ä"):
        (tmp_path / name).write_text("")
        (tmp_path / f"{name}_folder").mkdir()
        (tmp_path / f"{name}_folder" / "file").write_text("")
    assert [entry.key for entry in storage.list("")] == ["b"]


def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path):
    (tmp_path / "file").write_text("")
    storage = FolderStorage(tmp_path / "file" / "store")
    with pytest.raises(Unavailable):
        storage.check()


_PUTTER = """
import sys
from pathlib import Path
from asl.infra.storage import open_storage
storage = open_storage(sys.argv[1])
print("ready", flush=True)
for number in range(1000):
    storage.put(f"objects/{number}", Path(sys.argv[2]))
"""


def test_a_kill_in_the_middle_of_a_put_leaves_only_whole_objects(tmp_path):
    data = bytes(range(250)) * 32_000
    (tmp_path / "given").write_bytes(data)
    root = tmp_path / "store"
    command = [sys.executable, "-c", _PUTTER, str(root), str(tmp_path / "given")]
    pauses_s = (0.0, 0.01, 0.02, 0.05)
    for pause_s in (*pauses_s, *pauses_s * 4):
        left = set(root.glob("~parts/~*"))
        if left and pause_s == 0.0:
            break  # some kill came in the middle; else it is tried again, for the machine may have stood still
        with subprocess.Popen(command, stdout=subprocess.PIPE) as putter:
            putter.stdout.readline()
            while putter.poll() is None and set(root.glob("~parts/~*")) == left:
                time.sleep(0.001)
            time.sleep(pause_s)
            putter.kill()
        storage = FolderStorage(root)
        for entry in storage.list(""):
            assert _sha256(b"".join(storage.open(entry.key))) == _sha256(data)
        assert all(entry.key.startswith("objects/") for entry in storage.list(""))
    assert list(root.glob("~parts/~*")), "no kill came in the middle of a put"
    assert storage.put("objects/0", tmp_path / "given").size_bytes == len(data)
