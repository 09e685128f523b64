"""Films of landmarks over HTTP and on the live socket: strokes, and words as they are spelled."""

import json
from typing import Any, Final

import numpy as np
import pytest
from pace import PATIENCE_S
from websockets.sync.client import connect

from asl.client import Client
from asl.contracts import Handedness, LiveText, SequenceOptions, SequenceRequest
from asl.core.synthetic.films import FilmMaker
from asl.core.synthetic.spelling import Speller

PATH: Final = "/api/v1/asl/recognitions/sequence"


def film_of(text: str, seed: int, fps: float = 15.0) -> dict[str, Any]:
    """Return a call's body: a hand that is nobody's spells a text."""
    rng = np.random.default_rng(seed)
    spelling = Speller(rng).spell(text, fps, rate=2.2)
    found = FilmMaker(rng).find(spelling)
    frames = [
        {
            "t_ms": time_s * 1000,
            "landmarks": points.tolist() if is_found else None,
            "handedness": (Handedness.LEFT if is_left else Handedness.RIGHT) if is_found else None,
        }
        for points, is_found, is_left, time_s in zip(
            found.landmarks, found.is_found, found.is_left, spelling.times_s, strict=True
        )
    ]
    return {"frames": frames, "image_width": found.size[0], "image_height": found.size[1]}


def test_a_stroke_is_read_over_http_and_by_the_client(service: Any) -> None:
    film = film_of("J", seed=101)
    with service.client() as client:
        answer = client.post(PATH, json=film, params={"top_k": 1})
    assert answer.status_code == 200
    assert (answer.json()["letter"], answer.json()["reason"]) == ("J", None)
    assert [len(entry["alternatives"]) for entry in answer.json()["letters"]] == [1] * len(answer.json()["letters"])
    with Client(service.url) as typed:
        again = typed.recognize_sequence(SequenceRequest.model_validate(film), SequenceOptions(top_k=1))
    assert again.model_dump(mode="json") == answer.json()


@pytest.mark.parametrize("problem", ["order", "length", "side", "points", "no frame"])
def test_films_that_are_none_are_refused(service: Any, problem: str) -> None:
    film = film_of("A", seed=1)
    frames = film["frames"]
    if problem == "order":
        frames[3]["t_ms"] = frames[1]["t_ms"]
    elif problem == "length":
        frames[-1]["t_ms"] = 1e9
    elif problem == "side":
        frames[0] |= {"landmarks": [[0.5, 0.5]] * 21, "handedness": None}
    elif problem == "points":
        frames[0] |= {"landmarks": [[0.5, 0.5, 0.5]] * 21, "handedness": "left"}
    else:
        frames.clear()
    with service.client() as client:
        answer = client.post(PATH, json=film)
    assert answer.status_code == 422
    assert answer.json()["code"] == ("landmarks_invalid" if problem == "points" else "invalid_input")


def test_a_word_is_told_on_the_live_socket_as_it_is_spelled(service: Any) -> None:
    film = film_of("FLY", seed=103)
    size = {"image_width": film["image_width"], "image_height": film["image_height"]}
    options: dict[str, Any] = {"subprotocols": ["asl.live.v1"], "proxy": None, "compression": None}
    options["open_timeout"] = PATIENCE_S
    with connect(f"ws://127.0.0.1:{service.port}/api/v1/asl/live", **options) as stream:
        stream.send(json.dumps({"type": "options", "spelling": True}))
        moment = {"seq": 0, "t_ms": 0.0}
        for seq, frame in enumerate(film["frames"]):
            moment = {"seq": seq, "t_ms": frame["t_ms"]}
            hand = {"landmarks": frame["landmarks"], "handedness": frame["handedness"], **size}
            sent = {"type": "landmarks", **moment, **hand} if frame["landmarks"] else {"type": "no_hand", **moment}
            stream.send(json.dumps(sent))
        for n in range(1, 12):
            later = {"seq": moment["seq"] + n, "t_ms": moment["t_ms"] + 100 * n}
            stream.send(json.dumps({"type": "no_hand", **later}))
        told: list[LiveText] = []
        while not told or not told[-1].is_end:
            message = json.loads(stream.recv(timeout=PATIENCE_S))
            if message["type"] == "text":
                told.append(LiveText.model_validate(message))
    texts = [entry.text for entry in told]
    assert len(texts) >= 3
    assert texts == [text for text, last in zip(texts, ["", *texts], strict=False) if text != last or text == texts[-1]]
    assert told[-1].text.startswith("FL")
    assert told[-1].suggestions[0].word in {"FLY", "FLAY"}
