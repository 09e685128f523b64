"""The road of the guide, from a folder of photographs to a served model, typed as a user types it."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from trainings import command

from asl.core.model import ASLClassifier

N_EPOCHS, N_EPOCHS_V2 = (100, 150) if os.environ.get("ASL_CHAOS") == "long" else (12, 5)
GUIDE_KEYS = ["epoch", "model_state_dict", "optimizer_state_dict", "val_accuracy", "model_config", "label_mapping"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("guide")


def _type(line, folder):
    words = shlex.split(line)
    assert words[0] == "asl"
    command = [sys.executable, "-m", "asl.cli.main", *words[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def road(folder, landmarker_path):  # noqa: ARG001 - skips where there is none
    """Type the guide's commands one after the other; each must end well.

    Only `make chaos` trains for as many epochs as the guide says; and what comes again and again runs in this process,
    which has loaded PyTorch already.
    """
    lines = {
        "demo": "asl demo-data --output-dir data/asl_alphabet/ --signers 3 --per-letter 1",
        "prepare": "asl prepare-dataset --input-dir data/asl_alphabet/ --output-file data/asl_features.npz "
        "--min-detection-confidence 0.5",
        "basic": f"asl train-model --data-file data/asl_features.npz --epochs {N_EPOCHS} --batch-size 32 "
        "--learning-rate 0.001 --output-dir models/",
        "evaluate": "asl evaluate-model --model-path models/best_model.pt --data-file data/asl_features.npz "
        "--batch-size 32 --output-dir evaluation_results/",
        "export": "asl export --model-path models/best_model.pt --format onnx --output-file models/best_model.onnx",
    }
    again = {
        "advanced": "asl train-model --data-file data/asl_features.npz --model-type v2 --hidden-sizes 512 256 128 "
        f"--dropout 0.4 --epochs {N_EPOCHS_V2} --batch-size 64 --learning-rate 0.001 --weight-decay 1e-5 "
        "--use-class-weights "
        "--device cpu --output-dir models/asl_v2/",
        "resume": "asl train-model --data-file data/asl_features.npz --resume models/checkpoint_epoch_10.pt "
        "--epochs 12 --output-dir models/resumed",
        "transfer": "asl train-model --data-file data/asl_features.npz --pretrained-path models/best_model.pt "
        "--epochs 2 --output-dir models/transferred",
    }
    done = {}
    for name, line in lines.items():
        done[name] = _type(line, folder)
        assert done[name].returncode == 0, done[name].stderr
    with contextlib.chdir(folder):
        for line in again.values():
            assert command(*shlex.split(line)[1:]) == 0, line
    return done


@pytest.mark.usefixtures("road")
def test_features_are_as_the_guide_says(folder):
    with np.load(folder / "data" / "asl_features.npz") as arrays:
        count = len(arrays["labels"])
        assert count > 60
        assert arrays["features"].shape == (count, 84)
        assert arrays["label_names"].tolist() == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.mark.usefixtures("road")
def test_training_leaves_the_files_of_the_guide(folder):
    models = folder / "models"
    for name in ("best_model.pt", "final_model.pt", "checkpoint_epoch_10.pt", "metrics.jsonl", "config.json"):
        assert (models / name).stat().st_size > 0
    checkpoint = torch.load(models / "best_model.pt", weights_only=True)
    assert set(GUIDE_KEYS) <= set(checkpoint)
    assert checkpoint["label_mapping"][0] == "A"
    assert checkpoint["label_mapping"][25] == "Z"
    config = checkpoint["model_config"]
    assert {"model_type": "v1", "input_size": 84, "num_classes": 26}.items() <= config.items()
    assert torch.load(models / "asl_v2" / "best_model.pt", weights_only=True)["model_config"]["model_type"] == "v2"
    assert torch.load(models / "resumed" / "final_model.pt", weights_only=True)["epoch"] == 12


@pytest.mark.usefixtures("road")
def test_the_guides_snippets_work_on_those_files(folder):
    class CustomASLModel(ASLClassifier):
        def __init__(self, input_size=84, num_classes=26):
            super().__init__(
                input_size=input_size,
                hidden_sizes=(512, 256, 128, 64),
                num_classes=num_classes,
                dropout_rate=0.4,
            )

    assert CustomASLModel().eval()(torch.zeros(2, 84)).shape == (2, 26)
    model = ASLClassifier()
    optimizer = torch.optim.AdamW(model.parameters())
    checkpoint = torch.load(folder / "models" / "checkpoint_epoch_10.pt")
    model.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    assert checkpoint["epoch"] + 1 == 11


def test_evaluation_leaves_the_files_of_the_guide(folder, road):
    results = folder / "evaluation_results"
    for name in ("results.txt", "confusion_matrix.png", "per_class_f1_scores.png", "report.json"):
        assert (results / name).stat().st_size > 0
    text = (results / "results.txt").read_text().lower()
    for figure in ("accuracy", "precision", "recall", "f1", "macro", "weighted"):
        assert figure in text
        assert figure in road["evaluate"].stdout.lower()
    # The figure is honest: most of these rows were trained on, and the report counts them.
    assert json.loads((results / "report.json").read_text())["n_rows_trained_on"] > 0


@pytest.mark.parametrize("name", ["demo", "prepare", "basic", "evaluate", "export"])
def test_each_command_ends_with_what_it_made_and_what_comes_next(folder, road, name):
    last = road[name].stderr.strip().splitlines()[-1]
    made = re.fullmatch(r"made (.+?)   next: (.+)", last)
    assert made, last
    assert made[1].startswith(str(folder))


@pytest.mark.usefixtures("road")
def test_the_model_is_served_from_the_settings_file(folder, start_service, hand_jpeg):
    (folder / ".env").write_text(
        "ASL_CLASSIFIER_PATH=models/best_model.pt\n"
        "ASL_MIN_DETECTION_CONFIDENCE=0.5\nASL_MIN_TRACKING_CONFIDENCE=0.5\nASL_MAX_NUM_HANDS=1\n"
    )
    service = start_service(folder=folder)
    answer = service.recognize(hand_jpeg("L")).json()
    assert {"letter", "confidence", "handedness"} <= set(answer)
    assert answer["handedness"] == "right"
    assert answer["model_version"].startswith("best_model-")
    assert "unknown setting" not in service.log
    service.end()
