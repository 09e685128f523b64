"""Trainings as jobs: what they publish, whatever stops, kills and damaged checkpoints come between."""

import json
import time
from pathlib import Path

import pytest
import torch
from factories import make_dataset
from job_runs import TENANT, JobRuns, Killed
from sqlalchemy import select
from trainings import GROUPS, QUICK, losses, same_model
from trainings import run as train_locally

from asl.contracts import JobKind
from asl.core import dataset
from asl.core.classifier import load_classifier
from asl.errors import Conflict, NotFound, OptionsInvalid, Stopped
from asl.infra import tables
from asl.pipelines import checkpoints

FILES = {
    "best_model.pt",
    "final_model.pt",
    "checkpoint_epoch_10.pt",
    "checkpoint_epoch_20.pt",
    "metrics.jsonl",
    "config.json",
    "training_curves.png",
    "model_card.md",
}
MODELS = ("best_model.pt", "final_model.pt", "checkpoint_epoch_10.pt", "checkpoint_epoch_20.pt")


@pytest.fixture
def runs(tmp_path):
    return JobRuns(tmp_path)


@pytest.fixture
def features(runs, data_file):
    return runs.give_features(data_file)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, hands):
    """The same training without a job and without a break."""
    return train_locally(hands, tmp_path_factory.mktemp("whole"))


def _request(features, **changes):
    options = {**QUICK, **changes}
    return {"kind": "training", "data": [{"job": features}], "options": options, "device": "cpu"}


def _kill_at(epoch):
    def kill(progress):
        if progress.epoch == epoch:
            raise Killed

    return kill


def _check_files(runs, job_id, whole):
    assert set(runs.artifacts(job_id)) == FILES
    for name in MODELS:
        assert same_model(runs.fetch(job_id, name), whole.output_dir / name), name
    assert losses(runs.fetch(job_id, "metrics.jsonl").parent) == losses(whole.output_dir)


def test_a_training_publishes_the_files_of_the_command_and_a_model(runs, features, whole):
    job_id = runs.do(JobKind.TRAINING, _request(features))

    _check_files(runs, job_id, whole)
    result = runs.result(job_id)
    assert (result["epochs_done"], result["best_epoch"]) == (23, whole.best_epoch)
    assert all(entry["found"] and entry["remedy"] for entry in result["advice"])
    with runs.database.reading() as session:
        model = session.scalars(select(tables.Model).where(tables.Model.job_id == job_id)).one()
        aliases = session.scalars(select(tables.ModelAlias.alias)).all()
    assert (model.source, model.tenant, model.label_names) == ("training", TENANT, list("ABCD"))
    assert model.sha256 == runs.artifacts(job_id)["best_model.pt"].sha256 == result["sha256"]
    assert model.metrics["val_accuracy"] == whole.val_accuracy
    assert model.lineage["features"] == [runs.artifacts(features)["features.npz"].sha256]
    assert model.lineage["job_id"] == job_id
    assert model.lineage["code_version"]
    assert aliases == ["candidate"]
    assert result["version"] == load_classifier(runs.fetch(job_id, "best_model.pt")).version
    card = runs.fetch(job_id, "model_card.md").read_text()
    assert card.startswith(f"# Model best\\_model-{model.sha256[:8]}\n")
    assert model.lineage["features"][0] in card
    assert "must be measured with an evaluation on other signers" in card


def test_the_versions_of_data_sets_are_in_the_lineage(runs, data_file):
    with runs.database.transaction() as session:
        row = tables.Dataset(tenant=TENANT, name="hands")
        session.add(row)
        session.flush()
        version = {"number": 1, "digest": "d" * 64, "manifest_key": "none", "n_samples": 1, "counts": []}
        session.add(tables.DatasetVersion(dataset_id=row.id, **version))
    features = runs.give_features(data_file, row.id)
    job_id = runs.do(JobKind.TRAINING, _request(features, epochs=2))
    with runs.database.reading() as session:
        lineage = session.scalars(select(tables.Model).where(tables.Model.job_id == job_id)).one().lineage
    assert lineage["dataset_versions"] == ["d" * 64]
    assert "d" * 64 in runs.fetch(job_id, "model_card.md").read_text()


