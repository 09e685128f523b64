"""The table of errors is complete, and what nobody foresaw is told to the log alone."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from asl.contracts import Recognition
from asl.errors import AslError, Busy, DeadlineExceeded, Unavailable
from asl.infra.settings import Settings
from asl.infra.stores import database_of, storage_of
from services.gateway import errors
from services.gateway.app import create_app
from services.gateway.recognizer_pool import RecognizerPool
from services.gateway.served_model import Serving, load_starter
from services.gateway.startup import Gateway


class Fails:
    """A recognizer with a defect."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def recognize(self, data: bytes, options: Any) -> Recognition:  # noqa: ARG002 - as the routes call it
        raise self._error

    def close(self) -> None:
        pass


class Waits:
    """A recognizer that is at work until it is released."""

    def __init__(self) -> None:
        self.release = Event()
        self.asked: list[bytes] = []

    def recognize(self, data: bytes, _: Any) -> Recognition:
        self.asked.append(data)
        assert self.release.wait(60)
        raise Busy("enough waited")

    def close(self) -> None:
        pass


def _subclasses(kind: type[AslError]) -> Iterator[type[AslError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _subclasses(child)


@contextmanager
def _gateway(recognizer: Any) -> Iterator[FastAPI]:
    handlers, level = logging.root.handlers[:], logging.root.level
    settings = Settings(_env_file=None, database_url="sqlite://")
    app = create_app(settings)
    pool, serving = RecognizerPool([recognizer], n_waiting=4), Serving()
    serving.exchange(load_starter())
    app.state.gateway = Gateway(settings, database_of(settings), storage_of(settings), pool, serving=serving)
    try:
        yield app
    finally:
        pool.close()
        structlog.reset_defaults()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)


def _post(app: FastAPI) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.post("/api/v1/asl/recognitions", files={"file": b"private picture"})

    return asyncio.run(call())


def test_every_error_has_its_line_in_the_table() -> None:
    ours = {kind for kind in _subclasses(AslError) if kind.__module__ == "asl.errors"}
    assert len(ours) > 10
    assert ours == set(errors.STATUS)


def test_what_may_be_tried_again_says_so() -> None:
    for kind, status in errors.STATUS.items():
        if kind.retryable:
            assert status in ((504,) if kind is DeadlineExceeded else (429, 503)), kind
        assert status >= 400


@pytest.mark.parametrize("kind", sorted(errors.STATUS, key=lambda kind: kind.code), ids=lambda kind: kind.code)
def test_every_error_is_answered_with_its_status(kind: type[AslError]) -> None:
    with _gateway(Fails(kind("found this", hint="do that"))) as app:
        answer = _post(app)
    assert answer.status_code == errors.STATUS[kind]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == kind.code
    if kind is not AslError:
        assert (answer.json()["detail"], answer.json()["hint"]) == ("found this", "do that")
    assert ("retry-after" in answer.headers) == (answer.status_code in (429, 503))


def test_an_error_class_without_a_line_has_its_parents() -> None:
    class Elsewhere(Unavailable):
        code = "elsewhere"

    assert errors.status_of(Elsewhere("x")) == 503


def test_what_nobody_foresaw_is_told_to_the_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with _gateway(Fails(RuntimeError("secret internals"))) as app:
        answer = _post(app)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text
    log = capsys.readouterr().err
    assert "RuntimeError: secret internals" in log
    assert log.count(answer.json()["request_id"]) == 2
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert "private picture" not in log


def test_a_client_that_left_while_waiting_is_not_worked_for(capsys: pytest.CaptureFixture[str]) -> None:
    recognizer = Waits()

    async def call_and_leave(app: FastAPI, data: bytes, gone: asyncio.Event) -> list[Any]:
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + data + b"\r\n--b--\r\n"
        messages, sent = [{"type": "http.request", "body": body}], []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(_scope(body), receive, send)
        return sent

    async def run(app: FastAPI) -> list[Any]:
        stays, leaves = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(call_and_leave(app, b"first", stays))
        while not recognizer.asked:  # noqa: ASYNC110 - happens in a thread
            await asyncio.sleep(0.001)
        second = asyncio.create_task(call_and_leave(app, b"second", leaves))
        await asyncio.sleep(0.05)
        leaves.set()
        done, _ = await asyncio.wait({second}, timeout=60)
        recognizer.release.set()
        await first
        assert done, "the call went on waiting"
        return await second

    with _gateway(recognizer) as app:
        assert asyncio.run(run(app)) == []
    assert recognizer.asked == [b"first"]
    log = capsys.readouterr().err
    assert "status=499" in log
    assert "Traceback" not in log


def _scope(body: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/asl/recognitions",
        "raw_path": b"/api/v1/asl/recognitions",
        "query_string": b"",
        "headers": [
            (b"content-type", b"multipart/form-data; boundary=b"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
