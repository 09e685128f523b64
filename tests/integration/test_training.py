import copy
import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import make_dataset

from asl.cli import console
from asl.cli.main import app
from asl.contracts import TrainingOptions
from asl.core import checkpoint as checkpoints
from asl.core import cross_validation, dataset
from asl.core.cross_validation import HeldOut
from asl.core.fitting import Fitting, batches, reproducible
from asl.core.training import train
from asl.core.training_data import prepare
from asl.errors import Conflict, DatasetInvalid, ModelInvalid, OptionsInvalid, OutOfMemory

QUICK = {"hidden_sizes": (16, 8), "epochs": 23, "batch_size": 16, "patience": 0}
GROUPS = ("ann", "bob", "cid")


@pytest.fixture(scope="module")
def hands():
    return make_dataset(groups=GROUPS, noise=0.12)


@pytest.fixture
def data_file(tmp_path, hands):
    path = tmp_path / "hands.npz"
    dataset.save(hands, path)
    return path


def run(hands, folder, *, resume=None, pretrained=None, on_epoch=lambda _: None, **changes):
    options = TrainingOptions(**{**QUICK, **changes})
    data = prepare(hands, options)
    return train(data, device="cpu", output_dir=folder, resume=resume, pretrained=pretrained, on_epoch=on_epoch)


def command(*words):
    """Run a command in this process and return the status that `asl` would end with."""
    try:
        app([str(word) for word in words], result_action="return_value")
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:  # noqa: BLE001 - as `asl.cli.main.main` does
        console.print_error(error)
        return console.exit_code(error)
    return 0


def same_values(left, right):
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same_values(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same_values, left, right))
    return left == right


