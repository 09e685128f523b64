"""`asl recognize` as a process, on rendered hands and models that always give the same letter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from asl.core import checkpoint
from asl.core.hand import LETTERS
from asl.core.model import ASLClassifier


def save_always(letter, path):
    torch.manual_seed(0)
    model = ASLClassifier(hidden_sizes=(8,))
    torch.nn.init.constant_(model.network[-1].bias[LETTERS.index(letter)], 50.0)
    checkpoint.save(
        checkpoint.Checkpoint(
            epoch=1,
            model_state_dict=model.state_dict(),
            model_config=model.config,
            label_names=LETTERS,
            val_accuracy=0.5,
        ),
        path,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, hand_jpeg):
    folder = tmp_path_factory.mktemp("recognize")
    save_always("Q", folder / "always_q.pt")
    save_always("J", folder / "always_j.pt")
    (folder / "hand.jpg").write_bytes(hand_jpeg("B"))
    (folder / "text.jpg").write_text("no picture")
    (folder / "grey.png").write_bytes(cv2.imencode(".png", np.full((200, 200), 128, np.uint8))[1].tobytes())
    return folder


@pytest.fixture
def asl_recognize(folder, landmarker_path):
    def run(*arguments):
        environment = {**os.environ, "ASL_HAND_LANDMARKER_PATH": str(landmarker_path)}
        return subprocess.run(
            [Path(sys.executable).with_name("asl"), "recognize", *arguments],
            cwd=folder,
            env=environment | {"ASL_CLASSIFIER_PATH": "always_j.pt"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


def test_a_line_for_each_photograph_and_status_1_where_one_cannot_be_read(asl_recognize):
    done = asl_recognize("text.jpg", "hand.jpg", "grey.png")

    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:4] == ["hand.jpg", "J", "1.00", "right"]
    assert "(J is a movement; this is its start)" in done.stdout
    assert lines[1] == ["grey.png", "no", "hand", "found"]
    assert len(lines) == 2
    # Nothing of MediaPipe's own log lines is among them.
    errors = done.stderr.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("error: text.jpg: ")
    assert errors[1] == "1 of 3 photographs could not be read"
    assert done.returncode == 1


def test_the_model_of_the_command_line_goes_before_the_setting(asl_recognize):
    options = ("--model-path", "always_q.pt", "--min-detection-confidence", "0.4", "--json")

    done = asl_recognize("hand.jpg", "grey.png", "text.jpg", *options)

    hand, grey, text = json.loads(done.stdout)
    assert (hand["path"], hand["letter"], hand["handedness"], hand["reason"]) == ("hand.jpg", "Q", "right", None)
    assert len(hand["alternatives"]) == 3
    assert hand["model_version"].startswith("always_q-")
    assert (grey["path"], grey["letter"], grey["reason"]) == ("grey.png", None, "no_hand")
    assert text == {
        "path": "text.jpg",
        "error": {"code": "image_type_unsupported", "message": text["error"]["message"]},
    }
    assert f"error: text.jpg: {text['error']['message']}" in done.stderr
    assert done.returncode == 1


def test_without_errors_it_ends_with_0(asl_recognize):
    done = asl_recognize("grey.png")

    assert (done.returncode, done.stdout, done.stderr) == (0, "grey.png  no hand found\n", "")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("hand.jpg", "nowhere.jpg"), 3, "no file at nowhere.jpg"),
        (("hand.jpg", "--model-path", "nowhere.pt"), 3, "no file at nowhere.pt"),
        ((), 2, ""),
        (("hand.jpg", "--min-detection-confidence", "1.5"), 2, ""),
    ],
)
def test_errors_before_anything_is_answered(folder, asl_main, arguments, status, message):
    ended = asl_main(folder, "recognize", *arguments)

    assert ended.status == status
    assert message in ended.err
    assert ended.out == ""
