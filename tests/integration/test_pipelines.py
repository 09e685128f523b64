"""What jobs make of what they are asked, on a database and a store of their own."""

import csv
import hashlib
import json
import subprocess
import sys
import time
from math import ceil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from factories import make_dataset
from job_runs import TENANT, JobRuns
from pace import wait_until
from sqlalchemy import select
from trainings import run as train_locally

from asl.contracts import JobKind, PreparationOptions
from asl.core import checkpoint, dataset
from asl.core.classifier import load_classifier
from asl.core.photographs import Photograph as LocalPhotograph
from asl.core.preparation import extract_samples, to_dataset
from asl.errors import Conflict, DatasetInvalid, ModelInvalid, NotFound, OutOfMemory, Stopped, Unavailable
from asl.infra import tables
from asl.infra.datasets import Photograph
from asl.pipelines.model_import import memory_limit
from asl.pipelines.sources import Features, data_digest

OPTIONS = {"min_detection_confidence": 0.5, "augment_images": 0, "seed": 42}
EVALUATION_FILES = {
    "results.txt",
    "report.json",
    "answers.jsonl",
    "confusion_matrix.png",
    "per_class_f1_scores.png",
    "reliability_diagram.png",
    "coverage_accuracy.png",
    "per_group_accuracy.png",
}


