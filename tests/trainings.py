"""Trainings that take seconds, and how two of them are compared."""

import json

import torch

from asl.cli import console
from asl.cli.main import app
from asl.contracts import TrainingOptions
from asl.core.training import train
from asl.core.training_data import prepare

QUICK = {"hidden_sizes": (16, 8), "epochs": 23, "batch_size": 16, "patience": 0}
GROUPS = ("ann", "bob", "cid")


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
