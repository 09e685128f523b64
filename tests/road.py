"""The whole road of a user: photographs, data set, features, model, report, letters; over any server's address."""

import random
import shutil
import time

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
_FOLLOWED_WITHIN_S = 90


def render_folders(folder):
    """Make two folders of rendered hands: four signers to learn from, and another one."""
    for signer in range(5):
        for letter in LETTERS:
            for number in range(4):
                seed = 1000 * signer + number
                place = folder / ("test" if signer == 4 else "train") / f"signer{signer}" / letter
                place.mkdir(parents=True, exist_ok=True)
                image = render_hand(letter, seed=seed, signer=signer, size=(256, 256)).image
                (place / f"{number}.jpg").write_bytes(encode_jpeg(image))
    return folder


def choose_photographs(folder, real_data):
    """Make two folders of photographs: three sources to learn from, and another one."""
    chance = random.Random(5)  # noqa: S311 - only a choice of files
    for source in ("rooms", "washed", "square", "clean"):
        for letter in LETTERS:
            files = sorted((real_data / "images" / source / letter).glob("*.jpg"))
            place = folder / ("test" if source == "clean" else "train") / source / letter
            place.mkdir(parents=True)
            for file in chance.sample(files, min(8, len(files))):
                shutil.copy(file, place)
    return folder


def go(client, source, folder, made):
    """Go the road with one source of pictures; returns the model, which answers then.

    Args:
        client: Of the server.
        source: Names the data sets.
        folder: Has the folders `train` and `test`.
        made: Where the model's file is put.
    """
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
        ended = client.jobs.wait(job.id, timeout_s=300)
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
    downloaded = client.models.download(model.id, made / "best.pt")
    assert downloaded.stat().st_size == model.size_bytes
    return model


def wait_for_version(client, image, version):
    """Wait until a model answers, which the gateway looks for every few seconds."""
    deadline = time.monotonic() + _FOLLOWED_WITHIN_S
    while (answer := client.recognize(image)).model_version != version:
        assert time.monotonic() < deadline, f"expected {version} to answer, found {answer.model_version}"
        time.sleep(0.1)
    return answer
