"""R12: whatever the object store or the network does, a put or get succeeds or says that it did not."""

import contextlib
import hashlib
import time

import pytest
from fault_proxy import Fault, FaultProxy
from pace import PACES, at_some_pace, wait_until
from servers import S3Server, free_port

from asl.errors import NotFound, Unavailable
from asl.infra.storage import S3Storage

_PAUSES_S = (0.01, 0.02, 0.05)
_PATIENCE = len(_PAUSES_S)
"""So many faults in a row are borne."""
_WRONG_KEY = "wrong"
_DATA = hashlib.sha256(b"content").digest() * 100_000
_SHA256 = hashlib.sha256(_DATA).hexdigest()
_ANY = [fault for fault in Fault if fault not in (Fault.CUT_REQUEST, Fault.STALL, Fault.WHOLE)]
_UPLOAD = [Fault.CUT_REQUEST, Fault.CUT_AT_ONCE, Fault.LOST_ANSWER, Fault.ANSWER_500, Fault.HANG, Fault.NO_HTTP]
_UPLOAD += [Fault.BROKEN_XML, Fault.NOT_UTF8, Fault.PAGE]


@pytest.fixture
def proxy(s3_server):
    with FaultProxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def bucket(s3_server):
    return s3_server.create_bucket()


@pytest.fixture
def direct(s3_server, bucket):
    return _storage(s3_server.endpoint, bucket, s3_server)


@pytest.fixture
def open_through(proxy, bucket, s3_server):
    """Open the store through the proxy."""
    return lambda pace: _storage(proxy.endpoint, bucket, s3_server, read_timeout_s=0.4 * pace)


@pytest.fixture
def storage(open_through):
    """A store that waits long enough for a machine that stands still: where nothing hangs, that costs nothing."""
    return open_through(PACES[-1])


@pytest.fixture
def met(proxy, storage, open_through):
    """Make a check of a fault with a store; what hangs is waited for as briefly as the machine allows."""

    def meet(fault, check):
        if not fault.name.startswith("HANG"):
            check(storage)
            return

        def at(pace):
            proxy.forget_plans()
            check(open_through(pace))

        at_some_pace(at)

    return meet


def _storage(endpoint, bucket, server, **changes):
    options = {"access_key": server.access_key, "secret_key": server.secret_key, "pauses_s": _PAUSES_S} | changes
    return S3Storage(bucket, endpoint=endpoint, **options)


@pytest.mark.parametrize("fault", _UPLOAD)
def test_a_fault_in_an_upload_is_borne(proxy, met, direct, fault):
    def check(storage):
        direct.delete("a")
        proxy.plan(fault, method="PUT", times=2)
        assert storage.put_bytes("a", _DATA).sha256 == _SHA256
        assert b"".join(direct.open("a")) == _DATA
        # An upload whose answer is lost has come through: it is not sent again.
        assert proxy.n_left == (1 if fault is Fault.LOST_ANSWER else 0)

    met(fault, check)


@pytest.mark.parametrize(
    "fault", [Fault.CUT_ANSWER, Fault.CUT_AT_ONCE, Fault.WRONG_BYTES, Fault.ANSWER_500, Fault.PAGE]
)
def test_a_fault_in_reading_back_is_borne(proxy, storage, direct, fault):
    proxy.plan(fault, method="GET", times=2)
    assert storage.put_bytes("a", _DATA).sha256 == _SHA256
    assert proxy.n_left == 0
    assert b"".join(direct.open("a")) == _DATA


@pytest.mark.parametrize("fault", [fault for fault in _UPLOAD if fault is not Fault.LOST_ANSWER])
def test_an_upload_that_fails_again_and_again_is_unavailable_and_leaves_no_object(proxy, met, direct, fault):
    def check(storage):
        proxy.plan(fault, method="PUT", times=_PATIENCE + 1)
        with pytest.raises(Unavailable) as caught:
            storage.put_bytes("a", _DATA)
        assert caught.value.hint
        assert proxy.n_left == 0
        with pytest.raises(NotFound):
            direct.size("a")

    met(fault, check)


def test_an_upload_that_can_never_be_read_back_is_unavailable(proxy, storage):
    proxy.plan(Fault.WRONG_BYTES, method="GET", times=_PATIENCE + 1)
    with pytest.raises(Unavailable, match="expected 3,200,000 bytes of SHA-256"):
        storage.put_bytes("a", _DATA)


def test_a_fault_in_an_upload_of_many_parts_is_borne_or_unavailable(proxy, bucket, s3_server, direct, tmp_path):
    storage = _storage(proxy.endpoint, bucket, s3_server)
    data = _DATA * 7  # 22 MB: two parts
    (tmp_path / "given").write_bytes(data)
    proxy.plan(Fault.CUT_REQUEST, method="PUT")
    stored = storage.put("a", tmp_path / "given")
    assert b"".join(direct.open("a")) == data
    assert stored.size_bytes == len(data)
    proxy.plan(Fault.CUT_REQUEST, method="PUT", times=_PATIENCE + 1)
    with pytest.raises(Unavailable):
        storage.put("b", tmp_path / "given")
    assert [entry.key for entry in direct.list("")] == ["a"]


def test_a_server_may_take_longer_for_an_upload_than_for_a_connection(proxy, bucket, s3_server):
    storage = _storage(proxy.endpoint, bucket, s3_server, pauses_s=())
    proxy.plan(Fault.STALL, method="PUT")
    assert storage.put_bytes("a", _DATA * 5).size_bytes == 5 * len(_DATA)
    assert proxy.n_left == 0


