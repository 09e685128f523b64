"""Photographs in over HTTP, letters out: a real server, real and rendered hands."""

import asyncio
import csv
import io
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from pace import wait_until
from PIL import Image

Render = Callable[..., bytes]
RECOGNITIONS = "/api/v1/asl/recognitions"
STILL_LETTERS = "ABCDEFGHIKLMNOPQRSTUVWXY"


def test_reads_a_rendered_hand(service: Any, hand_jpeg: Render) -> None:
    answer = service.recognize(hand_jpeg("L", seed=1))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["letter"], body["handedness"], body["reason"]) == ("L", "right", None)
    assert 0.5 < body["confidence"] <= 1
    assert [body["letter"], body["confidence"]] == list(body["alternatives"][0].values())
    assert re.fullmatch(r".+-[0-9a-f]{8}", body["model_version"])


def test_reads_most_of_the_rendered_alphabet(service: Any, hand_jpeg: Render) -> None:
    read = [service.recognize(hand_jpeg(letter, seed=7)).json()["letter"] for letter in STILL_LETTERS]
    right = sum(found == letter for found, letter in zip(read, STILL_LETTERS, strict=True))
    assert right >= 0.7 * len(STILL_LETTERS), f"expected {STILL_LETTERS}, read {read}"


def test_a_picture_without_a_hand_is_a_normal_answer(service: Any, blank_jpeg: bytes) -> None:
    answer = service.recognize(blank_jpeg)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["letter"], body["reason"], body["confidence"], body["alternatives"]) == (None, "no_hand", 0, [])


def test_a_picture_of_an_odd_shape_does_not_end_the_server(service: Any) -> None:
    file = io.BytesIO()
    Image.new("L", (17_000, 100), 90).save(file, "PNG")
    answer = service.recognize(file.getvalue())
    assert (answer.status_code, answer.json()["reason"]) == (200, "no_hand")


def test_reads_real_photographs(service: Any, real_data: Path) -> None:
    with (real_data / "images" / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["letter"] not in "JZ"][::40]
    answers = [service.recognize((real_data / row["path"]).read_bytes()) for row in rows]
    assert {answer.status_code for answer in answers} == {200}
    right = sum(answer.json()["letter"] == row["letter"] for answer, row in zip(answers, rows, strict=True))
    assert right >= 0.75 * len(rows), f"{right} of {len(rows)} read"


def test_finds_no_hand_in_the_negatives(service: Any, real_data: Path) -> None:
    pictures = [path for path in sorted((real_data / "negatives").iterdir()) if path.suffix in {".jpg", ".png"}]
    assert pictures
    answers = {path.name: service.recognize(path.read_bytes()).json()["letter"] for path in pictures}
    assert set(answers.values()) == {None}, answers


def test_parallel_clients_each_get_their_own_answer(service: Any, hand_jpeg: Render) -> None:
    pictures = [hand_jpeg(letter, seed=3) for letter in "ABCFILVY"]
    expected = [service.recognize(picture).json()["letter"] for picture in pictures]
    assert len(set(expected)) > 4

    def client(number: int) -> list[tuple[int, str]]:
        turn = [(number + step) % len(pictures) for step in range(5)]
        return [(index, _insist(service, pictures[index])) for index in turn]

    with ThreadPoolExecutor(16) as pool:
        answers = [answer for answers in pool.map(client, range(16)) for answer in answers]
    assert len(answers) == 16 * 5
    assert [letter for _, letter in answers] == [expected[index] for index, _ in answers]


def test_too_many_at_once_are_told_when_to_come_back(service: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L")

    async def flood() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(timeout=120, limits=limits, trust_env=False) as client:
            calls = [client.post(service.url + RECOGNITIONS, files={"file": picture}) for _ in range(40)]
            return await asyncio.gather(*calls)

    answers = asyncio.run(flood())
    refused = [answer for answer in answers if answer.status_code == 503]
    served = [answer for answer in answers if answer.status_code == 200]
    assert len(served) >= 2 * 2  # one at work and one that waits, at least, for each of the two threads
    assert refused
    assert len(served) + len(refused) == 40
    assert {answer.json()["code"] for answer in refused} == {"busy"}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert service.recognize(picture).status_code == 200


def test_a_large_picture_touches_no_disk(service: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), np.uint8)
    picture = cv2.imencode(".png", noise)[1].tobytes()
    assert len(picture) > 4_000_000
    counters = Path(f"/proc/{service.process.pid}/io")
    before = _written(counters)
    assert service.recognize(picture).json()["reason"] == "no_hand"
    assert _written(counters) - before < 100_000


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_loads_nothing_from_elsewhere(service: Any, path: str) -> None:
    with service.client() as client:
        page = client.get(path)
        assert page.status_code == 200
        sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert sources
        assert not [source for source in sources if "//" in source]
        assert all(client.get(source).status_code == 200 for source in sources)


def test_openapi_documents_every_answer(service: Any) -> None:
    with service.client() as client:
        document = client.get("/openapi.json").json()
    operation = document["paths"][RECOGNITIONS]["post"]
    statuses = {"401", "403", "413", "415", "422", "429", "500", "503", "504"}
    assert set(operation["responses"]) == {"200", *statuses}
    problems = [operation["responses"][status]["content"] for status in statuses]
    assert all(list(content) == ["application/problem+json"] for content in problems)
    assert "examples" in operation["responses"]["200"]["content"]["application/json"]
    assert "file" in json.dumps(operation["requestBody"])
    assert all(one["summary"] for methods in document["paths"].values() for one in methods.values())


def test_health_and_readiness(service: Any) -> None:
    with service.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        wait_until(lambda: client.get("/readyz").json()["checks"]["database"]["ok"])  # once it was looked at
        ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "degraded"  # recognition answers; jobs would wait for a worker
    assert {name: check["ok"] for name, check in ready.json()["checks"].items()} == {
        "classifier": True,
        "landmarker": True,
        "database": True,
        "storage": True,
        "worker-cpu": False,
        "worker-gpu": False,
    }


def test_request_id_is_kept_made_and_logged(service: Any, hand_jpeg: Render) -> None:
    kept = service.recognize(hand_jpeg("L"), headers={"X-Request-ID": "trace-me-17"})
    assert kept.headers["x-request-id"] == "trace-me-17"
    log = service.wait_for_log("trace-me-17")
    line = next(line for line in log.splitlines() if "trace-me-17" in line)
    assert re.search(rf"method=POST path={RECOGNITIONS} status=200 ms=[\d.]+", line)
    with service.client() as client:
        made = {client.get("/healthz", headers={"X-Request-ID": bad}).headers["x-request-id"] for bad in ("", "a b")}
        made |= {client.get("/healthz", headers={"X-Request-ID": "x" * 129}).headers["x-request-id"]}
    assert len(made) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)


def test_an_encoded_line_break_forges_no_log_line(service: Any) -> None:
    with service.client() as client:
        assert client.get("/nothing%0a2026-01-01T00:00:00Z%20forged").status_code == 404
    log = service.wait_for_log("forged")
    assert not [line for line in log.splitlines() if line.startswith("2026-01-01T00:00:00Z")]


def _written(counters: Path) -> int:
    return next(int(line.split()[1]) for line in counters.read_text().splitlines() if line.startswith("wchar"))


def _insist(service: Any, picture: bytes) -> str:
    for _ in range(1000):
        answer = service.recognize(picture)
        if answer.status_code == 200:
            return str(answer.json()["letter"])
        assert answer.json()["code"] == "busy"
        time.sleep(0.02)
    pytest.fail("always busy")
