"""A data set to a trained model in a folder, from the start, from other weights, or from where a training stopped."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from torch import Tensor

from asl.contracts import TrainingOptions
from asl.core import checkpoint as checkpoints
from asl.core.checkpoint import Checkpoint
from asl.core.fitting import EpochMetrics, reproducible
from asl.core.model import ASLClassifier
from asl.core.training_data import TrainingData
from asl.core.training_run import BEST_FILE, METRICS_FILE, TrainingRun
from asl.errors import Conflict, ModelInvalid, OptionsInvalid

_MAY_CHANGE: Final = frozenset({"epochs", "patience"})
"""Options with which a training may go on otherwise than it began: how long it takes, not what it is."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to."""

    output_dir: Path
    best_model: Path
    epochs_done: int
    best_epoch: int
    val_accuracy: float | None
    """Of the best epoch, in [0, 1]; None where nothing validated."""
    temperature: float
    """Of the best epoch's model."""
    stopped_early: bool
    """Whether validation no longer improved before all epochs were done."""
    resumed_epoch: int
    """Epochs that were done before; 0 for a training from the start."""
    n_train: int
    n_val: int
    split_by: str
    val_groups: tuple[str, ...]
    notices: tuple[str, ...]
    seconds: float


def train(
    data: TrainingData,
    *,
    device: str,
    output_dir: Path,
    pretrained: Path | None = None,
    resume: Path | None = None,
    on_notice: Callable[[str], None] = lambda _: None,
    on_epoch: Callable[[EpochMetrics], None] = lambda _: None,
    after_epoch: Callable[[TrainingRun], None] = lambda _: None,
) -> TrainingResult:
    """Train a classifier and write it.

    Writes `best_model.pt` whenever validation is better than before, `checkpoint_epoch_N.pt` every ten epochs,
    `metrics.jsonl`, `config.json`, and at the end `final_model.pt` and `training_curves.png`. From any of these models
    training can go on; on a CPU it then ends with the same weights, bit for bit, as if it had never stopped. A training
    from the start removes `checkpoint_epoch_N.pt` of older ones in the folder, except for `pretrained`.

    Args:
        data: See `asl.core.training_data.prepare`.
        device: 'cpu' or 'cuda'.
        output_dir: Folder for the files; made where it is not there.
        pretrained: Model whose layers are taken over where name and shape fit.
        resume: Checkpoint of a training with the same data and options, to go on from.
        on_notice: Told what the user must know, before the first epoch.
        on_epoch: Told each epoch's metrics.
        after_epoch: Given the training after each epoch, to write a checkpoint; what it raises ends the training.

    Raises:
        NotFound: `pretrained` or `resume` does not exist.
        ModelInvalid: `pretrained` or `resume` is no checkpoint, or the state of the training in it does not fit.
        OptionsInvalid: Both `pretrained` and `resume` are given, or nothing may be written to `output_dir`.
        Conflict: `resume` was made with other data or options.
        OutOfMemory: The device ran out of memory.
    """
    if pretrained and resume:
        raise OptionsInvalid(
            "expected --pretrained-path or --resume, found both", hint="A resumed training needs none."
        )
    began = time.monotonic()
    before = _checked_resume(resume, data) if resume else None
    source = checkpoints.load(pretrained) if pretrained else None
    with reproducible(data.options, device):
        run = TrainingRun(data, device, output_dir)
        run.notices += _transfer(source, run.fitting.model, data.train.label_names) if source else []
        run.notices += _epochs_notice(before, data.options.epochs) if before else []
        for notice in run.notices:
            on_notice(notice)
        if resume and before:
            run.resume(before, _read_metrics(resume, before.epoch))
        else:
            run.begin(keep=pretrained)
        while not run.is_over:
            on_epoch(run.advance())
            after_epoch(run)
        run.finish()
    return TrainingResult(
        output_dir=output_dir.resolve(),
        best_model=(output_dir / BEST_FILE).resolve(),
        epochs_done=run.epoch,
        best_epoch=run.best.epoch,
        val_accuracy=run.best.val_accuracy if len(data.validation) else None,
        temperature=run.best.temperature,
        stopped_early=run.epoch < data.options.epochs,
        resumed_epoch=before.epoch if before else 0,
        n_train=len(data.train),
        n_val=len(data.validation),
        split_by=data.split.by,
        val_groups=data.split.val_groups,
        notices=tuple(run.notices),
        seconds=time.monotonic() - began,
    )