@pytest.mark.parametrize("fault", _ANY)
def test_a_fault_in_a_download_is_borne(proxy, met, direct, tmp_path, fault):
    direct.put_bytes("a", _DATA)

    def check(storage):
        proxy.plan(fault, method="GET", times=2)
        storage.get("a", tmp_path / "got", sha256=_SHA256)
        assert (tmp_path / "got").read_bytes() == _DATA
        assert proxy.n_left == 0

    met(fault, check)


@pytest.mark.parametrize("fault", [fault for fault in _ANY if fault is not Fault.HANG_HALF_WAY])
def test_a_download_that_fails_again_and_again_is_unavailable_and_leaves_no_file(proxy, met, direct, tmp_path, fault):
    direct.put_bytes("a", _DATA)
    (tmp_path / "got").write_bytes(b"old")

    def check(storage):
        proxy.plan(fault, method="GET", times=_PATIENCE + 1)
        with pytest.raises(Unavailable) as caught:
            storage.get("a", tmp_path / "got", sha256=_SHA256)
        assert caught.value.hint
        assert [path.name for path in tmp_path.iterdir()] == ["got"]
        assert (tmp_path / "got").read_bytes() == b"old"
        assert proxy.n_left == 0

    met(fault, check)


def test_reading_goes_on_where_a_connection_was_cut(proxy, met, direct):
    direct.put_bytes("a", _DATA)
    # More than are borne in a row: bytes that come between them count as a new beginning.
    *others, hangs = (
        Fault.CUT_ANSWER,
        Fault.WHOLE,
        Fault.ANSWER_500,
        Fault.CUT_ANSWER,
        Fault.NO_HTTP,
        Fault.HANG_HALF_WAY,
    )

    def check(storage):
        for fault in (*others, hangs):
            proxy.plan(fault, method="GET")
        assert b"".join(storage.open("a", start=5, end=3_000_000)) == _DATA[5:3_000_000]
        assert proxy.n_left == 0

    met(hangs, check)


def test_an_answer_of_the_whole_is_not_taken_for_a_part(proxy, storage, direct):
    direct.put_bytes("a", _DATA)
    proxy.plan(Fault.WHOLE, method="GET", times=_PATIENCE + 1)
    with pytest.raises(Unavailable, match="expected a part"):
        storage.open("a", start=5)


@pytest.mark.parametrize("fault", [Fault.CUT_ANSWER, Fault.CUT_AT_ONCE, Fault.ANSWER_500, Fault.NO_HTTP])
def test_a_listing_goes_on_after_a_fault(proxy, storage, direct, fault):
    keys = [f"a/{number}" for number in range(5)]
    for key in keys:
        direct.put_bytes(key, b"")
    proxy.plan(fault, method="GET", times=2)
    assert [entry.key for entry in storage.list("a/")] == keys
    proxy.plan(fault, method="GET", times=_PATIENCE + 1)
    with pytest.raises(Unavailable):
        list(storage.list("a/"))


@pytest.mark.parametrize("fault", [fault for fault in _ANY if "HANG" not in fault.name])
@pytest.mark.parametrize("method", ["HEAD", "DELETE", "GET", "PUT"])
def test_no_foreign_error_comes_out(proxy, bucket, s3_server, fault, method):
    storage = _storage(proxy.endpoint, bucket, s3_server, pauses_s=())
    storage.put_bytes("a", _DATA)
    calls = [
        lambda: storage.put_bytes("b", b"other"),
        lambda: b"".join(storage.open("a")),
        lambda: list(storage.list("")),
        lambda: storage.size("a"),
        lambda: storage.delete("nowhere"),
        storage.check,
        storage.ensure_bucket,
    ]
    n_faults = 0
    for call in calls:
        proxy.plan(fault, method=method)
        with contextlib.suppress(Unavailable):
            call()
        n_faults += 1 - proxy.n_left
        proxy.forget_plans()
    assert n_faults


def test_a_server_that_is_not_there_is_unavailable_soon(s3_server, tmp_path):
    storage = _storage(f"http://127.0.0.1:{free_port()}", "bucket", s3_server)
    began = time.monotonic()
    for call in (
        storage.check,
        lambda: storage.put_bytes("a", b""),
        lambda: storage.get("a", tmp_path / "got", sha256=_SHA256),
    ):
        with pytest.raises(Unavailable):
            call()
    assert time.monotonic() - began < 30


def test_a_server_that_refuses_is_asked_once(s3_server, proxy, bucket):
    storage = _storage(proxy.endpoint, bucket, s3_server, secret_key=_WRONG_KEY)
    for call in (storage.check, lambda: storage.size("a"), lambda: storage.open("a")):
        proxy.requests.clear()
        with pytest.raises(Unavailable, match="refuses") as caught:
            call()
        assert "access key" in caught.value.hint
        assert len(proxy.requests) == 1


def test_a_frozen_server_fails_the_check_within_two_seconds_and_is_used_again_afterwards(s3_server):  # noqa: ARG001
    with S3Server() as server:
        storage = _storage(server.endpoint, server.create_bucket(), server)
        storage.put_bytes("a", _DATA)
        server.pause()
        wait_until(lambda: _seconds_to_fail(storage) < 2)
        server.resume()
        wait_until(lambda: _answers(storage))
        server.kill()
        assert not _answers(storage)
        server.start()
        wait_until(lambda: _answers(storage))
        assert b"".join(storage.open("a")) == _DATA


def _answers(storage):
    with contextlib.suppress(Unavailable):
        storage.check()
        return True
    return False


def _seconds_to_fail(storage):
    began = time.monotonic()
    assert not _answers(storage)
    return time.monotonic() - began