def _wall(grey):
    return cv2.imencode(".jpg", np.full((240, 320, 3), grey, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def photographs(hand_jpeg):
    """Two signers with A and L, a file that is cut off, and three walls behind them in the list."""
    hands = [
        Photograph(f"{letter}/{seed}.jpg", letter, signer, hand_jpeg(letter, seed))
        for seed, (signer, letter) in enumerate((s, c) for s in ("anna", "ben") for c in "AL" for _ in range(2))
    ]
    cut = Photograph("B/cut.jpg", "B", "ben", hand_jpeg("L")[:2000])
    return [*hands, cut, *(Photograph(f"W/{grey}.jpg", "W", "ben", _wall(grey)) for grey in (90, 120, 150))]


@pytest.fixture
def runs(tmp_path, landmarker_path):
    return JobRuns(tmp_path, hand_landmarker_path=landmarker_path)


@pytest.fixture
def plain_runs(tmp_path):
    """For jobs that look for no hands."""
    return JobRuns(tmp_path)


def _request(runs, photographs, **changes):
    dataset_id, version = runs.add_dataset(photographs)
    return {"kind": "extraction", "dataset": dataset_id, "version": version, "options": {**OPTIONS, **changes}}


def _states(runs):
    with runs.database.reading() as session:
        return {row.name: row.state for row in session.scalars(select(tables.Sample))}


def test_an_extraction_makes_what_the_command_makes_of_the_same_photographs(
    runs, photographs, tmp_path, landmarker_path
):
    job_id = runs.do(JobKind.EXTRACTION, _request(runs, photographs))

    found = dataset.load(runs.fetch(job_id, "features.npz"))
    in_order = sorted(photographs, key=lambda photo: (photo.label, photo.signer, photo.sha256))
    local = []
    for number, photo in enumerate(in_order):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(photo.content)
        local.append(LocalPhotograph(path, photo.name, photo.label, photo.signer, photo.sha256))
    options = PreparationOptions(min_detection_confidence=OPTIONS["min_detection_confidence"])
    samples = [sample for found in extract_samples(local, options, landmarker_path, 1) for sample in found]
    expected = to_dataset(samples)
    np.testing.assert_array_equal(found.features, expected.features)
    assert found.groups == expected.groups == ("anna", "ben")
    assert found.sample_sha256.tolist() == expected.sample_sha256.tolist()
    assert len(found) >= 6


def test_an_extraction_tells_what_became_of_each_photograph(runs, photographs):
    job_id = runs.do(JobKind.EXTRACTION, _request(runs, photographs))

    result = runs.result(job_id)
    n_found = result["n_rows"]
    assert (result["n_samples"], result["n_unreadable"]) == (12, 1)
    assert result["n_no_hand"] == 11 - n_found
    assert result["classes"]["W"] == {"images": 3, "found": 0, "no_hand": 3, "unreadable": 0, "rows": 0}
    assert result["groups"] == ["anna", "ben"]
    assert result["features_sha256"] == runs.artifacts(job_id)["features.npz"].sha256
    states = _states(runs)
    assert states["B/cut.jpg"] == "unreadable"
    assert states["W/90.jpg"] == "no_hand"
    assert list(states.values()).count("found") == n_found
    with runs.fetch(job_id, "skipped.csv").open() as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {name: state for name, state in states.items() if state != "found"}


@pytest.mark.parametrize(("shard_size", "copies"), [(5, 0), (3, 2)])
def test_an_extraction_in_parts_equals_a_whole_one_bit_for_bit(runs, photographs, shard_size, copies):
    request = _request(runs, photographs, augment_images=copies)
    whole = runs.do(JobKind.EXTRACTION, request)
    request = {**request, "shard_size": shard_size}
    n_shards = ceil(len(photographs) / shard_size)
    parent = runs.add(JobKind.EXTRACTION, request, n_shards=n_shards)
    shards = [
        runs.do(JobKind.EXTRACTION_SHARD, request, parent_id=parent, shard=shard)
        for shard in reversed(range(n_shards))  # in whatever order workers take them
    ]
    claim = runs.claim(parent)
    runs.finish(claim, runs.begin(claim)[0])

    assert runs.fetch(parent, "features.npz").read_bytes() == runs.fetch(whole, "features.npz").read_bytes()
    assert runs.fetch(parent, "skipped.csv").read_bytes() == runs.fetch(whole, "skipped.csv").read_bytes()
    assert runs.result(parent) == runs.result(whole)
    # The list's last photographs are walls: a part without any hand has no rows to hand over.
    assert set(runs.artifacts(shards[0])) == {"samples.jsonl"}
    assert set(runs.artifacts(shards[-1])) == {"samples.jsonl", "part.npz"}


def test_parts_that_are_missing_or_of_other_photographs_are_no_extraction(runs, photographs):
    request = {**_request(runs, photographs), "shard_size": 6}
    parent = runs.add(JobKind.EXTRACTION, request, n_shards=2)
    runs.do(JobKind.EXTRACTION_SHARD, request, parent_id=parent, shard=0)
    claim = runs.claim(parent)
    with pytest.raises(Conflict, match="expected 2 parts, found 1"):
        runs.begin(claim)
    runs.release(claim)
    runs.do(JobKind.EXTRACTION_SHARD, {**request, "shard_size": 4}, parent_id=parent, shard=1)
    with pytest.raises(Conflict, match="all 12 photographs"):
        runs.begin(runs.claim(parent))


def test_photographs_are_fetched_only_a_little_ahead_and_removed_after_use(runs, hand_jpeg):
    # Cut off, since those take no time.
    hand = hand_jpeg("L")
    cut = [Photograph(f"A/{length}.jpg", "A", "", hand[: 2000 + length]) for length in range(75)]
    counts = []

    def fetched():
        return [path for path in (runs.folder / "scratch").glob("*/photographs/*") if path.is_file()]

    def count(progress):
        if progress.done == 1:
            wait_until(lambda: len(fetched()) > 30)
            time.sleep(0.2)  # time enough to fetch more than allowed
        counts.append(len(fetched()))

    with pytest.raises(DatasetInvalid, match="found none in 75"):
        runs.begin(runs.claim(runs.add(JobKind.EXTRACTION, _request(runs, cut))), on_progress=count)

    assert len(counts) == 76
    assert 30 < max(counts) <= 64
    assert counts[-1] == 0


def test_an_extraction_stops_when_told_to(runs, photographs):
    seen = []
    job_id = runs.add(JobKind.EXTRACTION, _request(runs, photographs))
    with pytest.raises(Stopped):
        runs.begin(runs.claim(job_id), on_progress=seen.append, is_stopping=lambda: len(seen) > 3)
    assert [progress.done for progress in seen] == [0, 1, 2, 3]
    assert all((progress.total, progress.unit) == (12, "photographs") for progress in seen)


def test_a_photograph_that_is_not_what_the_list_says_ends_the_extraction(runs, photographs):
    request = _request(runs, photographs)
    victim = photographs[5].sha256
    (path,) = (runs.folder / "store").rglob(victim)
    path.write_bytes(b"other bytes")
    with pytest.raises(Unavailable, match="SHA-256"):
        runs.begin(runs.claim(runs.add(JobKind.EXTRACTION, request)))
    path.unlink()
    with pytest.raises(NotFound, match="no object"):
        runs.begin(runs.claim(runs.add(JobKind.EXTRACTION, request)))


@pytest.mark.parametrize("change", [{"version": 7}, {"dataset": "f" * 32}])
def test_a_version_that_is_not_there_is_told(runs, photographs, change):
    request = {**_request(runs, photographs[:1]), **change}
    with pytest.raises(NotFound, match="expected version"):
        runs.begin(runs.claim(runs.add(JobKind.EXTRACTION, request)))


def test_data_sets_of_other_tenants_are_not_there(runs, photographs):
    request = _request(runs, photographs[:1])
    with runs.database.transaction() as session:
        session.get_one(tables.Dataset, request["dataset"]).tenant = "theirs"
    with pytest.raises(NotFound, match="expected version"):
        runs.begin(runs.claim(runs.add(JobKind.EXTRACTION, request)))


def _model_file(folder, hands):
    return train_locally(hands, folder, epochs=6, learning_rate=0.01).best_model


def _import(runs, path):
    stored = runs.storage.put(f"imports/{path.name}", path)
    return {"key": stored.key, "sha256": stored.sha256, "size_bytes": stored.size_bytes, "name": "mine"}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, hands):
    return _model_file(tmp_path_factory.mktemp("model"), hands)


def _model_of(runs, job_id):
    with runs.database.reading() as session:
        return session.scalars(select(tables.Model).where(tables.Model.job_id == job_id)).one()


def test_an_imported_model_is_registered_as_answers_name_it(plain_runs, model_file):
    job_id = plain_runs.do(JobKind.MODEL_IMPORT, _import(plain_runs, model_file))

    model = _model_of(plain_runs, job_id)
    fetched = plain_runs.fetch(job_id, "best_model.pt")
    assert fetched.read_bytes() == model_file.read_bytes()
    assert (model.source, model.tenant, model.sha256) == ("import", TENANT, checkpoint.load_model(fetched).sha256)
    assert model.label_names == list("ABCD")
    assert plain_runs.result(job_id)["version"] == load_classifier(fetched).version


def test_an_evaluation_writes_the_files_of_the_command_and_is_noted_with_the_model(plain_runs, model_file, tmp_path):
    imported = plain_runs.do(JobKind.MODEL_IMPORT, _import(plain_runs, model_file))
    dataset.save(make_dataset(groups=("dan", "eve"), seed=5), tmp_path / "test.npz")
    features = plain_runs.give_features(tmp_path / "test.npz")
    request = {"kind": "evaluation", "model": {"job": imported}, "data": [{"job": features}]}

    job_id = plain_runs.do(JobKind.EVALUATION, request)

    result = plain_runs.result(job_id)
    assert set(plain_runs.artifacts(job_id)) == EVALUATION_FILES
    report = json.loads(plain_runs.fetch(job_id, "report.json").read_text())
    assert report["all_rows"]["accuracy"] == result["accuracy"] > 0.5
    assert report["model_name"] == "best_model"
    assert {entry["group"] for entry in result["groups"]} == {"dan", "eve"}
    assert result["worst_group"] == result["groups"][0]["group"]
    assert result["unseen_accuracy"] == result["accuracy"]
    assert result["advice"] == report["advice"]
    assert result["aurc"] == report["coverage"]["aurc"]
    sha256 = plain_runs.artifacts(features)["features.npz"].sha256
    assert result["data_digest"] == hashlib.sha256(sha256.encode()).hexdigest()
    with plain_runs.database.reading() as session:
        noted = session.get_one(tables.Evaluation, job_id)
    assert noted.model_id == _model_of(plain_runs, imported).id
    assert noted.data_digest == result["data_digest"]
    assert noted.figures["macro_f1"] == result["macro_f1"]
    by_id = {**request, "model": {"id": noted.model_id}}
    assert plain_runs.result(plain_runs.do(JobKind.EVALUATION, by_id)) == result


def test_the_digest_of_several_features_does_not_depend_on_their_order():
    one, other = (Features("0" * 32, Path("f.npz"), digit * 64, None) for digit in "ab")
    assert data_digest([one, other]) == data_digest([other, one]) != data_digest([one])


def test_an_export_gives_an_onnx_file_that_was_compared(plain_runs, model_file):
    imported = plain_runs.do(JobKind.MODEL_IMPORT, _import(plain_runs, model_file))
    job_id = plain_runs.do(JobKind.EXPORT, {"model": {"job": imported}})
    result = plain_runs.result(job_id)
    assert plain_runs.fetch(job_id, "model.onnx").stat().st_size == result["size_bytes"]
    assert 0 <= result["max_difference"] <= 1e-4
    assert result["sha256"] == plain_runs.artifacts(job_id)["model.onnx"].sha256


def test_models_and_features_of_other_tenants_are_not_there(plain_runs, model_file, tmp_path):
    imported = plain_runs.do(JobKind.MODEL_IMPORT, _import(plain_runs, model_file))
    dataset.save(make_dataset(), tmp_path / "test.npz")
    features = plain_runs.give_features(tmp_path / "test.npz")
    request = {"model": {"job": imported}, "data": [{"job": features}]}
    for job_id, row, message in ((features, tables.Job, "features.npz"), (imported, tables.Model, "a model of job")):
        with plain_runs.database.transaction() as session:
            key = row.id if row is tables.Job else row.job_id
            session.scalars(select(row).where(key == job_id)).one().tenant = "theirs"
        with pytest.raises(NotFound, match=message):
            plain_runs.begin(plain_runs.claim(plain_runs.add(JobKind.EVALUATION, request)))
        with plain_runs.database.transaction() as session:
            session.get_one(tables.Job, features).tenant = TENANT


class _Hostile:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (open, (str(self.folder / "executed"), "w"))


def _save_expanding(path, model_file):
    """A few kilobytes that claim to be gigabytes: tensors whose rows all lie at one place."""
    payload = torch.load(model_file, weights_only=True)
    n_rows = 2**30 // 8
    torch.save({**payload, "train_row_hashes": torch.zeros(1, dtype=torch.int64).expand(n_rows)}, path)


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda path, _: torch.save(_Hostile(path.parent), path), "damaged or holds code"),
        (lambda path, _: path.write_bytes(b"no model at all"), "found another file"),
        (lambda path, _: torch.save({"weights": torch.zeros(3)}, path), "expected the keys"),
        (lambda path, _: torch.save(torch.nn.Linear(2, 2).state_dict(), path), "expected the keys"),
        (
            lambda path, model: torch.save(
                {**torch.load(model, weights_only=True), "feature_schema": "asl84-v0", "temperature": 1.0}, path
            ),
            "features asl84-v1",
        ),
        (_save_expanding, "more memory than allowed"),
    ],
    ids=["pickle", "garbage", "foreign", "foreign weights", "other schema", "expanding"],
)
def test_files_that_are_no_models_are_refused(plain_runs, model_file, tmp_path, save, message):
    save(tmp_path / "given.pt", model_file)
    claim = plain_runs.claim(plain_runs.add(JobKind.MODEL_IMPORT, _import(plain_runs, tmp_path / "given.pt")))
    with pytest.raises(ModelInvalid, match=message):
        plain_runs.begin(claim)
    assert not (tmp_path / "executed").exists()


