"""Every way to send something wrong: each has its status, code and hint, and none harms the server."""

import io
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pace import at_some_pace, wait_until
from PIL import Image

RECOGNITIONS = "/api/v1/asl/recognitions"
MEMBERS = {"type", "title", "status", "detail", "code", "hint", "request_id"}
MAX_BYTES = 20 * 1024 * 1024
FORM_HEAD = (
    b"POST /api/v1/asl/recognitions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
)
PART_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


def _check_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() == MEMBERS
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "image_empty"),
        (b"a letter to the editor", 415, "image_type_unsupported"),
        (b"%PDF-1.7", 415, "image_type_unsupported"),
        (b"\xff\xd8\xff\xe0 and nothing more", 422, "image_unreadable"),
        (bytes(MAX_BYTES + 1), 413, "image_too_large"),
        (bytes(MAX_BYTES + 200_000), 413, "image_too_large"),
        (bytes(3 * MAX_BYTES), 413, "image_too_large"),
    ],
    ids=["empty", "text", "pdf", "header-only", "a-byte-too-many", "over-the-body-limit", "far-over"],
)
def test_files_that_are_no_picture(service: Any, data: bytes, status: int, code: str) -> None:
    assert _check_problem(service.recognize(data), status, code)["hint"]


def test_a_cut_off_picture(service: Any, hand_jpeg: Callable[..., bytes]) -> None:
    picture = hand_jpeg("A")
    _check_problem(service.recognize(picture[: len(picture) // 2]), 422, "image_unreadable")


def test_a_pixel_bomb_is_refused_from_its_header(service: Any) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    rise_kib = _rise_kib(service)
    _check_problem(service.recognize(bomb.getvalue()), 413, "image_too_large")
    assert rise_kib() < 30 * 1024


@pytest.mark.parametrize(
    "files",
    [
        {"picture": b"x"},
        {"file": (None, b"a text, not a file")},
        {"file": (None, bytes(300_000))},
        [("file", ("a", b"x")), ("file", ("b", b"y"))],
        [("file", ("a", b"x")), *((f"field{i}", (None, b"x")) for i in range(100))],
    ],
    ids=["other-name", "text-part", "long-text-part", "two-files", "many-fields"],
)
def test_forms_without_the_one_file(service: Any, files: Any) -> None:
    with service.client() as client:
        problem = _check_problem(client.post(RECOGNITIONS, files=files), 422, "invalid_input")
    assert 'curl -F "file=@' in problem["hint"]


@pytest.mark.parametrize(
    "kind", [None, "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_bodies_that_are_no_form(service: Any, kind: str | None) -> None:
    with service.client() as client:
        answer = client.post(RECOGNITIONS, content=b"file=x", headers={"Content-Type": kind} if kind else {})
    problem = _check_problem(answer, 415, "image_type_unsupported")
    assert 'curl -F "file=@' in problem["hint"]


def test_a_malformed_form(service: Any) -> None:
    with service.client() as client:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        for body in (b"no boundary in here", b"--b\r\n\r\n\r\n--b--\r\n", PART_HEAD + b"never ends"):
            _check_problem(client.post(RECOGNITIONS, content=body, headers=headers), 422, "invalid_input")


def test_unknown_paths_and_methods(service: Any) -> None:
    with service.client() as client:
        missing = _check_problem(client.get("/api/v1/<script>"), 404, "not_found")
        _check_problem(client.post(RECOGNITIONS + "/"), 404, "not_found")
        refused = client.get(RECOGNITIONS)
    assert "script" not in str(missing)
    _check_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"


def test_no_error_echoes_its_input(service: Any) -> None:
    with service.client() as client:
        answers = [
            client.post(
                RECOGNITIONS + "?echo", files={"echo<b>": ("echo\x1b[31m", b"echo")}, headers={"X-Custom": "echo"}
            ),
            client.post(RECOGNITIONS, content=b"echo", headers={"Content-Type": "text/echo"}),
            client.patch("/echo"),
        ]
    assert [answer.status_code for answer in answers] == [422, 415, 404]
    assert not [answer.text for answer in answers if "echo" in answer.text.lower()]


def test_an_endless_chunked_body_is_cut_off(service: Any) -> None:
    block = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    head = FORM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(PART_HEAD) + PART_HEAD + b"\r\n"
    sent, rise_kib = itertools.count(), _rise_kib(service)

    def endless() -> Iterator[bytes]:
        yield head
        while True:
            next(sent)
            yield block

    answer = service.talk(itertools.islice(endless(), 3000))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"image_too_large" in answer
    assert b"connection: close" in answer
    assert next(sent) * 0x10000 < 4 * MAX_BYTES
    assert rise_kib() * 1024 < 2 * MAX_BYTES  # what may be kept, and what the allocator copies it to as it grows


def test_a_length_that_promises_too_much_is_refused_before_the_body(service: Any) -> None:
    # A server that waited for the body would answer 408 in the end.
    answer = service.talk([FORM_HEAD + b"Content-Length: 10000000000\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


def test_an_upload_that_is_refused_early_may_finish_and_read_why(service: Any) -> None:
    body = PART_HEAD + bytes(MAX_BYTES + 1_000_000)

    def upload(_: int) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(FORM_HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
            connection.sendall(body)  # a server that had closed at once would reset the connection here

    at_some_pace(upload)  # it lingers for two seconds, for which a machine may stand still


def test_a_client_that_waits_for_100_continue_is_refused_at_once(service: Any) -> None:
    answer = service.talk([FORM_HEAD + b"Expect: 100-continue\r\nContent-Length: 10000000000\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_length_that_promises_too_little_cuts_the_form(service: Any) -> None:
    body = PART_HEAD + bytes(5000) + b"\r\n--b--\r\n"
    answer = service.talk([FORM_HEAD + b"Content-Length: 100\r\n\r\n" + body])
    # 400 where the rest came at once: uvicorn then finds it to be no HTTP request before the form is looked at.
    assert answer.startswith((b"HTTP/1.1 422 ", b"HTTP/1.1 400 "))
    assert b"200 OK" not in answer


def test_a_client_that_leaves_in_the_middle_is_no_error(service: Any) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(FORM_HEAD + b"X-Request-ID: leaves-early\r\nContent-Length: 50000\r\n\r\n" + PART_HEAD)
    log = service.wait_for_log("leaves-early")
    assert "status=499" in next(line for line in log.splitlines() if "leaves-early" in line)


@pytest.fixture(autouse=True)
def _unharmed(service: Any, hand_jpeg: Callable[..., bytes]) -> Iterator[None]:
    descriptors = _n_descriptors(service)
    yield
    assert service.recognize(hand_jpeg("L", seed=1)).json()["letter"] == "L"
    assert "Traceback" not in service.log
    wait_until(lambda: _n_descriptors(service) <= descriptors + 3)


def _rise_kib(service: Any) -> Callable[[], int]:
    """Return what tells how far memory has risen at its peak since now."""
    process = Path(f"/proc/{service.process.pid}")
    (process / "clear_refs").write_text("5")  # resets the peak

    def read(name: str) -> int:
        lines = (process / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))

    before = read("VmRSS")
    return lambda: read("VmHWM") - before


def _n_descriptors(service: Any) -> int:
    return sum(1 for _ in Path(f"/proc/{service.process.pid}/fd").iterdir())