def test_progress_tells_every_epoch_with_its_figures(runs, features):
    _, told = runs.begin(runs.claim(runs.add(JobKind.TRAINING, _request(features, epochs=5))))
    assert [progress.epoch for progress in told.progress] == [1, 2, 3, 4, 5]
    last = told.progress[-1]
    assert (last.done, last.total, last.unit, last.eta_s) == (5, 5, "epochs", 0)
    assert None not in (last.train_loss, last.train_accuracy, last.val_loss, last.val_accuracy, last.learning_rate)
    assert last.rate_per_s > 0


@pytest.mark.parametrize("epochs", [(1,), (11, 12, 19), (5, 23)], ids=str)
def test_a_training_killed_and_taken_up_again_ends_bit_identical(runs, features, whole, epochs):
    claim = runs.claim(runs.add(JobKind.TRAINING, _request(features)))
    for epoch in epochs:
        with pytest.raises(Killed):
            runs.begin(claim, on_progress=_kill_at(epoch))
        claim = runs.claim_again(claim)
    outcome, told = runs.begin(claim)
    runs.finish(claim, outcome)

    assert told.progress[0].epoch == epochs[-1]  # the checkpoint of that epoch was not written any more
    _check_files(runs, claim.job_id, whole)


@pytest.mark.parametrize("epoch", [1, 10, 22])
def test_a_training_told_to_stop_saves_itself_first(tmp_path, data_file, whole, epoch):
    runs = JobRuns(tmp_path, checkpoint_s=3600)
    claim = runs.claim(runs.add(JobKind.TRAINING, _request(runs.give_features(data_file))))
    seen = []
    with pytest.raises(Stopped):
        runs.begin(claim, on_progress=seen.append, is_stopping=lambda: len(seen) == epoch)
    assert [entry["epoch"] for entry in runs.checkpoint(claim.job_id)["checkpoints"]] == [epoch]
    claim = runs.claim_again(claim)
    outcome, told = runs.begin(claim)
    runs.finish(claim, outcome)

    assert told.progress[0].epoch == epoch + 1
    _check_files(runs, claim.job_id, whole)


def test_checkpoints_are_written_no_more_often_than_set(tmp_path, data_file):
    runs = JobRuns(tmp_path, checkpoint_s=3600)
    job_id = runs.do(JobKind.TRAINING, _request(runs.give_features(data_file)))
    with runs.database.reading() as session:
        assert session.get_one(tables.Job, job_id).checkpoint is None


@pytest.fixture
def broken_at_15(runs, features):
    """A training that was killed in its 15th epoch."""
    claim = runs.claim(runs.add(JobKind.TRAINING, _request(features)))
    with pytest.raises(Killed):
        runs.begin(claim, on_progress=_kill_at(15))
    return runs, claim


def _flip_last_byte(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    ("damaged", "damage", "first_epoch"),
    [
        ([(0, "key")], _flip_last_byte, 14),
        ([(0, "key")], Path.unlink, 14),
        ([(0, "metrics_key")], _flip_last_byte, 14),
        ([(0, "key"), (1, "metrics_key")], Path.unlink, 1),
    ],
    ids=["damaged", "missing", "damaged metrics", "both missing"],
)
def test_a_checkpoint_that_cannot_be_used_is_passed_over(broken_at_15, whole, damaged, damage, first_epoch):
    runs, claim = broken_at_15
    entries = runs.checkpoint(claim.job_id)["checkpoints"]
    assert [entry["epoch"] for entry in entries] == [14, 13]
    for place, name in damaged:
        damage(runs.folder / "store" / entries[place][name])
    claim = runs.claim_again(claim)
    outcome, told = runs.begin(claim)
    runs.finish(claim, outcome)

    assert told.progress[0].epoch == first_epoch
    assert any("checkpoint of epoch 14 cannot be used" in line for line in told.lines)
    _check_files(runs, claim.job_id, whole)


