"""The whole road as a user goes it, without a restart: photographs, data set, features, model, report, letters."""

import random
import re
import shutil
from pathlib import Path

import pytest
from platforms import FullStack, OneMachine

from asl.client import Client
from asl.contracts import (
    Alias,
    EvaluationRequest,
    ExportRequest,
    FeaturesRef,
    JobState,
    ModelRef,
    TrainingOptions,
    TrainingRequest,
)
from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand
from asl.errors import GateRefused

LETTERS = "ABCLWY"


@pytest.fixture(scope="module", params=["one_machine", "full_stack"])
def platform(request, tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    kind = {"one_machine": OneMachine, "full_stack": FullStack}[request.param]
    with kind(tmp_path_factory.mktemp("road")) as platform:
        yield platform.start()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Two folders of rendered hands: four signers to learn from, and another one."""
    folder = tmp_path_factory.mktemp("rendered")
    for signer in range(5):
        for letter in LETTERS:
            for number in range(4):
                seed = 1000 * signer + number
                place = folder / ("test" if signer == 4 else "train") / f"signer{signer}" / letter
                place.mkdir(parents=True, exist_ok=True)
                image = render_hand(letter, seed=seed, signer=signer, size=(256, 256)).image
                (place / f"{number}.jpg").write_bytes(encode_jpeg(image))
    return folder


@pytest.fixture(scope="module")
def real(tmp_path_factory, real_data):
    """Two folders of photographs: three signers to learn from, and another one."""
    folder, chance = tmp_path_factory.mktemp("real"), random.Random(5)  # noqa: S311 - only a choice of files
    for source in ("rooms", "washed", "square", "clean"):
        for letter in LETTERS:
            files = sorted((real_data / "images" / source / letter).glob("*.jpg"))
            place = folder / ("test" if source == "clean" else "train") / source / letter
            place.mkdir(parents=True)
            for file in chance.sample(files, min(8, len(files))):
                shutil.copy(file, place)
    return folder


@pytest.mark.parametrize("source", ["rendered", "real"])
def test_from_photographs_to_letters_without_a_restart(platform, source, request, tmp_path):
    folder: Path = request.getfixturevalue(source)
    with Client(platform.url) as client:
        for part in ("train", "test"):
            client.datasets.create(f"{source}-{part}")
            upload = client.datasets.upload_folder(f"{source}-{part}", folder / part)
            assert upload.n_added == len(list((folder / part).rglob("*.jpg")))
        training, evaluation, export = client.jobs.submit_chain(
            [
                TrainingRequest(
                    ref="model",
                    data=(FeaturesRef(dataset=f"{source}-train"),),
                    options=TrainingOptions(hidden_sizes=(64, 32), epochs=30),
                ),
                EvaluationRequest(model=ModelRef(job="model"), data=(FeaturesRef(dataset=f"{source}-test"),)),
                ExportRequest(model=ModelRef(job="model")),
            ]
        )
        for job in (training, evaluation, export):
            ended = client.jobs.wait(job.id, timeout_s=120)
            assert ended.state == JobState.SUCCEEDED, f"{ended.error}\n{client.jobs.log(job.id)}"
        assert {artifact.name for artifact in client.jobs.artifacts(training.id)} >= {
            "best_model.pt", "final_model.pt", "metrics.jsonl", "training_curves.png", "model_card.md",
        }  # fmt: skip
        assert {artifact.name for artifact in client.jobs.artifacts(evaluation.id)} >= {
            "results.txt", "confusion_matrix.png", "per_class_f1_scores.png",
        }  # fmt: skip
        (model,) = (model for model in client.models.list() if model.lineage.job_id == training.id)
        assert model.evaluations[0].job_id == evaluation.id
        assert model.evaluations[0].accuracy > 0.6
        assert "Limits" in client.models.card(model.number) or model.sha256[:8] in client.models.card(model.number)
        image = next((folder / "test").rglob("L/*.jpg"))
        before = client.recognize(image).model_version
        try:
            client.models.promote(model.id)
        except GateRefused:  # the second of the sources meets the first one in production
            client.models.promote(model.id, force=True, reason="another kind of pictures")
        assert client.models.alias(Alias.PRODUCTION).model_id == model.id
        answer = wait_for_version(client, image, model.version)
        assert before != model.version
        assert answer.letter in LETTERS
        downloaded = client.models.download(model.id, tmp_path / "best.pt")
        assert downloaded.stat().st_size == model.size_bytes


def wait_for_version(client, image, version):
    for _ in range(200):
        answer = client.recognize(image)
        if answer.model_version == version:
            return answer
    pytest.fail(f"expected {version} to answer, found {answer.model_version}")


def test_the_readmes_client_runs(platform, rendered, tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (snippet,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "asl.client" in block)
    (tmp_path / "data").mkdir()
    shutil.copytree(rendered / "train", tmp_path / "data" / "demo")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet.replace("http://127.0.0.1:8000", platform.url), "README.md", "exec"), {})  # noqa: S102 - ours
    assert "accuracy" in capsys.readouterr().out
    assert (tmp_path / "best_model.pt").stat().st_size > 0
