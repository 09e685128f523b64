import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import make_dataset
from trainings import GROUPS, QUICK, run, same_values

from asl.contracts import TrainingOptions
from asl.core import checkpoint as checkpoints
from asl.core import dataset
from asl.core.fitting import Fitting, batches, reproducible
from asl.core.sample_hashes import row_hashes
from asl.core.training_data import prepare
from asl.errors import DatasetInvalid, OptionsInvalid, OutOfMemory


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
    train_rows = np.isin(row_hashes(hands.sample_sha256), trained.train_row_hashes)
    assert train_rows.sum() == result.n_train
    assert not set(hands.group[train_rows]) & set(result.val_groups)
    val_rows = np.isin(row_hashes(hands.sample_sha256), trained.val_row_hashes)
    assert set(hands.group[val_rows]) == set(result.val_groups)
    assert val_rows.sum() == result.n_val


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