@pytest.mark.parametrize(("dropped_after_s", "are_dropped"), [(0.1, True), (3600.0, False)])
def test_old_checkpoints_are_deleted_but_not_those_that_are_noted(
    tmp_path, data_file, monkeypatch, dropped_after_s, are_dropped
):
    monkeypatch.setattr(checkpoints, "DROPPED_AFTER_S", dropped_after_s)
    runs = JobRuns(tmp_path)
    claim = runs.claim(runs.add(JobKind.TRAINING, _request(runs.give_features(data_file), epochs=8)))
    runs.begin(claim, on_progress=lambda _: time.sleep(0.05 * are_dropped))

    left = {entry.key for entry in runs.storage.list(f"jobs/{claim.job_id}/") if "-checkpoint.pt" in entry.key}
    entries = runs.checkpoint(claim.job_id)["checkpoints"]
    assert [entry["epoch"] for entry in entries] == [8, 7]
    assert {entry["key"] for entry in entries} <= left
    assert (len(left) < 8) == are_dropped


def test_a_training_with_more_epochs_goes_on_from_a_finished_one(runs, features, hands, tmp_path):
    first = runs.do(JobKind.TRAINING, _request(features, epochs=4))
    request = {**_request(features, epochs=6), "resume": first}
    claim = runs.claim(runs.add(JobKind.TRAINING, request))
    outcome, told = runs.begin(claim)
    runs.finish(claim, outcome)

    assert [progress.epoch for progress in told.progress] == [5, 6]
    assert any("6 epochs instead of 4" in line for line in told.lines)
    entries = [json.loads(line) for line in runs.fetch(claim.job_id, "metrics.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    local = train_locally(hands, tmp_path / "local", epochs=4)
    train_locally(hands, tmp_path / "local", epochs=6, resume=local.output_dir / "final_model.pt")
    assert same_model(runs.fetch(claim.job_id, "final_model.pt"), tmp_path / "local" / "final_model.pt")


def test_going_on_with_other_data_is_a_conflict(runs, features, tmp_path):
    first = runs.do(JobKind.TRAINING, _request(features, epochs=2))
    dataset.save(make_dataset(groups=GROUPS, seed=9), tmp_path / "other.npz")
    request = {**_request(runs.give_features(tmp_path / "other.npz"), epochs=4), "resume": first}
    with pytest.raises(Conflict, match="other data"):
        runs.begin(runs.claim(runs.add(JobKind.TRAINING, request)))


def test_a_training_takes_layers_over_from_a_registered_model(runs, features):
    first = runs.do(JobKind.TRAINING, _request(features, epochs=3))
    request = {**_request(features, epochs=2, seed=7), "pretrained": {"job": first}}
    _, told = runs.begin(runs.claim(runs.add(JobKind.TRAINING, request)))
    assert any("took over" in line for line in told.lines)
    both = {**request, "resume": first}
    with pytest.raises(OptionsInvalid, match="found both"):
        runs.begin(runs.claim(runs.add(JobKind.TRAINING, both)))


def test_rows_for_training_only_never_validate(runs, features, tmp_path):
    dataset.save(make_dataset(groups=("dan",), seed=9), tmp_path / "extra.npz")
    extra = runs.give_features(tmp_path / "extra.npz")
    request = {**_request(features, epochs=2), "train_only": [{"job": extra}]}
    job_id = runs.do(JobKind.TRAINING, request)
    result = runs.result(job_id)
    assert "dan" not in result["val_groups"]
    assert result["n_train"] + result["n_val"] == 160
    with runs.database.reading() as session:
        lineage = session.scalars(select(tables.Model).where(tables.Model.job_id == job_id)).one().lineage
    assert lineage["features"] == [runs.artifacts(found)["features.npz"].sha256 for found in (features, extra)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_machine_without_cuda_trains_on_its_cpu_and_says_so(runs, features):
    request = {**_request(features, epochs=1), "device": "cuda"}
    _, told = runs.begin(runs.claim(runs.add(JobKind.TRAINING, request)))
    assert any("no CUDA device" in line for line in told.lines)


def test_features_that_are_not_there_are_told(runs):
    with pytest.raises(NotFound, match=r"features\.npz"):
        runs.begin(runs.claim(runs.add(JobKind.TRAINING, _request("f" * 32))))


def test_a_request_of_another_version_is_told(runs, features):
    with pytest.raises(OptionsInvalid, match=r"options\.dropout"):
        runs.begin(runs.claim(runs.add(JobKind.TRAINING, _request(features, dropout=3))))