def resumed_options(path: Path) -> TrainingOptions:
    """Read the options with which a checkpoint's training began.

    Raises:
        NotFound: There is no such file.
        ModelInvalid: The file is no checkpoint.
        Conflict: The checkpoint does not say, so that its training cannot go on.
    """
    return _options_of(checkpoints.load(path), path)


def _options_of(before: Checkpoint, path: Path) -> TrainingOptions:
    try:
        if before.training_options and "cpu" in before.rng_states and before.optimizer_state_dict:
            return TrainingOptions.model_validate(before.training_options)
    except ValidationError:  # of another version of ours
        pass
    raise Conflict(
        f"{path}: expected a checkpoint with the state of its training, found only a model",
        hint="Take its layers over with --pretrained-path instead.",
    )


def _checked_resume(path: Path, data: TrainingData) -> Checkpoint:
    before = checkpoints.load(path)
    old, new = _options_of(before, path).model_dump(), data.options.model_dump()
    differing = sorted(name for name in new if name not in _MAY_CHANGE and old[name] != new[name])
    if differing:
        found = ", ".join(f"{name} {new[name]} instead of {old[name]}" for name in differing)
        raise Conflict(f"expected the options of {path}, found {found}", hint="Leave them out to go on as it began.")
    if (before.data_digest, before.split_digest) != (data.data_digest, data.split_digest):
        raise Conflict(
            f"expected the data that {path} was trained on, found other data",
            hint="Give the same files in the same order, or start with --pretrained-path.",
        )
    checkpoints.restore_model(before)
    if before.best is not None:
        best = checkpoints.from_payload(before.best)
        checkpoints.restore_model(best)
        if (best.label_names, best.model_config) != (before.label_names, before.model_config):
            raise ModelInvalid(f"{path}: expected the best epoch of the same training, found another network's")
    return before


def _epochs_notice(before: Checkpoint, epochs: int) -> list[str]:
    epochs_before = TrainingOptions.model_validate(before.training_options).epochs
    notice = (
        f"{epochs} epochs instead of {epochs_before}: the learning rate, half a cosine over all epochs, jumps here, and"
        " the result equals no unbroken training"
    )
    return [notice] if epochs != epochs_before else []


def _read_metrics(path: Path, last_epoch: int) -> list[EpochMetrics]:
    """Read what was written beside a checkpoint, up to its epoch."""
    file = path.parent / METRICS_FILE
    if not file.is_file():
        return []
    # A killed run may leave half a line, but only after the checkpoint's epoch or as the last one.
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return [EpochMetrics(**entry) for entry in entries if entry["epoch"] <= last_epoch]


def _transfer(source: Checkpoint, model: ASLClassifier, label_names: tuple[str, ...]) -> list[str]:
    """Take over the layers whose tensors all fit, and tell what happened."""
    own = model.state_dict()
    layers = {name.rpartition(".")[0] for name in own}
    last = next(reversed(own)).rpartition(".")[0]
    fitting = {layer for layer in layers if _fits(layer, source, own)}
    if source.label_names != label_names:  # the same shape, but other letters
        fitting.discard(last)
    taken = {name: source.model_state_dict[name] for name in own if name.rpartition(".")[0] in fitting}
    model.load_state_dict({**own, **taken})
    left = sorted(layers - fitting)
    return [
        f"took over {len(fitting)} of {len(layers)} layers"
        + (f"; others start anew: {', '.join(left)}" if left else "")
    ]


def _fits(layer: str, source: Checkpoint, own: Mapping[str, Tensor]) -> bool:
    names = [name for name in own if name.rpartition(".")[0] == layer]
    theirs = source.model_state_dict
    return all(name in theirs and theirs[name].shape == own[name].shape for name in names)
