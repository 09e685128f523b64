import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl.errors import InvalidInput, NotFound, Unavailable
from asl.infra.storage import Entry, check_key, open_storage

_MEGABYTE = 1_000_000
_BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a..b",
    "a b",
    "a\\b",
    "a\0",
    "a\n",
    "ä",
    "~parts/a",
]
_BAD_KEYS += ["%2e%2e/a", "a" * 256, "/".join(["a" * 100] * 10)]


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path):
    if request.param == "folder":
        return open_storage(str(tmp_path / "store"))
    return _s3(request.getfixturevalue("s3_server"))


def _s3(server, bucket=None):
    return open_storage(server.storage_url(bucket or server.create_bucket()), server.access_key, server.secret_key)


def _content(size_bytes):
    return (hashlib.sha256(b"content").digest() * (size_bytes // 32 + 1))[:size_bytes]


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size_bytes", [0, 1, 5 * 1024 * 1024, 20 * _MEGABYTE])
def test_what_is_put_can_be_got(storage, tmp_path, size_bytes):
    data = _content(size_bytes)
    (tmp_path / "given").write_bytes(data)
    stored = storage.put("jobs/1/1/a.bin", tmp_path / "given", sha256=_sha256(data))
    assert stored == ("jobs/1/1/a.bin", _sha256(data), size_bytes)
    storage.get(stored.key, tmp_path / "deep" / "got", sha256=stored.sha256)
    assert (tmp_path / "deep" / "got").read_bytes() == data
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["got"]
    assert storage.size(stored.key) == size_bytes
    assert b"".join(storage.open(stored.key)) == data


def test_putting_again_changes_nothing(storage):
    stored = storage.put_bytes("a/b", b"once")
    [before] = storage.list("")
    assert storage.put_bytes("a/b", b"once") == stored
    [after] = storage.list("")
    assert (after.key, after.size_bytes) == (before.key, before.size_bytes)
    assert after.modified_at >= before.modified_at  # what removes old objects must not take one that is wanted again


def test_an_old_object_that_is_put_again_is_young(tmp_path):
    storage = open_storage(str(tmp_path / "store"))
    storage.put_bytes("a", b"once")
    os.utime(tmp_path / "store" / "a", (0, 0))
    storage.put_bytes("a", b"once")
    [entry] = storage.list("")
    assert datetime.now(UTC) - entry.modified_at < timedelta(minutes=1)


def test_a_damaged_object_of_the_same_size_is_mended_by_another_put(storage, tmp_path):
    storage.put_bytes("a", b"wrong")
    with pytest.raises(Unavailable, match="expected 5 bytes of SHA-256"):
        storage.get("a", tmp_path / "got", sha256=_sha256(b"right"))
    assert not list(tmp_path.glob("*got*"))
    storage.put_bytes("a", b"right")
    assert b"".join(storage.open("a")) == b"right"


def test_a_file_that_has_another_hash_than_told_is_refused(storage, tmp_path):
    (tmp_path / "given").write_bytes(b"content")
    with pytest.raises(InvalidInput, match="expected the SHA-256 00"):
        storage.put("a", tmp_path / "given", sha256="00")
    assert not list(storage.list(""))


def test_a_missing_file_cannot_be_put(storage, tmp_path):
    with pytest.raises(NotFound, match="expected a file to store"):
        storage.put("a", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("start", "end"), [(0, None), (0, 0), (0, 1), (3, 3), (3, 7), (9, None), (9, 100), (10, None), (10, 12), (50, 60)]
)
def test_a_range_is_what_a_slice_is(storage, start, end):
    storage.put_bytes("a", b"0123456789")
    assert b"".join(storage.open("a", start=start, end=end)) == b"0123456789"[start:end]


@pytest.mark.parametrize(("start", "end"), [(0, None), (0, 5), (2, 4)])
def test_an_empty_object_has_empty_ranges(storage, start, end):
    storage.put_bytes("a", b"")
    assert b"".join(storage.open("a", start=start, end=end)) == b""


def test_a_long_range_comes_in_pieces(storage):
    data = _content(5 * _MEGABYTE)
    storage.put_bytes("a", data)
    pieces = list(storage.open("a", start=1_234_567, end=4_000_001))
    assert b"".join(pieces) == data[1_234_567:4_000_001]
    assert max(map(len, pieces)) <= 1024 * 1024


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4)])
def test_a_range_that_is_none_is_refused(storage, start, end):
    with pytest.raises(InvalidInput, match="expected a range"):
        storage.open("a", start=start, end=end)


def test_a_download_may_be_dropped_half_way(storage):
    storage.put_bytes("a", _content(5 * _MEGABYTE))
    for _ in range(40):  # more than the connections that are kept
        assert next(storage.open("a"))
    assert storage.size("a") == 5 * _MEGABYTE


def test_what_is_not_there_is_not_found(storage, tmp_path):
    storage.put_bytes("folder/a", b"")
    for key in ("nowhere", "folder", "folder/a/b"):
        with pytest.raises(NotFound):
            storage.size(key)
        with pytest.raises(NotFound):
            storage.open(key)
        with pytest.raises(NotFound):
            storage.open(key, start=3, end=3)
        with pytest.raises(NotFound):
            storage.get(key, tmp_path / "got", sha256="")
        storage.delete(key)
    assert list(tmp_path.glob("*got*")) == []
    assert storage.size("folder/a") == 0


