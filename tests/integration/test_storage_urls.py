import pytest

from asl.errors import OptionsInvalid
from asl.infra.storage import FolderStorage, S3Storage, open_storage


def test_a_url_names_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in (str(tmp_path / "a b"), f"file://{tmp_path}/a%20b", f"file://localhost{tmp_path}/a%20b", "a b"):
        storage = open_storage(url)
        assert isinstance(storage, FolderStorage)
        storage.put_bytes("key", b"")
        assert (tmp_path / "a b" / "key").is_file()
        storage.delete("key")
    assert isinstance(open_storage("s3://bucket?endpoint=https://host&region=eu-west-1", "key", "secret"), S3Storage)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "expected a store's URL"),
        ("http://host/bucket", "expected a store's URL"),
        ("a\0b", "expected a store's URL"),
        ("file://host/folder", "expected file:///folder"),
        ("file:folder", "expected file:///folder"),
        ("file:///a%00b", "expected a folder"),
        ("s3://bucket", "expected an endpoint"),
        ("s3://?endpoint=http://host", "expected a bucket"),
        ("s3://bucket/folder?endpoint=http://host", "expected a bucket"),
        ("s3://user:password@bucket?endpoint=http://host", "expected a bucket"),
        ("s3://bucket?endpoint", "expected options"),
        ("s3://bucket?endpoint=host:9000", "expected an endpoint"),
        ("s3://bucket?endpoint=http://host:port", "expected an"),
        ("s3://bucket?endpoint=http://host/path", "expected an S3 server"),
        ("s3://bucket?endpoint=http://host&region=%20", "expected an S3 server"),
        ("s3://bucket?endpoint=http://host&rgion=x", "expected the options"),
    ],
)
def test_a_bad_url_is_refused_with_a_reason(url, expected):
    with pytest.raises(OptionsInvalid, match=expected) as caught:
        open_storage(url, "key", "secret")
    assert "password" not in caught.value.message


def test_s3_needs_keys():
    with pytest.raises(OptionsInvalid, match="expected an access key"):
        open_storage("s3://bucket?endpoint=http://host", "key", None)