def losses(folder):
    return [json.loads(line)["val_loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same_model(left, right):
    return same_values(torch.load(left, weights_only=True), torch.load(right, weights_only=True))


def test_training_learns_and_writes_its_files(hands, tmp_path):
    told = []
    result = run(hands, tmp_path, on_epoch=told.append, learning_rate=0.01)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("best_model.pt", "final_model.pt", "checkpoint_epoch_10.pt", "checkpoint_epoch_20.pt"),
        *("metrics.jsonl", "config.json", "training_curves.png"),
    }
    assert result.val_accuracy > 0.8
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 24))
    assert lines == [entry.as_dict() for entry in told]
    best = max(told, key=lambda entry: (entry.val_accuracy, -entry.val_loss))
    assert (result.best_epoch, result.val_accuracy) == (best.epoch, best.val_accuracy)
    assert [line["learning_rate"] for line in lines] == sorted((line["learning_rate"] for line in lines), reverse=True)
    assert lines[0]["learning_rate"] == 0.01
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["split"]["val_groups"] == list(result.val_groups)
    assert config["split"]["n_train"] + config["split"]["n_val"] == len(hands)
    assert (tmp_path / "training_curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_best_model_is_the_one_that_read_validation_best(hands, tmp_path):
    result = run(hands, tmp_path)
    trained = checkpoints.load_model(result.best_model)
    validation = prepare(hands, TrainingOptions(**QUICK)).validation
    with torch.inference_mode():
        answers = trained.model(torch.from_numpy(validation.features)).argmax(1).numpy()
    assert (answers == validation.labels).mean() == pytest.approx(result.val_accuracy)
    assert trained.temperature == result.temperature != 1
    train_rows = np.isin(checkpoints.row_hashes(hands.sample_sha256), trained.train_row_hashes)
    assert train_rows.sum() == result.n_train
    assert not set(hands.group[train_rows]) & set(result.val_groups)
    val_rows = np.isin(checkpoints.row_hashes(hands.sample_sha256), trained.val_row_hashes)
    assert set(hands.group[val_rows]) == set(result.val_groups)
    assert val_rows.sum() == result.n_val


@pytest.mark.parametrize("model_type", ["v1", "v2"])
@pytest.mark.parametrize(
    ("checkpoint", "last"), [("checkpoint_epoch_10.pt", 11), ("best_model.pt", 17), ("latest", 14), ("latest", 22)]
)
def test_a_killed_and_resumed_run_ends_bit_identical(hands, tmp_path, model_type, checkpoint, last):
    class Killed(BaseException):
        pass

    def kill(metrics):
        if metrics.epoch == last:
            raise Killed

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(hands, whole, model_type=model_type)
    with pytest.raises(Killed):
        run(hands, broken, model_type=model_type, on_epoch=kill)
    if checkpoint == "latest":
        checkpoint = max(broken.glob("checkpoint_*.pt"), key=lambda path: path.stat().st_mtime_ns).name
    torch.randn(100)  # the caller's generator must not matter
    result = run(hands, broken, model_type=model_type, resume=broken / checkpoint)
    assert result.resumed_epoch == checkpoints.load(broken / checkpoint).epoch or checkpoint == "best_model.pt"
    for name in ("final_model.pt", "best_model.pt", "checkpoint_epoch_20.pt"):
        assert same_model(whole / name, broken / name), name
    assert losses(whole) == losses(broken)


def test_a_run_resumed_into_another_folder_leaves_the_same_models(hands, tmp_path):
    run(hands, tmp_path / "one")
    run(hands, tmp_path / "two", resume=tmp_path / "one" / "checkpoint_epoch_20.pt")
    assert same_model(tmp_path / "one" / "best_model.pt", tmp_path / "two" / "best_model.pt")
    assert len((tmp_path / "two" / "metrics.jsonl").read_text().splitlines()) == 23


def test_going_on_from_the_best_model_leaves_it_as_it_is(hands, tmp_path):
    result = run(hands, tmp_path / "one", learning_rate=0.05, seed=3)
    assert 1 < result.best_epoch < result.epochs_done
    run(hands, tmp_path / "two", learning_rate=0.05, seed=3, resume=result.best_model)
    assert same_model(result.best_model, tmp_path / "two" / "best_model.pt")


def test_a_finished_run_resumed_only_writes_its_models_again(hands, tmp_path):
    run(hands, tmp_path / "one")
    result = run(hands, tmp_path / "two", resume=tmp_path / "one" / "final_model.pt")
    assert result.resumed_epoch == result.epochs_done == 23
    assert same_model(tmp_path / "one" / "final_model.pt", tmp_path / "two" / "final_model.pt")


def test_a_run_may_go_on_for_longer_and_is_told_that_it_equals_no_unbroken_one(hands, tmp_path):
    run(hands, tmp_path)
    result = run(hands, tmp_path, resume=tmp_path / "final_model.pt", epochs=30)
    assert result.epochs_done == 30
    assert any("30 epochs instead of 23" in notice and "unbroken" in notice for notice in result.notices)
    same = run(hands, tmp_path, resume=tmp_path / "final_model.pt", epochs=30, patience=9)
    assert not any("unbroken" in notice for notice in same.notices)


def test_a_new_training_removes_checkpoints_of_an_older_one(hands, tmp_path):
    run(hands, tmp_path)
    (tmp_path / "checkpoint_epoch_best.pt").touch()  # not a name of ours
    run(hands, tmp_path, epochs=3, pretrained=tmp_path / "checkpoint_epoch_10.pt")
    # What the training started from stays.
    assert {path.name for path in tmp_path.glob("checkpoint_*")} == {
        "checkpoint_epoch_10.pt",
        "checkpoint_epoch_best.pt",
    }


def test_a_resumed_training_keeps_its_checkpoints(hands, tmp_path):
    run(hands, tmp_path)
    run(hands, tmp_path, resume=tmp_path / "final_model.pt")
    assert {path.name for path in tmp_path.glob("checkpoint_*")} == {"checkpoint_epoch_10.pt", "checkpoint_epoch_20.pt"}


def _damaged(payload, damage):
    optimizer = payload["optimizer_state_dict"]
    state, (group,) = optimizer["state"], optimizer["param_groups"]
    wrong = {**state, 0: {**state[0], "exp_avg": torch.zeros(3)}}
    return {
        "rng": {"rng_states": {"cpu": 5}},
        "short rng": {"rng_states": {"cpu": torch.zeros(3, dtype=torch.uint8)}},
        "no states": {"rng_states": 5},
        "optimizer": {"optimizer_state_dict": {"state": 5}},
        "moments": {"optimizer_state_dict": {**optimizer, "state": wrong}},
        "no moments": {"optimizer_state_dict": {**optimizer, "state": {}}},
        "betas": {"optimizer_state_dict": {**optimizer, "param_groups": [{**group, "betas": 5}]}},
        "best": {"best": {"epoch": 1}},
        "best of others": {"best": {**payload, "label_mapping": {0: "W", 1: "X", 2: "Y", 3: "Z"}}},
    }[damage]


@pytest.mark.parametrize(
    "damage",
    ["rng", "short rng", "no states", "optimizer", "moments", "no moments", "betas", "best", "best of others"],
)
def test_a_checkpoint_whose_training_state_does_not_fit_is_refused(hands, tmp_path, damage):
    run(hands, tmp_path, epochs=2)
    payload = torch.load(tmp_path / "final_model.pt", weights_only=True)
    torch.save({**payload, **_damaged(payload, damage)}, tmp_path / "hand_made.pt")
    with pytest.raises(ModelInvalid, match="expected"):
        run(hands, tmp_path, epochs=4, resume=tmp_path / "hand_made.pt")


@pytest.mark.parametrize(
    "changes",
    [{"dropout": 0.1}, {"seed": 1}, {"batch_size": 8}, {"hidden_sizes": (16,)}, {"augment": False}],
)
def test_resuming_with_other_options_is_a_conflict(hands, tmp_path, changes):
    run(hands, tmp_path, epochs=1)
    with pytest.raises(Conflict, match=next(iter(changes))):
        run(hands, tmp_path, resume=tmp_path / "final_model.pt", **changes)


def test_resuming_with_other_data_is_a_conflict(hands, tmp_path):
    run(hands, tmp_path, epochs=1)
    moved = replace(hands, features=hands.features + np.float32(1e-6))
    with pytest.raises(Conflict, match="other data"):
        run(moved, tmp_path, resume=tmp_path / "final_model.pt")


def test_a_model_without_training_state_cannot_be_resumed(hands, tmp_path):
    run(hands, tmp_path, epochs=1)
    payload = torch.load(tmp_path / "final_model.pt", weights_only=True)
    torch.save({key: payload[key] for key in checkpoints.SEED_KEYS}, tmp_path / "bare.pt")
    with pytest.raises(Conflict, match="only a model"):
        run(hands, tmp_path, resume=tmp_path / "bare.pt")


def test_training_leaves_the_callers_generator_and_threads_alone(hands, tmp_path):
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    run(hands, tmp_path, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_transfer_takes_over_what_fits_and_tells_the_rest(hands, tmp_path):
    run(hands, tmp_path / "source", epochs=3)
    source = checkpoints.load(tmp_path / "source" / "final_model.pt").model_state_dict
    other = make_dataset(letters="ABCDE", groups=GROUPS)
    result = run(
        other, tmp_path, pretrained=tmp_path / "source" / "final_model.pt", epochs=1, learning_rate=1e-9, dropout=0.0
    )
    state = checkpoints.load(result.best_model).model_state_dict
    torch.testing.assert_close(state["network.4.weight"], source["network.4.weight"], atol=1e-6, rtol=0)
    assert "took over 4 of 5 layers; others start anew: network.8" in result.notices


def test_transfer_to_other_letters_of_the_same_number_starts_the_last_layer_anew(hands, tmp_path):
    run(hands, tmp_path, epochs=1)
    result = run(make_dataset(letters="WXYZ", groups=GROUPS), tmp_path, pretrained=tmp_path / "best_model.pt", epochs=1)
    assert any("network.8" in notice for notice in result.notices)


def test_data_without_landmarks_trains_without_augmentation_and_says_so(hands, tmp_path):
    bare = replace(hands, landmarks=None, world_landmarks=None)
    result = run(bare, tmp_path, epochs=1)
    assert any("without augmentation" in notice for notice in result.notices)
    assert json.loads((tmp_path / "config.json").read_text())["options"]["augment"] is False


@pytest.mark.parametrize("model_type", ["v1", "v2"])
def test_an_epoch_computes_what_the_plain_loop_does(hands, model_type):
    options = TrainingOptions(**{**QUICK, "dropout": 0, "augment": False, "model_type": model_type})
    with reproducible(options, "cpu"):
        fitting = Fitting(hands, options, "cpu")
        model = copy.deepcopy(fitting.model).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=options.weight_decay, fused=True)
        for epoch in (1, 2):
            loss, accuracy = fitting.run_epoch(epoch)
            optimizer.param_groups[0]["lr"] = fitting.learning_rate(epoch)
            order = np.random.default_rng([options.seed, epoch]).permutation(len(hands))
            losses, n_right = [], 0
            for rows in np.split(order, range(16, len(order), 16)):
                optimizer.zero_grad()
                logits, labels = model(torch.from_numpy(hands.features[rows])), torch.from_numpy(hands.labels[rows])
                batch_loss = torch.nn.functional.cross_entropy(logits, labels)
                batch_loss.backward()
                optimizer.step()
                losses.append(batch_loss.item() * len(rows))
                n_right += int((logits.argmax(1) == labels).sum())
            assert loss == pytest.approx(sum(losses) / len(hands), rel=1e-5)
            assert accuracy == pytest.approx(n_right / len(hands))
    assert same_values(dict(model.state_dict()), dict(fitting.model.state_dict()))
    assert same_values(optimizer.state_dict()["state"], fitting.optimizer.state_dict()["state"])


def test_class_weights_help_the_rare_letter(tmp_path):
    many = make_dataset(letters="A", rows_per_letter=190, noise=0.9)
    few = make_dataset(letters="AB", rows_per_letter=10, noise=0.9, seed=1)
    hands = dataset.concatenate([many, few])

    def share_of_b(weighted):
        result = run(hands, tmp_path / str(weighted), use_class_weights=weighted, learning_rate=0.01, split="random")
        model = checkpoints.load_model(result.output_dir / "final_model.pt").model
        with torch.inference_mode():
            return float(model(torch.from_numpy(hands.features)).softmax(1)[:, 1].mean())

    assert share_of_b(weighted=True) > 2 * share_of_b(weighted=False)


def test_extra_rows_only_train_and_known_photographs_are_left_out(hands):
    extra = make_dataset(groups=("zoe",), seed=9)
    data = prepare(hands, TrainingOptions(), extra)
    assert "zoe" in data.train.groups
    assert "zoe" not in data.validation.groups
    known = prepare(hands, TrainingOptions(), hands)
    assert not set(known.train.sample_sha256) & set(known.validation.sample_sha256)


def test_extra_rows_of_a_validating_signer_or_original_never_train(hands):
    options = TrainingOptions()
    (validating,) = prepare(hands, options).split.val_groups
    same_signer = make_dataset(groups=(validating, "zoe"), seed=9)
    data = prepare(hands, options, same_signer)
    assert validating not in data.train.groups
    assert "zoe" in data.train.groups
    assert "40 rows that were to train are left out: their signer or photograph validates" in data.notices


def test_extra_copies_of_a_validating_original_never_train():
    hands = make_dataset(rows_per_letter=20)
    hands = replace(hands, original=np.arange(len(hands)).astype(str))
    extra = replace(make_dataset(rows_per_letter=20, seed=9), original=hands.original)
    data = prepare(hands, TrainingOptions(), extra)
    assert not set(data.train.original) & set(data.validation.original)
    assert any(f"{len(data.validation)} rows that were to train" in notice for notice in data.notices)


def test_running_out_of_memory_says_what_to_lower(hands, tmp_path):
    def exhaust(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemory, match="batch size 16 and hidden sizes 16 8") as caught:
        run(hands, tmp_path, on_epoch=exhaust)
    assert "--batch-size (try 8)" in caught.value.hint


def test_divergence_is_told(hands, tmp_path):
    with pytest.raises(OptionsInvalid, match="diverged") as caught:
        run(hands, tmp_path, learning_rate=1e30, epochs=40)
    assert "--learning-rate" in caught.value.hint


def test_one_class_is_refused():
    with pytest.raises(DatasetInvalid, match="two classes"):
        prepare(make_dataset(letters="A", groups=GROUPS), TrainingOptions())


@pytest.mark.parametrize(
    ("n_rows", "size", "expected"),
    [
        (64, 32, [(0, 32), (32, 64)]),
        (65, 32, [(0, 32), (32, 65)]),
        (66, 32, [(0, 32), (32, 64), (64, 66)]),
        (1, 32, [(0, 1)]),
        (3, 32, [(0, 3)]),
    ],
)
def test_no_batch_of_one_row(n_rows, size, expected):
    assert list(batches(n_rows, size)) == expected


def test_cross_validation_scores_each_group_worst_first(hands):
    options = TrainingOptions(**{**QUICK, "learning_rate": 0.01, "train_rows_per_class": 5})
    trials = cross_validation.plan(hands, options, exclude_labels=["B"], n_seeds=2)
    assert len(trials) == 6
    report = cross_validation.summarise([cross_validation.run(trial, "cpu") for trial in trials], 2)
    assert sorted(score.group for score in report.groups) == list(GROUPS)
    assert [score.accuracy for score in report.groups] == sorted(score.accuracy for score in report.groups)
    assert {(score.n_train, score.n_test) for score in report.groups} == {(30, 30)}
    assert report.mean_accuracy > 0.7
    assert report.worst == report.groups[0]
    assert all(0 < score.calibration_error < 1 for score in report.groups)
    assert 0.05 < report.temperature < 20


def test_a_groups_calibration_never_uses_its_own_answers():
    sure, unsure = torch.tensor([[8.0, 0.0]]).repeat(40, 1), torch.tensor([[0.5, 0.0]]).repeat(40, 1)
    right, often_wrong = torch.zeros(40, dtype=torch.int64), torch.tensor([0, 1] * 20)
    parts = [HeldOut("a", 9, sure, often_wrong, ("A", "J")), HeldOut("b", 9, unsure, right, ("A", "J"))]
    first, second = cross_validation.summarise(parts, 1).groups
    # Alone, b asks for more confidence than it has, which makes a, overconfident as it is, no better; and a for less.
    assert (first.group, first.calibration_error) == ("a", pytest.approx(0.5, abs=0.01))
    assert first.tempered_calibration_error == pytest.approx(0.5, abs=0.01)
    assert (first.accuracy, first.still_accuracy) == (0.5, 1)
    assert second.tempered_calibration_error > second.calibration_error + 0.1


def test_a_group_of_movements_alone_has_no_figure_without_them(tmp_path, capsys):
    still, moving = make_dataset(letters="AJ", groups=("ann", "bob")), make_dataset(letters="JZ", groups=("cid",))
    path = tmp_path / "hands.npz"
    dataset.save(dataset.concatenate([still, moving]), path)
    words = ["cross-validate", "--data-file", path, "--epochs", 1, "--hidden-sizes", 8, "--seeds", 2]
    assert command(*words, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    figures = {group["group"]: group["still_accuracy"] for group in report["groups"]}
    assert figures["cid"] is None
    assert report["mean_still_accuracy"] == pytest.approx((figures["ann"] + figures["bob"]) / 2)
    assert command(*words) == 0
    assert next(line for line in capsys.readouterr().out.splitlines() if "cid" in line).count("-") == 1


def test_movements_alone_have_no_mean_without_them():
    right = torch.zeros(4, dtype=torch.int64)
    part = HeldOut("a", 9, torch.tensor([[8.0, 0.0]]).repeat(4, 1), right, ("J", "Z"))
    assert cross_validation.summarise([part, replace(part, group="b")], 1).mean_still_accuracy is None


def test_without_validation_all_rows_train_in_all_epochs(hands, tmp_path):
    result = run(hands, tmp_path, val_split=0, temperature=1.7, patience=1)
    assert (result.n_train, result.n_val) == (len(hands), 0)
    assert result.val_accuracy is None
    assert result.epochs_done == result.best_epoch == QUICK["epochs"]
    model = checkpoints.load_model(tmp_path / "best_model.pt")
    assert model.temperature == 1.7
    assert math.isnan(model.val_accuracy)
    assert any("all rows train" in notice for notice in result.notices)
    assert (tmp_path / "training_curves.png").stat().st_size > 1000
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["val_accuracy"] is None


def test_a_cap_takes_as_many_rows_of_each_letter_and_group(hands):
    data = prepare(hands, TrainingOptions(val_split=0, train_rows_per_class=3))
    pairs = list(zip(data.train.letters.tolist(), data.train.group.tolist(), strict=True))
    assert {pairs.count(pair) for pair in pairs} == {3}


@pytest.mark.parametrize("seed", range(3))
def test_a_cap_is_filled_beside_a_random_validation(hands, seed):
    data = prepare(hands, TrainingOptions(split="random", seed=seed, train_rows_per_class=6, val_split=0.3))
    pairs = list(zip(data.train.letters.tolist(), data.train.group.tolist(), strict=True))
    own = prepare(hands, TrainingOptions(split="random", seed=seed, val_split=0.3)).train
    there = list(zip(own.letters.tolist(), own.group.tolist(), strict=True))
    assert {pair: pairs.count(pair) for pair in there} == {pair: min(6, there.count(pair)) for pair in there}


# --- the commands


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
    assert json.loads(capsys.readouterr().out)["epochs_done"] == 3
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


def test_a_resumed_command_writes_beside_its_checkpoint(data_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["train-model", "--data-file", data_file, "--hidden-sizes", 8, "--patience", 0, "--epochs"]
    assert command(*words, 1) == 0
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
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    words = ["train-model", "--data-file", data_file, "--device", "cpu", "--patience", 0, "--hidden-sizes", 8]
    words += ["--epochs", 200, "--batch-size", 512, "--output-dir"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from asl.cli.main import main; main()", *map(str, words), str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint_epoch_20.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "final_model.pt").exists()
    for path in folder.glob("*.pt"):
        checkpoints.load(path)
    assert command(*words, whole) == 0
    assert command(*words, folder, "--resume", folder / "checkpoint_epoch_20.pt") == 0
    assert same_model(whole / "final_model.pt", folder / "final_model.pt")
    assert same_model(whole / "best_model.pt", folder / "best_model.pt")
