"""`asl evaluate-model` as a process, on a small model and hands of random numbers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from asl.core import checkpoint, dataset, evaluation, plots
from asl.core.model import ASLClassifier
from asl.core.sample_hashes import row_hashes

ASL = Path(sys.executable).with_name("asl")
FILES = {
    "results.txt",
    "report.json",
    "answers.jsonl",
    "confusion_matrix.png",
    "per_class_f1_scores.png",
    "reliability_diagram.png",
    "coverage_accuracy.png",
    "per_group_accuracy.png",
}


def hands(letters, seed=0, group=""):
    rng = np.random.default_rng(seed)
    return dataset.from_landmarks(
        landmarks=rng.random((len(letters), 21, 3), np.float32),
        letters=list(letters),
        handedness=np.full(len(letters), "right"),
        group=np.full(len(letters), group),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that always answers C and was trained on the rows of bob, and a data set of each of two signers."""
    folder = tmp_path_factory.mktemp("evaluation")
    ann, bob = hands("ABCC", 1, "ann"), hands("ACJ", 2, "bob")
    torch.manual_seed(0)
    model = ASLClassifier(hidden_sizes=(8,), num_classes=4)
    torch.nn.init.constant_(model.network[-1].bias[0], 50.0)
    checkpoint.save(
        checkpoint.Checkpoint(
            epoch=1,
            model_state_dict=model.state_dict(),
            model_config=model.config,
            label_names=("C", "B", "A", "J"),
            val_accuracy=0.5,
            train_row_hashes=torch.from_numpy(row_hashes(bob.sample_sha256)),
            val_row_hashes=torch.from_numpy(row_hashes(ann.sample_sha256[:1])),
        ),
        folder / "always_c.pt",
    )
    dataset.save(ann, folder / "ann.npz")
    dataset.save(bob, folder / "bob.npz")
    dataset.save(hands("AX", 3), folder / "foreign.npz")
    return folder


def asl_evaluate(folder, *arguments):
    return subprocess.run(
        [ASL, "evaluate-model", "--model-path", "always_c.pt", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_figures_pictures_and_warnings_of_two_files(folder):
    done = asl_evaluate(folder, "--data-file", "ann.npz", "bob.npz", "--output-dir", "two", "--json")

    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "two").iterdir()} == FILES
    report = json.loads(done.stdout)
    assert json.loads((folder / "two" / "report.json").read_text()) == report
    # Three of seven rows show C, whatever index it has in the files.
    assert report["all_rows"]["accuracy"] == pytest.approx(3 / 7)
    assert report["without_motion"]["accuracy"] == pytest.approx(3 / 6)
    assert report["not_trained_on"]["accuracy"] == pytest.approx(2 / 4)
    assert report["n_rows_trained_on"] == 3
    assert report["n_rows_validated_on"] == 1
    assert report["unseen"]["accuracy"] == pytest.approx(2 / 3)
    assert report["all_rows"]["worst_group"]["group"] == "bob"
    assert "warning: 3 of 7 rows (43%) were in the training set" in done.stderr
    assert f"made {(folder / 'two').resolve()}" in done.stderr.splitlines()[-1]
    text = (folder / "two" / "results.txt").read_text()
    assert "0.4286" in text
    assert "neither trained nor validated on" in text
    assert "1 of 7 rows chose the model's epoch and temperature" in " ".join(text.split())
    assert "\n   C B A J\n C 3 . . .\n B 1 . . .\n A 2 . . .\n J 1 . . .\n" in text
    answers = [json.loads(line) for line in (folder / "two" / "answers.jsonl").read_text().splitlines()]
    assert [(row["letter"], row["answer"], row["group"]) for row in answers] == [
        *((letter, "C", "ann") for letter in "ABCC"),
        *((letter, "C", "bob") for letter in "ACJ"),
    ]
    assert [row["is_trained_on"] for row in answers] == [False] * 4 + [True] * 3
    assert [row["is_validated_on"] for row in answers] == [True] + [False] * 6
    assert [row["sha256"] for row in answers[:4]] == dataset.load(folder / "ann.npz").sample_sha256.tolist()
    assert min(row["confidence"] for row in answers) > 0.99
    assert (folder / "two" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_goes_to_stdout_and_into_the_default_folder(folder):
    done = asl_evaluate(folder, "--data-file", "ann.npz", "--batch-size", "3")
    results = folder / "evaluation_results"

    assert done.returncode == 0, done.stderr
    assert {path.name for path in results.iterdir()} == FILES
    assert "macro average" in done.stdout
    assert "0.5000" in done.stdout
    assert (results / "results.txt").read_text().startswith("model always_c.pt\ndata  ann.npz\n")
    assert "warning: 1 of 4 rows chose the model's epoch and temperature" in done.stderr
    shutil.rmtree(results)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--data-file", "foreign.npz"), 1, "found also X"),
        (("--data-file", "foreign.npz"), 1, "--allow-unknown-labels"),
        (("--data-file", "nowhere.npz"), 3, "no file at nowhere.npz"),
        (("--data-file", "ann.npz", "--batch-size", "0"), 2, ""),
        (("--data-file", "ann.npz", "--output-dir", "ann.npz"), 2, "cannot make the folder ann.npz"),
    ],
)
def test_errors_before_anything_is_written(folder, asl_main, arguments, status, message):
    ended = asl_main(folder, "evaluate-model", "--model-path", "always_c.pt", *arguments)

    assert ended.status == status
    assert message in ended.err
    assert not list(folder.glob("evaluation_results/*"))


def test_a_picture_that_no_longer_applies_is_removed(folder, tmp_path):
    trained = checkpoint.load_model(folder / "always_c.pt")
    plots.write_plots(evaluation.evaluate(trained, dataset.load(folder / "ann.npz")), tmp_path)
    assert (tmp_path / "per_group_accuracy.png").exists()

    plots.write_plots(evaluation.evaluate(trained, hands("ABC")), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {
        name for name in FILES if name.endswith(".png") and name != "per_group_accuracy.png"
    }


def test_pictures_do_without_pyplot():
    code = "import sys, asl.core.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0
