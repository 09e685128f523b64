"""ONNX files give the trained model's probabilities, or are not written."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from asl.core import checkpoint, dataset, export
from asl.core.checkpoint import Checkpoint, load_model
from asl.core.classifier import Classifier
from asl.core.model import build_model
from asl.errors import ModelInvalid

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def saved(path, model_type="v1", seed=0, temperature=1.7):
    """A network whose normalisation has seen data, as after training."""
    torch.manual_seed(seed)
    config = {"model_type": model_type, "input_size": 84, "num_classes": 26, "hidden_sizes": [32, 32, 16]}
    model = build_model(config).train()
    for _ in range(3):
        model(torch.randn(64, 84) * 2 + 1)
    checkpoint.save(
        Checkpoint(
            epoch=1,
            model_state_dict=model.state_dict(),
            model_config=model.config,
            label_names=LETTERS,
            val_accuracy=0.5,
            temperature=temperature,
        ),
        path,
    )
    return load_model(path)


def probabilities_of(source, features):
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"features": features})[0]


@pytest.mark.parametrize("model_type", ["v1", "v2"])
@pytest.mark.parametrize("n_rows", [1, 7])
def test_probabilities_are_those_of_the_classifier_for_any_number_of_rows(tmp_path, model_type, n_rows):
    trained = saved(tmp_path / "model.pt", model_type)
    path = tmp_path / "new" / "model.onnx"

    parity = export.write_onnx(export.to_onnx(trained), trained, path)

    features = np.random.default_rng(1).standard_normal((n_rows, 84), np.float32)
    found = probabilities_of(path, features)
    assert found.shape == (n_rows, 26)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert found == pytest.approx(Classifier(trained).predict(features), abs=1e-5)
    assert parity.n_rows == 2000
    assert parity.max_difference < 1e-5


def test_the_temperature_is_in_the_file(tmp_path):
    warm, cold = saved(tmp_path / "warm.pt", temperature=3.0), saved(tmp_path / "cold.pt", temperature=0.5)
    features = np.random.default_rng(1).standard_normal((20, 84), np.float32)

    confidences = [probabilities_of(export.to_onnx(trained), features).max(axis=1) for trained in (warm, cold)]

    assert (confidences[0] < confidences[1]).all()


def test_the_metadata_tells_letters_schema_and_version(tmp_path):
    trained = saved(tmp_path / "best_model.pt")

    model = onnx.load_model_from_string(export.to_onnx(trained))

    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(entries["label_names"]) == list(LETTERS)
    assert entries["feature_schema"] == "asl84-v1"
    assert entries["model_name"] == "best_model"
    assert entries["model_sha256"] == trained.sha256
    assert float(entries["temperature"]) == 1.7
    assert (model.producer_name, model.producer_version) == ("asl-platform", version("asl-platform"))


def test_a_file_that_differs_from_the_model_is_refused_and_not_left_behind(tmp_path):
    trained, altered = saved(tmp_path / "model.pt", seed=0), saved(tmp_path / "altered.pt", seed=0)
    with torch.no_grad():
        altered.model.network[-1].bias[3] += 0.01
    path = tmp_path / "out" / "model.onnx"

    with pytest.raises(ModelInvalid, match=r"within 0\.0001, found a difference of"):
        export.write_onnx(export.to_onnx(altered), trained, path)

    assert not path.parent.exists()


def test_a_refused_file_leaves_the_former_one_as_it_was(tmp_path):
    trained, other = saved(tmp_path / "model.pt", seed=0), saved(tmp_path / "other.pt", seed=1)
    path = tmp_path / "model.onnx"
    export.write_onnx(export.to_onnx(trained), trained, path)
    before = path.read_bytes()

    with pytest.raises(ModelInvalid):
        export.write_onnx(export.to_onnx(other), trained, path)

    assert path.read_bytes() == before


def test_given_rows_are_compared_too(tmp_path):
    # A network whose two versions differ only far away from what the random rows reach.
    trained, altered = saved(tmp_path / "model.pt"), saved(tmp_path / "altered.pt")
    for model, bias in ((trained.model, -1000.0), (altered.model, -999.0)):
        model.network[0].weight.data[0, 0] = 100.0
        model.network[0].weight.data[0, 1:] = 0.0
        model.network[0].bias.data[0] = bias
        model.network[1].running_mean[0] = 0.0
    data = export.to_onnx(altered)
    far = np.zeros((1, 84), np.float32)
    far[0, 0] = 11.0

    assert export.compare(data, trained).max_difference < export.MAX_DIFFERENCE
    assert export.compare(data, trained, far).max_difference > export.MAX_DIFFERENCE


def test_the_command_reports_the_difference(tmp_path):
    saved(tmp_path / "model.pt")
    rows = dataset.from_landmarks(
        landmarks=np.random.default_rng(0).random((5, 21, 3), np.float32),
        letters=list("ABCDE"),
        handedness=np.full(5, "right"),
    )
    dataset.save(rows, tmp_path / "rows.npz")

    arguments = ["--model-path", "model.pt", "--format", "onnx", "--output-file", "model.onnx"]
    done = subprocess.run(
        [Path(sys.executable).with_name("asl"), "export", *arguments, "--data-file", "rows.npz", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows_compared"] == 2005
    assert 0 <= report["max_difference"] < 1e-5
    assert Path(report["output_file"]) == (tmp_path / "model.onnx").resolve()
    assert report["size_bytes"] == (tmp_path / "model.onnx").stat().st_size


@pytest.mark.parametrize(
    ("output_file", "status", "message"),
    [("model.tflite", 2, "ends in .onnx, found model.tflite"), ("model.onnx", 3, "no file at nowhere.pt")],
)
def test_errors_of_the_command(tmp_path, asl_main, output_file, status, message):
    ended = asl_main(tmp_path, "export", "--model-path", "nowhere.pt", "--output-file", output_file)

    assert ended.status == status
    assert message in ended.err
    assert not list(tmp_path.iterdir())
