from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from trainings import losses, run, same_model

from asl.core import checkpoint as checkpoints
from asl.errors import Conflict, ModelInvalid


@pytest.fixture(scope="module")
def whole_of(hands, tmp_path_factory):
    """Train without a break, once for each kind of network; returns the folder of its files."""

    @cache
    def train(model_type):
        folder = tmp_path_factory.mktemp("whole")
        run(hands, folder, model_type=model_type)
        return folder

    return train


@pytest.mark.parametrize("model_type", ["v1", "v2"])
@pytest.mark.parametrize(
    ("checkpoint", "last"), [("checkpoint_epoch_10.pt", 11), ("best_model.pt", 17), ("latest", 14), ("latest", 22)]
)
def test_a_killed_and_resumed_run_ends_bit_identical(*, hands, tmp_path, whole_of, model_type, checkpoint, last):
    class Killed(BaseException):
        pass

    def kill(metrics):
        if metrics.epoch == last:
            raise Killed

    whole, broken = whole_of(model_type), tmp_path / "broken"
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