def test_a_listing_is_by_prefix_and_in_order(storage):
    keys = ["a", "b-c", "b.c", "b/c", "b/d/e", "b0", "jobs/1/1/x", "jobs/1/2/x", "jobs/10/1/x", "z"]
    began = datetime.now(UTC)
    for number, key in enumerate(keys):
        storage.put_bytes(key, b"." * number)
    assert [entry.key for entry in storage.list("")] == keys
    for prefix in ("a", "b", "b/", "b/d", "jobs/1", "jobs/1/", "jobs/1/2/x", "nothing", "nothing/at/all", "a/b"):
        assert [entry.key for entry in storage.list(prefix)] == [key for key in keys if key.startswith(prefix)]
    [entry] = storage.list("b0")
    assert entry == Entry("b0", 5, entry.modified_at)
    assert began - timedelta(seconds=2) < entry.modified_at < datetime.now(UTC) + timedelta(seconds=2)


def test_a_listing_goes_beyond_one_page(s3_server):
    storage = _s3(s3_server)
    keys = [f"many/{number:04}" for number in range(1_005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: storage.put_bytes(key, b""), keys))
    assert [entry.key for entry in storage.list("many/")] == keys


def test_what_is_deleted_is_gone(storage):
    storage.put_bytes("a/b/c", b"1")
    storage.put_bytes("a/d", b"2")
    for _ in range(2):
        storage.delete("a/b/c")
    assert [entry.key for entry in storage.list("")] == ["a/d"]
    storage.put_bytes("a/b", b"now an object")
    assert storage.size("a/b") == 13


@pytest.mark.parametrize("key", _BAD_KEYS)
def test_bad_keys_are_refused_by_every_method(storage, tmp_path, key):
    (tmp_path / "given").write_bytes(b"")
    calls = [
        lambda: storage.put(key, tmp_path / "given"),
        lambda: storage.put_bytes(key, b""),
        lambda: storage.get(key, tmp_path / "got", sha256=""),
        lambda: storage.open(key),
        lambda: storage.size(key),
        lambda: storage.delete(key),
    ]
    for call in calls:
        with pytest.raises(InvalidInput, match="expected a key"):
            call()


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "a b", "~", "a\0"])
def test_bad_prefixes_are_refused_before_anything_is_listed(storage, prefix):
    with pytest.raises(InvalidInput, match="expected the beginning of a key"):
        storage.list(prefix)


@given(key=st.text(max_size=40) | st.text("ab./~\\ -_", max_size=12))
def test_an_allowed_key_stays_below_its_root(key):
    try:
        check_key(key)
    except InvalidInput:
        return
    resolved = os.path.normpath(f"/root/{key}")
    assert resolved == f"/root/{key}"
    assert unquote(key) == key
    assert key.isascii()


def test_concurrent_puts_of_one_key_all_succeed(storage):
    data = _content(3 * _MEGABYTE)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: storage.put_bytes("one/key", data), range(16)))
    assert set(found) == {("one/key", _sha256(data), len(data))}
    assert [entry.key for entry in storage.list("")] == ["one/key"]
    assert b"".join(storage.open("one/key")) == data


def test_puts_and_deletes_in_one_folder_do_not_disturb_each_other(storage):
    def come_and_go(number):
        for _ in range(20):
            storage.put_bytes(f"shared/deep/{number}", b"x")
            storage.delete(f"shared/deep/{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert not list(storage.list(""))


def test_a_store_that_is_there_passes_its_check(storage):
    storage.check()


def test_a_bucket_is_made_with_the_first_object(s3_server, tmp_path):
    storage = _s3(s3_server, "not-made-yet")
    storage.check()
    assert not list(storage.list(""))
    storage.delete("a")
    with pytest.raises(NotFound):
        storage.get("a", tmp_path / "got", sha256="")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: storage.put_bytes(name, b"x"), "abcd"))
    assert [entry.key for entry in storage.list("")] == ["a", "b", "c", "d"]
    storage.ensure_bucket()


def test_a_presigned_url_gives_the_object_under_a_file_name(s3_server):
    storage = _s3(s3_server)
    storage.put_bytes("a/b", b"content")
    name = 'my "best"; model\r\n.pt'
    answer = httpx.get(storage.presigned_url("a/b", file_name=name, expires_s=60), trust_env=False, timeout=60)
    assert answer.content == b"content"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment;")
    assert unquote(disposition.partition("''")[2]) == name
    for expires_s in (0, 7 * 24 * 3600 + 1):
        with pytest.raises(InvalidInput, match="expected a URL's age"):
            storage.presigned_url("a/b", file_name="b", expires_s=expires_s)


def test_a_presigned_url_names_the_server_as_users_reach_it(s3_server):
    url = s3_server.storage_url("bucket") + "&public_endpoint=https://files.example.org"
    storage = open_storage(url, "key", "secret")
    assert storage.presigned_url("a", file_name="a", expires_s=1).startswith("https://files.example.org/bucket/a?")


def test_a_file_that_cannot_be_written_is_unavailable(storage, tmp_path):
    storage.put_bytes("a", b"content")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="could not write a to"):
        storage.get("a", tmp_path / "file" / "got", sha256=_sha256(b"content"))