def test_an_expanding_file_is_refused_before_the_machine_feels_it(model_file, tmp_path):
    """In a process of its own, as a job has: its peak tells what loading took."""
    _save_expanding(tmp_path / "best_model.pt", model_file)
    assert (tmp_path / "best_model.pt").stat().st_size < 100_000
    code = """
import resource, sys
from pathlib import Path
from asl.errors import ModelInvalid
from asl.pipelines.model_import import load_untrusted
load_untrusted(Path(sys.argv[2]))  # a sound one is taken with the same limit
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_untrusted(Path(sys.argv[1]))
except ModelInvalid as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "best_model.pt", model_file],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    grown_kib, _, message = done.stdout.partition(" ")
    assert "more memory than allowed" in message
    assert int(grown_kib) < 300 * 1024


def test_the_memory_limit_is_lifted_again():
    with pytest.raises(MemoryError), memory_limit(64 * 2**20):
        np.empty(512 * 2**20, np.uint8)
    assert np.empty(512 * 2**20, np.uint8).nbytes == 512 * 2**20


def test_a_probe_tells_its_steps_and_its_attempt(plain_runs):
    claim = plain_runs.claim(plain_runs.add(JobKind.PROBE, {"n_steps": 3, "step_s": 0.0}))
    outcome, told = plain_runs.begin(claim)
    plain_runs.finish(claim, outcome)
    assert [progress.done for progress in told.progress] == [1, 2, 3]
    assert json.loads(plain_runs.fetch(claim.job_id, "probe.json").read_text())["attempt"] == claim.attempt == 1


def test_a_probe_stops_soon_when_told_to(plain_runs):
    claim = plain_runs.claim(plain_runs.add(JobKind.PROBE, {"n_steps": 1, "step_s": 60.0}))
    began = time.monotonic()
    with pytest.raises(Stopped):
        plain_runs.begin(claim, is_stopping=lambda: time.monotonic() - began > 0.1)
    assert time.monotonic() - began < 30


def test_running_out_of_memory_is_told_as_such(plain_runs):
    def run_out(_):
        raise MemoryError

    claim = plain_runs.claim(plain_runs.add(JobKind.PROBE, {"n_steps": 1}))
    with pytest.raises(OutOfMemory):
        plain_runs.begin(claim, on_progress=run_out)


def test_publishing_needs_neither_torch_nor_mediapipe_nor_the_core():
    code = (
        "import sys, asl.pipelines.publishing;"
        "print([name for name in sys.modules if name in ('torch', 'mediapipe') or name.startswith('asl.core')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


def test_real_photographs_become_features_in_parts(runs, real_data):
    """Landmarks equal those that were found before, with the same networks, on the same files."""
    source = real_data / "images" / "washed"
    photographs = [
        Photograph(f"{letter}/{path.name}", letter, "washed", path.read_bytes())
        for letter in "AY"
        for path in sorted((source / letter).iterdir())[:4]
    ]
    request = {**_request(runs, photographs), "shard_size": 4}
    parent = runs.add(JobKind.EXTRACTION, request, n_shards=2)
    for shard in range(2):
        runs.do(JobKind.EXTRACTION_SHARD, request, parent_id=parent, shard=shard)
    claim = runs.claim(parent)
    runs.finish(claim, runs.begin(claim)[0])

    found = dataset.load(runs.fetch(parent, "features.npz"))
    known = np.load(real_data / "landmarks" / "washed.npz")
    assert len(found) == 8
    for letter in "AY":
        ours, theirs = found.landmarks[found.letters == letter], known["landmarks"][known["labels"] == letter]
        nearest = np.abs(ours[:, None] - theirs[None]).max(axis=(2, 3)).min(axis=1)
        assert np.median(nearest) < 0.005
