"""What a recognition call can ask for, and the other ways in: raw bodies, many pictures, landmarks."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pace import at_some_pace
from PIL import Image

Render = Callable[..., bytes]
RECOGNITIONS = "/api/v1/asl/recognitions"
POINTS = [[0.25, 0.5, 0.1], *([0.5 + 0.01 * i, 0.9 - 0.03 * i, -0.01 * i] for i in range(20))]
HAND = json.dumps({"landmarks": POINTS, "image_width": 640, "image_height": 480, "handedness": "left"}).encode()


@pytest.fixture
def client(service: Any) -> Any:
    with service.client() as client:
        yield client


def _post(client: Any, data: bytes, **options: object) -> Any:
    return client.post(RECOGNITIONS, files={"file": data}, params=options)


def _side_by_side(left: bytes, right: bytes) -> bytes:
    both = np.hstack([np.asarray(Image.open(BytesIO(data))) for data in (left, right)])
    file = BytesIO()
    Image.fromarray(both).save(file, "PNG")
    return file.getvalue()


def test_a_raw_body_is_answered_as_a_form_is(client: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    form = _post(client, picture)
    for media_type in ("image/jpeg", "application/octet-stream", "image/png"):  # the bytes tell what they are
        raw = client.post(RECOGNITIONS, content=picture, headers={"Content-Type": media_type})
        assert (raw.status_code, raw.json()) == (200, form.json())


def test_as_many_alternatives_as_asked_for(client: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    one, all_of_them = (_post(client, picture, top_k=n).json()["alternatives"] for n in (1, 26))
    assert len(one) == 1
    assert one[0] == all_of_them[0]
    assert len({alternative["letter"] for alternative in all_of_them}) == 26
    assert sum(alternative["confidence"] for alternative in all_of_them) == pytest.approx(1, abs=0.01)


def test_a_mirrored_picture_names_the_other_hand_and_the_same_letter(client: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    plain, mirrored = _post(client, picture).json(), _post(client, picture, mirrored=True).json()
    assert (plain["handedness"], mirrored["handedness"]) == ("right", "left")
    assert mirrored["alternatives"] == plain["alternatives"]


def test_several_hands_are_read_one_by_one(client: Any, hand_jpeg: Render) -> None:
    picture = _side_by_side(hand_jpeg("L", seed=2), hand_jpeg("Y", seed=2))
    one, two = _post(client, picture, max_num_hands=1).json(), _post(client, picture, max_num_hands=2).json()
    assert len(one["hands"]) == 1
    assert {hand["letter"] for hand in two["hands"]} == {"L", "Y"}
    best = two["hands"][0]
    assert {name: two[name] for name in best} == best


def test_landmarks_come_where_asked_for_and_give_the_same_answer(client: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("B", seed=2)
    assert _post(client, picture).json()["landmarks"] is None
    seen = _post(client, picture, landmarks=True).json()
    width, height = Image.open(BytesIO(picture)).size
    hand = {
        "landmarks": seen["landmarks"],
        "image_width": width,
        "image_height": height,
        "handedness": seen["handedness"],
    }
    read = client.post(f"{RECOGNITIONS}/landmarks", json=hand).json()
    assert (read["letter"], read["handedness"]) == ("B", seen["handedness"])
    assert read["confidence"] == pytest.approx(seen["confidence"], abs=0.01)
    flat = client.post(f"{RECOGNITIONS}/landmarks", json={**hand, "landmarks": [p[:2] for p in seen["landmarks"]]})
    assert flat.status_code == 200


def test_what_differs_from_the_expected_letter_is_told_where_asked_for(client: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    assert _post(client, picture).json()["explanation"] is None
    told = _post(client, picture, explain=True, expected="D").json()
    explanation = told["explanation"]
    assert (told["letter"], explanation["expected"], explanation["finger"]) == ("L", "D", "thumb")
    assert explanation["advice"] == explanation["differences"][0]["advice"]
    assert explanation["nearest"][0] == {**told["alternatives"][0], "difference": None}
    assert told["hands"][0]["explanation"] == explanation
    assert _post(client, picture, explain=True).json()["explanation"]["expected"] == "L"


@pytest.mark.parametrize(
    "change",
    [
        {"landmarks": [[0.5, 0.5, 0.0]] * 20},
        {"landmarks": [[0.5]] * 21},
        {"landmarks": [[0.5, 0.5, 0.0]] * 21},
        {"landmarks": [[0.5, 0.5, 1e300]] * 21},
        {"image_width": 0},
        {"handedness": "both"},
        {"unknown": 1},
    ],
)
def test_landmarks_that_are_no_hand_are_refused(client: Any, change: dict[str, object]) -> None:
    points = np.random.default_rng(0).random((21, 3)).round(4).tolist()
    hand = {"landmarks": points, "image_width": 640, "image_height": 480, "handedness": "left"}
    assert client.post(f"{RECOGNITIONS}/landmarks", json=hand).status_code == 200
    answer = client.post(f"{RECOGNITIONS}/landmarks", json=hand | change)
    assert answer.status_code == 422
    assert answer.json()["code"] in {"invalid_input", "landmarks_invalid"}


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (HAND, "application/json"),
        (HAND, "Application/JSON; charset=utf-8"),
        (HAND, "application/hand+json"),
        (HAND, "text/plain"),
        (HAND, "application/jsonlines"),
        (HAND.decode().encode("utf-16"), "application/json"),
        (HAND.replace(b"640", b'"640"'), "application/json"),
        (HAND.replace(b"640", b"640.5"), "application/json"),
        (HAND.replace(b"0.25", b"NaN", 1), "application/json"),
        (HAND.replace(b"0.25", b"1e400", 1), "application/json"),
        (HAND.replace(b"0.25", b"true", 1), "application/json"),
        (HAND.replace(b"}", b', "image_width": 480}'), "application/json"),
        (HAND.replace(b"}", b', "more": 1}'), "application/json"),
        (HAND[:-1], "application/json"),
        (b"[" * 2000, "application/json"),
        (b"", "application/json"),
    ],
)
def test_the_short_way_of_landmarks_answers_as_the_thorough_one(client: Any, body: bytes, media_type: str) -> None:
    # A query, even one that says what holds anyway, is beyond the short way.
    short, thorough = (
        client.post(f"{RECOGNITIONS}/landmarks{query}", content=body, headers={"Content-Type": media_type})
        for query in ("", "?top_k=3")
    )
    assert short.status_code == thorough.status_code
    assert short.json() | {"request_id": None} == thorough.json() | {"request_id": None}


@pytest.mark.parametrize(
    "options", [{"top_k": 0}, {"top_k": 27}, {"max_num_hands": 11}, {"topk": 3}, {"mirrored": 7}, {"expected": "d"}]
)
def test_options_that_do_not_fit_are_refused(client: Any, hand_jpeg: Render, options: dict[str, object]) -> None:
    assert _post(client, hand_jpeg("L"), **options).status_code == 422


def test_a_batch_is_answered_in_order_and_one_bad_picture_costs_only_itself(client: Any, hand_jpeg: Render) -> None:
    pictures = [hand_jpeg("L", seed=1), b"no picture", hand_jpeg("Y", seed=1), b"", hand_jpeg("B", seed=2)]
    answer = client.post(f"{RECOGNITIONS}/batch", files=[("file", ("x.jpg", data)) for data in pictures])
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["recognition"] and item["recognition"]["letter"] for item in items] == ["L", None, "Y", None, "B"]
    codes = [item["problem"] and item["problem"]["code"] for item in items]
    assert codes == [None, "image_type_unsupported", None, "image_empty", None]
    assert items[0]["recognition"] == _post(client, pictures[0]).json()


def test_a_batch_of_64_is_read_and_one_of_65_refused(client: Any, hand_jpeg: Render) -> None:
    picture = ("file", ("x.jpg", hand_jpeg("L", seed=1)))
    full = client.post(f"{RECOGNITIONS}/batch", files=[picture] * 64)
    assert {item["recognition"]["letter"] for item in full.json()["items"]} == {"L"}
    assert len(full.json()["items"]) == 64
    refused = client.post(f"{RECOGNITIONS}/batch", files=[picture] * 65)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


def test_single_calls_go_before_a_batch(service: Any, hand_jpeg: Render) -> None:
    picture = hand_jpeg("L", seed=1)
    files = [("file", ("x.jpg", picture))] * 64

    def batch() -> float:
        with service.client() as client:
            assert client.post(f"{RECOGNITIONS}/batch", files=files).status_code == 200
        return time.monotonic()

    def check(_: int) -> None:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(batch)
            time.sleep(0.2)  # the form is received
            answers = [service.recognize(picture).status_code for _ in range(3)]
            ended = time.monotonic()
            assert answers == [200] * 3
            assert ended < running.result()

    at_some_pace(check)  # where this client stands still for a second, the batch is done meanwhile


def test_who_has_no_time_left_is_told(client: Any, hand_jpeg: Render) -> None:
    late = client.post(RECOGNITIONS, files={"file": hand_jpeg("L")}, headers={"X-Request-Timeout": "0.0001"})
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    for wrong in ("0", "-1", "nan", "soon", "1e9"):
        answer = client.post(RECOGNITIONS, files={"file": hand_jpeg("L")}, headers={"X-Request-Timeout": wrong})
        assert answer.status_code == 422
