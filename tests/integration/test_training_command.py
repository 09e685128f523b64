import json
import signal
import subprocess
import sys

import pytest
from factories import make_dataset
from pace import wait_until
from trainings import GROUPS, command, same_model

from asl.cli import console
from asl.core import checkpoint as checkpoints
from asl.core import dataset


def test_the_command_says_that_it_stopped_early_and_what_it_made(data_file, tmp_path, capsys):
    folder = tmp_path / "models"
    words = ["train-model", "--data-file", data_file, "--output-dir", folder, "--hidden-sizes", 16, 8, "--patience", 2]
    assert command(*words, "--device", "cpu", "--learning-rate", "0.05", "--epochs", "200") == 0
    spoken = capsys.readouterr()
    assert "stopped early: validation has not improved since epoch" in spoken.out
    assert f"made {folder / 'best_model.pt'}   next: asl evaluate-model" in spoken.err
    assert not (folder / "checkpoint_epoch_200.pt").exists()
    assert checkpoints.load_model(folder / "best_model.pt").model.hidden_sizes == (16, 8)


def test_the_command_line_wins_over_the_file(data_file, tmp_path, capsys):
    config = tmp_path / "options.json"
    config.write_text('{"hidden_sizes": [9, 5], "epochs": 2, "dropout": 0.1}')
    words = ["train-model", "--data-file", data_file, "--output-dir", tmp_path / "m", "--config", config, "--json"]
    assert command(*words, "--epochs", 3) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["epochs_done"] == 3
    assert {entry["code"] for entry in result["advice"]} >= {"underfitting"}
    model = checkpoints.load_model(tmp_path / "m" / "best_model.pt").model
    assert (model.hidden_sizes, model.dropout_rate) == ((9, 5), 0.1)


def test_a_resumed_command_needs_no_options_again(data_file, tmp_path, capsys):
    words = ["train-model", "--data-file", data_file, "--output-dir", tmp_path / "m"]
    assert command(*words, "--hidden-sizes", 8, "--epochs", 12, "--patience", 0, "--seed", 7) == 0
    checkpoint = tmp_path / "m" / "checkpoint_epoch_10.pt"
    final = (tmp_path / "m" / "final_model.pt").read_bytes()
    assert command(*words, "--resume", checkpoint) == 0
    assert (tmp_path / "m" / "final_model.pt").read_bytes() == final
    capsys.readouterr()
    assert command(*words, "--resume", checkpoint, "--seed", 8) == console.EXIT_CONFLICT
    assert "seed 8 instead of 7" in capsys.readouterr().err


def test_a_resumed_command_writes_beside_its_checkpoint(data_file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["train-model", "--data-file", data_file, "--hidden-sizes", 8, "--patience", 0, "--epochs"]
    assert command(*words, 1) == 0
    assert "advice: Underfitting: " in capsys.readouterr().err
    unrelated = (tmp_path / "models" / "best_model.pt").read_bytes()
    assert command(*words, 11, "--output-dir", "a") == 0
    (tmp_path / "a" / "final_model.pt").unlink()
    assert command(*words, 11, "--resume", "a/checkpoint_epoch_10.pt") == 0
    assert (tmp_path / "a" / "final_model.pt").exists()
    assert (tmp_path / "models" / "best_model.pt").read_bytes() == unrelated


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--dropout", 1.5], 2, "error: --dropout: input should be less than 1, found '1.5'"),
        (["--hidden-sizes", 0], 2, "hidden sizes must be positive"),
        (["--hidden-sizes", "big"], 2, "--hidden-sizes: input should be a valid integer"),
        (["--epochs", 0], 2, "--epochs: "),
        (["--pretrained-path", "missing.pt"], 3, "no file at missing.pt"),
        (["--resume", "missing.pt"], 3, "no file at missing.pt"),
        (["--config", "missing.json"], 3, "no file at missing.json"),
        (["--data-file", "missing.npz"], 3, "no file at missing.npz"),
    ],
)
def test_bad_input_is_told_in_a_line_before_any_work(words, status, said, data_file, capsys):
    folder = data_file.parent / "m"
    assert command("train-model", "--data-file", data_file, "--output-dir", folder, *words) == status
    spoken = capsys.readouterr().err
    assert said in spoken
    assert "pydantic" not in spoken
    assert not list(folder.glob("*"))


def test_a_folder_that_cannot_be_written_to_is_told(data_file, capsys):
    assert command("train-model", "--data-file", data_file, "--output-dir", "/proc/models") == 2
    assert "/proc/models" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"epoch": 3}', "found epoch"),
        ('{"epochs": "many"}', "epochs: "),
        ("[1]", "expected a JSON object"),
        ("{", "expected JSON"),
    ],
)
def test_a_bad_option_file_is_told(text, said, data_file, tmp_path, capsys):
    config = tmp_path / "options.json"
    config.write_text(text)
    assert command("train-model", "--data-file", data_file, "--config", config) == 2
    assert said in capsys.readouterr().err


def test_cross_validation_command(data_file, tmp_path, capsys):
    words = ["cross-validate", "--data-file", data_file, "--by", "group", "--epochs", 2, "--hidden-sizes", 8]
    report = tmp_path / "report.json"
    assert command(*words, "--exclude-labels", "A", "--seeds", 2, "--output-file", report, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(report.read_text())
    assert {group["group"] for group in printed["groups"]} == set(GROUPS)
    assert {group["n_test"] for group in printed["groups"]} == {30}
    assert command(*words, "--test-rows-per-class", 4) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in (*GROUPS, "mean", "worst"))


def test_a_folder_as_the_report_is_refused_before_any_work(tmp_path, capsys):
    words = ["cross-validate", "--data-file", "missing.npz", "--output-file", tmp_path]
    assert command(*words) == console.EXIT_USAGE
    assert f"expected a file, found the folder {tmp_path}" in capsys.readouterr().err


def test_cross_validation_of_one_group_is_refused(tmp_path, capsys):
    path = tmp_path / "one.npz"
    dataset.save(make_dataset(groups=("ann",)), path)
    assert command("cross-validate", "--data-file", path) == 1
    assert "at least two groups (signers or sources), found 1" in capsys.readouterr().err


def test_a_process_killed_outright_leaves_a_checkpoint_to_go_on_from(data_file, tmp_path):
    words = ["train-model", "--data-file", data_file, "--device", "cpu", "--patience", 0, "--hidden-sizes", 8]
    words += ["--epochs", 200, "--batch-size", 512, "--output-dir"]
    for number in range(5):  # a machine that stands still lets it come to its end: then once more
        folder = tmp_path / f"killed {number}"
        if not _comes_to_its_end(words, folder):
            break
    whole = tmp_path / "whole"
    assert not (folder / "final_model.pt").exists()
    for path in folder.glob("*.pt"):
        checkpoints.load(path)
    assert command(*words, whole) == 0
    assert command(*words, folder, "--resume", folder / "checkpoint_epoch_20.pt") == 0
    assert same_model(whole / "final_model.pt", folder / "final_model.pt")
    assert same_model(whole / "best_model.pt", folder / "best_model.pt")


def _comes_to_its_end(words, folder):
    """Train in a process that is killed after some epochs; tells whether it was done before."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from asl.cli.main import main; main()", *map(str, words), str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until((folder / "checkpoint_epoch_20.pt").exists, 180, every_s=0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return (folder / "final_model.pt").exists()
