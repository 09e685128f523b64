"""Downloads of what jobs have made: whole, in ranges, unchanged, by the store's own URL; from a folder and from S3."""

import base64
import hashlib

import httpx
import pytest
from databases import KINDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_service import served

from asl.contracts import Artifact, Page, ProbeRequest

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = f'"{SHA256}"'


@pytest.fixture(scope="module", params=KINDS)
def service(request, tmp_path_factory):
    with served(request.param, request, tmp_path_factory.mktemp("service")) as service:
        service.kind = request.param
        yield service


@pytest.fixture(scope="module")
def client(service):
    with service.client() as client:
        [client.job_id] = service.submit(client.tenant, ProbeRequest())
        service.succeed(client.job_id, model_pt=DATA, empty_txt=b"")
        client.path = f"/jobs/{client.job_id}/artifacts/model.pt"
        yield client


def _range(client, text, **headers):
    return client.get(client.path, headers={"Range": text} | headers)


def test_the_list_shows_what_was_made(client):
    page = Page[Artifact].model_validate(client.get(f"/jobs/{client.job_id}/artifacts").json())
    assert [(made.name, made.size_bytes) for made in page.items] == [("empty.txt", 0), ("model.pt", len(DATA))]
    assert page.items[1].sha256 == SHA256
    assert page.next_cursor is None


def test_a_download_tells_its_hash(client):
    answer = client.get(client.path)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["etag"] == ETAG
    assert answer.headers["x-content-sha256"] == SHA256
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["content-disposition"] == 'attachment; filename="model.pt"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"
    head = client.head(client.path)
    assert (head.status_code, head.content) == (200, b"")
    of_both = [{name: value for name, value in each.headers.items() if name != "date"} for each in (head, answer)]
    assert of_both[0] == of_both[1]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(start=st.integers(0, len(DATA) + 5), length=st.integers(1, len(DATA)))
def test_a_range_is_what_a_slice_is(client, start, length):
    answer = _range(client, f"bytes={start}-{start + length - 1}")
    expected = DATA[start : start + length]
    if not expected:
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(DATA)}")
        assert answer.headers["content-type"] == "application/problem+json"
        return
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["x-content-sha256"] == SHA256


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=10-", DATA[10:]),
        ("bytes=-7", DATA[-7:]),
        (f"bytes=-{10**9}", DATA),
        ("bytes=0-0", DATA[:1]),
        ("bytes= 1 - 2", DATA[1:3]),
    ],
)
def test_a_range_may_be_open(client, text, expected):
    answer = _range(client, text)
    assert (answer.status_code, answer.content) == (206, expected)


@pytest.mark.parametrize(
    "text", ["bytes=0-1,4-5", "bytes=5-4", "bytes=-", "bytes=a-b", "items=0-1", "bytes=", f"bytes={'9' * 50}-", "x"]
)
def test_a_range_that_is_not_read_here_is_answered_with_everything(client, text):
    answer = _range(client, text)
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("text", ["bytes=-0", f"bytes={len(DATA)}-", "bytes=9999999999999999999-"])
def test_a_range_beyond_the_end_is_refused(client, text):
    assert _range(client, text).status_code == 416


def test_a_range_of_another_file_is_answered_with_everything(client):
    assert _range(client, "bytes=0-1", **{"If-Range": ETAG}).content == DATA[:2]
    assert _range(client, "bytes=0-1", **{"If-Range": '"other"'}).content == DATA


def test_an_empty_file_can_be_downloaded(client):
    path = f"/jobs/{client.job_id}/artifacts/empty.txt"
    assert (client.get(path).status_code, client.get(path).content) == (200, b"")
    assert client.get(path, headers={"Range": "bytes=0-"}).status_code == 416


@pytest.mark.parametrize("tags", [ETAG, f"W/{ETAG}", f'"a", {ETAG}', "*"])
def test_what_the_client_has_is_not_sent_again(client, tags):
    for method in ("GET", "HEAD"):
        answer = client.request(method, client.path, headers={"If-None-Match": tags, "Range": "bytes=0-1"})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", ETAG)


def test_what_the_client_has_not_is_sent(client):
    assert client.get(client.path, headers={"If-None-Match": '"other"'}).content == DATA


def test_a_store_with_urls_is_asked_itself(client, service):
    answer = client.get(client.path, params={"presigned": "true"})
    if service.kind == "sqlite":
        assert (answer.status_code, answer.content) == (200, DATA)
        return
    assert answer.status_code == 307
    with httpx.Client(trust_env=False, timeout=60) as anyone:
        assert anyone.get(answer.headers["location"]).content == DATA


@pytest.mark.parametrize("name", ["nothing", "..%2fx", "%00", "a%5cb", "x" * 256, "%ff", "model.pt%00"])
def test_what_was_not_made_is_a_problem(client, name):
    answer = client.get(f"/jobs/{client.job_id}/artifacts/{name}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_bytes_that_the_store_has_lost_are_a_problem_and_no_empty_file(client, service):
    [job_id] = service.submit(client.tenant, ProbeRequest())
    service.succeed(job_id, a_txt=b"gone")
    service.storage.delete(f"jobs/{job_id}/1/a.txt")
    assert client.get(f"/jobs/{job_id}/artifacts/a.txt").status_code == 404


def test_names_that_no_header_can_hold_are_encoded(client, service):
    [job_id] = service.submit(client.tenant, ProbeRequest())
    claim = service.claim(job_id)
    stored = service.storage.put_bytes(f"jobs/{job_id}/1/x", b"x")
    service.publish(claim, 'a "ü".txt', stored)
    answer = client.get(f"/jobs/{job_id}/artifacts/a%20%22%C3%BC%22.txt")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20%22%C3%BC%22.txt"
    assert answer.content == b"x"
