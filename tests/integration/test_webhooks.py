"""Webhooks: signed, tried again, told once by any number of dispatchers, and never sent where they may not go."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest
from databases import KINDS
from job_service import new_tenant, stored
from sqlalchemy import select, update

from asl.contracts import Job, ProbeRequest
from asl.errors import InvalidInput
from asl.infra import jobs, tables
from asl.infra.database import now
from asl.infra.settings import Settings
from asl.infra.webhooks import MAX_TRIES, check_address, deliver_due, sign

SECRET = "a secret of more than 24 characters"  # noqa: S105 - of this test
ALLOWED = {"webhook_hosts": ("127.0.0.1", "Example.org", "ports.example.org:8443"), "webhook_secret": SECRET}


class Call(NamedTuple):
    headers: dict
    body: bytes


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, and answers with `status`."""

    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls, self.status, self.wait_s = [], 204, 0.0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook?a=b"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append(Call({name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(self.server.wait_s)
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with _serving(Receiver()) as receiver:
        yield receiver


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory):
    with stored(request.param, request, tmp_path_factory.mktemp("store"), **ALLOWED) as store:
        yield store


def _settings(**values):
    return Settings(_env_file=None, **values)


def _end(store, url, n=1):
    tenant = new_tenant()
    ids = store.submit(tenant, *[ProbeRequest(webhook=url, name="told")] * n)
    for job_id in ids:
        store.succeed(job_id)
    return ids


def _delivery(store, job_id):
    with store.database.reading() as session:
        return session.scalar(select(tables.WebhookDelivery).where(tables.WebhookDelivery.job_id == job_id))


def _make_due(store, job_id):
    with store.database.transaction() as session:
        row = tables.WebhookDelivery
        session.execute(update(row).where(row.job_id == job_id).values(next_try_at=now() - 1))


