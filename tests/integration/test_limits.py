"""Each call has a limit of its own for its body; what is beyond is refused without being read."""

import asyncio
import contextlib
import itertools
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gateways import running, settings_of
from pace import at_some_pace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from services.gateway.limits import JSON_BYTES, MULTIPART_OVERHEAD_BYTES, BodyLimit, path_limits

IMAGE, MODEL, ARCHIVE = 100_000, 1_500_000, 2_500_000
LIMITS = {
    "POST /api/v1/asl/recognitions": IMAGE + MULTIPART_OVERHEAD_BYTES,
    "POST /api/v1/datasets/letters/samples": IMAGE + MULTIPART_OVERHEAD_BYTES,
    "POST /api/v1/datasets/letters/archive": ARCHIVE + MULTIPART_OVERHEAD_BYTES,
    "POST /api/v1/models": MODEL + MULTIPART_OVERHEAD_BYTES,
    "POST /api/v1/jobs": JSON_BYTES,
    "POST /api/v1/datasets": JSON_BYTES,
    "POST /api/v1/models/x/promote": JSON_BYTES,
    "PATCH /api/v1/datasets/letters/samples/x": JSON_BYTES,
    "PUT /api/v1/models": JSON_BYTES,
    "POST /elsewhere/api/v1/models": JSON_BYTES,
    "POST /api/v1/modelsx": JSON_BYTES,
}
HUGE = 200 * 1024 * 1024
_PIECE = 50_000


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    return settings_of(folder, max_image_bytes=IMAGE, max_model_bytes=MODEL, max_archive_bytes=ARCHIVE)


@pytest.fixture(scope="module")
def gateway(settings):
    with running(settings) as client:
        yield client


async def _count(request: Request):
    return PlainTextResponse(str(sum([len(part) async for part in request.stream()])))


@pytest.mark.parametrize(("call", "limit"), LIMITS.items())
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with-length", "chunked"])
def test_a_body_may_have_as_many_bytes_as_its_path_says(settings, call, limit, is_chunked):
    method, path = call.split()
    app = Starlette(routes=[Route("/{path:path}", _count, methods=["POST", "PUT", "PATCH"])])
    limited = BodyLimit(app, max_bytes=JSON_BYTES, by_path=path_limits(settings))

    async def pieces(n_bytes):
        for start in range(0, n_bytes, _PIECE):
            yield bytes(min(_PIECE, n_bytes - start))

    async def send(n_bytes):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(limited), base_url="http://x") as client:
            return await client.request(method, path, content=pieces(n_bytes) if is_chunked else bytes(n_bytes))

    within, beyond = asyncio.run(send(limit)), asyncio.run(send(limit + 1))
    assert (within.status_code, within.text) == (200, str(limit))
    assert beyond.status_code == 413


def _json_calls(gateway):
    for path, operations in gateway.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                yield f"{method.upper()} {path.replace('{', '').replace('}', '')}"


def test_a_json_body_that_promises_too_much_is_refused_before_it_comes(gateway):
    calls = list(_json_calls(gateway))
    assert calls

    def promise(call):
        head = f"{call} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {HUGE}\r\n\r\n"
        return _talk(gateway, head, [])[0]

    with ThreadPoolExecutor(len(calls)) as pool:  # each connection lingers for a moment, so that its client can read
        answers = list(pool.map(promise, calls))
    for call, answer in zip(calls, answers, strict=True):
        assert answer.startswith(b"HTTP/1.1 413 "), (call, answer)
        assert b"application/problem+json" in answer
        assert b"content_too_large" in answer
        assert b"connection: close" in answer.lower()


def test_an_endless_json_body_is_cut_off(gateway):
    call = next(_json_calls(gateway))
    head = f"{call} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    block = b"10000\r\n" + b'"' * 0x10000 + b"\r\n"
    answer, n_sent = _talk(gateway, head, itertools.islice(itertools.repeat(block), HUGE // len(block)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert n_sent * len(block) < HUGE / 4


@pytest.mark.parametrize(("n_pieces", "grace_s", "status"), [(60, 1.0, 408), (3, 60.0, 200)])
def test_a_body_that_dribbles_is_cut_off(n_pieces, grace_s, status):
    app = Starlette(routes=[Route("/", _count, methods=["POST"])], exception_handlers={408: _refuse})
    limited, n_taken = BodyLimit(app, max_bytes=JSON_BYTES, grace_s=grace_s), 0

    async def dribble():
        nonlocal n_taken
        for _ in range(n_pieces):
            yield b"x"
            n_taken += 1
            await asyncio.sleep(0.05)

    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(limited), base_url="http://x") as client:
            return await client.post("/", content=dribble())

    answer = asyncio.run(send())
    assert answer.status_code == status
    assert (n_taken < n_pieces) == (status == 408)


def test_a_slow_body_of_a_true_client_is_taken():
    app = Starlette(routes=[Route("/", _count, methods=["POST"])])

    def check(pace):
        limited = BodyLimit(app, max_bytes=JSON_BYTES, grace_s=0.2 * pace)

        async def slow():
            for _ in range(10):
                yield bytes(1024 * pace)
                await asyncio.sleep(0.1 * pace)

        async def send():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(limited), base_url="http://x") as client:
                return await client.post("/", content=slow())

        assert asyncio.run(send()).text == str(10 * 1024 * pace)

    at_some_pace(check)


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_an_answer_without_need_of_the_body_keeps_the_connection_if_that_came(gateway, expect):
    head = f"POST /api/v1/nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n{expect}\r\n"
    whole, half = _talk(gateway, head + "123456789", [], n_bytes=1)[0], _talk(gateway, head + "1234", [])[0]
    assert whole.startswith(b"HTTP/1.1 404 ")
    assert (b"connection: close" in whole.lower()) == bool(expect)  # nobody asked for what came
    assert half.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close" in half.lower()


async def _refuse(_, error):
    return PlainTextResponse(str(error), error.status_code)


def _talk(gateway, head, blocks, n_bytes=None):
    """Send a head and blocks until the server closes; returns its answer and how many blocks it took.

    With `n_bytes`, so much of the answer is enough.
    """
    answer, n_sent = b"", 0
    with socket.create_connection(("127.0.0.1", gateway.base_url.port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head.encode())
            for block in blocks:
                connection.sendall(block)
                n_sent += 1
        with contextlib.suppress(ConnectionError):
            while (n_bytes is None or len(answer) < n_bytes) and (piece := connection.recv(65536)):
                answer += piece
    return answer, n_sent