def test_a_jobs_end_is_told_once_and_signed(store, receiver):
    [job_id] = _end(store, receiver.url)
    assert deliver_due(store.database, store.settings) == 1
    assert deliver_due(store.database, store.settings) == 0
    [call] = receiver.calls
    message = json.loads(call.body)
    assert message["type"] == "job.succeeded"
    job = Job.model_validate(message["data"])
    assert (job.id, job.state, job.name) == (job_id, "succeeded", "told")
    assert message["timestamp"] == message["data"]["finished_at"]
    delivery = _delivery(store, job_id)
    assert call.headers["webhook-id"] == delivery.id
    assert abs(int(call.headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{expected}"
    assert (delivery.next_try_at, delivery.last_error, delivery.n_tries) == (None, None, 1)
    assert delivery.delivered_at is not None


def test_failed_and_cancelled_jobs_are_told_too(store, receiver):
    failed, cancelled = store.submit(new_tenant(), *[ProbeRequest(webhook=receiver.url)] * 2)
    store.fail(failed)
    store.move(jobs.cancel, cancelled)
    assert deliver_due(store.database, store.settings) == 2
    assert {json.loads(call.body)["type"] for call in receiver.calls} == {"job.failed", "job.cancelled"}


def test_the_signature_is_that_of_the_standard():
    # The example of the Standard Webhooks specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - an example in public
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_failure_is_tried_again_later_and_later_until_it_is_given_up(store, receiver):
    receiver.status = 500
    [job_id] = _end(store, receiver.url)
    waits = []
    for _ in range(MAX_TRIES):
        before = time.time()
        assert deliver_due(store.database, store.settings) == 1
        took_s = time.time() - before
        delivery = _delivery(store, job_id)
        assert delivery.delivered_at is None
        assert "500" in delivery.last_error
        if delivery.next_try_at is not None:
            waits.append((delivery.next_try_at - before, took_s))
            _make_due(store, job_id)
    for n, (wait_s, took_s) in enumerate(waits):
        expected_s = min(5 * 2**n, 3600)
        assert expected_s - 1 <= wait_s <= expected_s + took_s + 1
    assert len(waits) == MAX_TRIES - 1
    assert _delivery(store, job_id).next_try_at is None
    assert len(receiver.calls) == MAX_TRIES
    assert deliver_due(store.database, store.settings) == 0
    ids = {call.headers["webhook-id"] for call in receiver.calls}
    assert ids == {_delivery(store, job_id).id}


def test_a_redirect_is_not_followed(store, receiver):
    receiver.status = 307
    [job_id] = _end(store, receiver.url)
    deliver_due(store.database, store.settings)
    assert len(receiver.calls) == 1
    assert "307" in _delivery(store, job_id).last_error
    _silence(store, job_id)


def test_the_host_is_checked_again_when_it_is_sent(store, receiver):
    [job_id] = _end(store, receiver.url)
    elsewhere = _settings(webhook_hosts=("example.org",), webhook_secret=SECRET)
    assert deliver_due(store.database, elsewhere) == 1
    assert receiver.calls == []
    assert "allowed host" in _delivery(store, job_id).last_error
    _silence(store, job_id)


def test_dispatchers_at_the_same_time_tell_it_once(store, receiver):
    receiver.wait_s = 0.3
    ids = _end(store, receiver.url, n=30)
    with ThreadPoolExecutor(4) as pool:
        n_tried = sum(pool.map(lambda _: deliver_due(store.database, store.settings, limit=10), range(4)))
    n_tried += deliver_due(store.database, store.settings, limit=30)
    told = [json.loads(call.body)["data"]["id"] for call in receiver.calls]
    assert {_delivery(store, job_id).last_error for job_id in ids} == {None}
    assert sorted(told) == sorted(ids)
    assert n_tried == 30


def test_receivers_that_never_answer_cost_seconds_all_together(store):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        ids = _end(store, url, n=10)
        start = time.monotonic()
        assert deliver_due(store.database, store.settings) == 10
        assert time.monotonic() - start < 5 * 10  # one after the other they would have taken that
    assert "Timeout" in _delivery(store, ids[0]).last_error
    for job_id in ids:
        _silence(store, job_id)


def test_a_receiver_that_is_not_there_is_tried_again(store):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    [job_id] = _end(store, f"http://127.0.0.1:{port}/")
    deliver_due(store.database, store.settings)
    delivery = _delivery(store, job_id)
    assert delivery.last_error.startswith("ConnectError")
    assert delivery.next_try_at > time.time()
    _silence(store, job_id)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/x", "https://EXAMPLE.org", "http://127.0.0.1:8000/a", "https://ports.example.org:8443/"],
)
def test_an_address_of_an_allowed_host_is_taken(url):
    check_address(_settings(**ALLOWED), url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://evil.org", "allowed host"),
        ("https://example.org.evil.org", "allowed host"),
        ("https://evil.org/?example.org", "allowed host"),
        ("https://example.org@evil.org", "allowed host"),
        ("https://ports.example.org/", "allowed host"),
        ("https://169.254.169.254/latest", "allowed host"),
        ("http://[::1]/", "allowed host"),
        ("http://example.org", "https"),
        ("https://user:password@example.org", "without a user"),
    ],
)
def test_any_other_address_is_refused(url, why):
    with pytest.raises(InvalidInput, match=why):
        check_address(_settings(**ALLOWED), url)


@pytest.mark.parametrize("missing", ["webhook_hosts", "webhook_secret"])
def test_without_hosts_or_a_secret_there_are_no_webhooks(missing):
    given = {name: value for name, value in ALLOWED.items() if name != missing}
    with pytest.raises(InvalidInput, match="sends none"):
        check_address(_settings(**given), "https://example.org")


def test_a_job_with_an_address_that_is_not_allowed_is_refused(store):
    tenant = new_tenant()
    with pytest.raises(InvalidInput, match="webhook"):
        store.submit(tenant, ProbeRequest(), ProbeRequest(webhook="https://evil.org"))
    assert store.rows(tenant) == []


def _silence(store, job_id):
    with store.database.transaction() as session:
        row = tables.WebhookDelivery
        session.execute(update(row).where(row.job_id == job_id).values(next_try_at=None))


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
