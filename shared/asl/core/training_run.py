"""One training under way: its epochs, its best model so far, and the files that it leaves behind."""

import json
import math
import re
import tempfile
import time
from dataclasses import asdict, replace
from math import nan
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from asl.core import checkpoint as checkpoints
from asl.core.augmentation import DEFAULT_STRENGTHS
from asl.core.calibration import fit_temperature
from asl.core.checkpoint import Checkpoint
from asl.core.curves import write_curves
from asl.core.dataset import Dataset
from asl.core.fitting import EpochMetrics, Fitting, compute_logits
from asl.core.sample_hashes import row_hashes
from asl.core.training_data import TrainingData
from asl.core.weights import State
from asl.errors import ModelInvalid, OptionsInvalid

BEST_FILE: Final = "best_model.pt"
FINAL_FILE: Final = "final_model.pt"
METRICS_FILE: Final = "metrics.jsonl"
CONFIG_FILE: Final = "config.json"
CURVES_FILE: Final = "training_curves.png"

CHECKPOINT_EVERY: Final = 10
"""Epochs between two files `checkpoint_epoch_N.pt`."""

_CHECKPOINT_NAME: Final = re.compile(r"checkpoint_epoch_\d+\.pt")


class TrainingRun:
    """One training under way; call within `reproducible`."""

    def __init__(self, data: TrainingData, device: str, folder: Path) -> None:
        self.data, self.device, self.folder = data, device, folder
        self.notices = list(data.notices)
        self.fitting = Fitting(data.train, data.options, device)
        self.train_row_hashes = _hashes_of(data.train)
        self.val_row_hashes = _hashes_of(data.validation)
        self.epoch = 0
        self.metrics: list[EpochMetrics] = []
        self.val_accuracy, self.val_loss = 0.0, math.inf
        self._best: Checkpoint | None = None

    @property
    def best(self) -> Checkpoint:
        """The best epoch so far."""
        return self._best or self._now()

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or validation has not improved for too long."""
        options = self.data.options
        is_stale = options.patience > 0 and self.epoch - self.best.epoch >= options.patience
        return is_stale or self.epoch >= options.epochs

    def begin(self, keep: Path | None = None) -> None:
        """Write the files that a training starts with, and remove `checkpoint_epoch_N.pt` of older trainings.

        Args:
            keep: A checkpoint that is not removed.
        """
        _make_folder(self.folder)
        for path in self.folder.glob("checkpoint_epoch_*.pt"):
            if _CHECKPOINT_NAME.fullmatch(path.name) and not (keep and path.samefile(keep)):
                path.unlink()
        self._write_start()

    def resume(self, before: Checkpoint, metrics: list[EpochMetrics]) -> None:
        """Go back to where a checkpoint left off, and write the files that a training starts with.

        Args:
            before: The checkpoint.
            metrics: The epochs that led to it.

        Raises:
            ModelInvalid: The state of the training in the checkpoint does not fit.
        """
        self.metrics = metrics
        self._restore(before)
        _make_folder(self.folder)
        checkpoints.save(self.best, self.folder / BEST_FILE)
        self._write_start()

    def advance(self) -> EpochMetrics:
        """Train and judge one epoch, and write what it came to.

        Raises:
            OptionsInvalid: The loss is no longer finite.
        """
        started = time.perf_counter()
        self.epoch += 1
        train_loss, train_accuracy = self.fitting.run_epoch(self.epoch)
        validates = len(self.data.validation) > 0
        self.val_loss, self.val_accuracy = self.fitting.judge(self.data.validation) if validates else (nan, nan)
        losses = (train_loss, self.val_loss) if validates else (train_loss,)
        if not all(math.isfinite(loss) for loss in losses):
            raise OptionsInvalid(
                f"training diverged: the loss of epoch {self.epoch} is {losses[-1]}",
                hint=f"Lower --learning-rate (now {self.data.options.learning_rate:g}).",
            )
        entry = EpochMetrics(
            epoch=self.epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            val_loss=self.val_loss if validates else None,
            val_accuracy=self.val_accuracy if validates else None,
            learning_rate=self.fitting.learning_rate(self.epoch),
            seconds=time.perf_counter() - started,
        )
        self._record(entry)
        return entry

    def finish(self) -> None:
        """Fit the temperatures, and write the two models and the curves."""
        final = self._checkpoint()  # first, since building networks draws from the generator
        self._best = self._tempered(self.best)
        checkpoints.save(self._best, self.folder / BEST_FILE)
        checkpoints.save(self._tempered(final), self.folder / FINAL_FILE)
        if self.metrics:
            write_curves(self.metrics, self._best.epoch, self.folder / CURVES_FILE)

    def write_checkpoint(self, path: Path) -> None:
        """Write all that is needed to go on from the last epoch, atomically; `METRICS_FILE` belongs beside it."""
        checkpoints.save(self._checkpoint(), path)

    def _write_start(self) -> None:
        lines = "".join(json.dumps(entry.as_dict()) + "\n" for entry in self.metrics)
        (self.folder / METRICS_FILE).write_text(lines, encoding="utf-8")
        (self.folder / CONFIG_FILE).write_text(json.dumps(self._config(), indent=2) + "\n", encoding="utf-8")

    def _restore(self, before: Checkpoint) -> None:
        self.epoch, self.val_accuracy, self.val_loss = before.epoch, before.val_accuracy, before.val_loss
        # A copy, since the optimizer goes on writing into what it was given.
        self._best = checkpoints.from_payload(before.best or checkpoints.to_payload(before))
        try:
            self.fitting.model.load_state_dict(dict(before.model_state_dict))
            _restore_optimizer(self.fitting.optimizer, before.optimizer_state_dict)
            torch.set_rng_state(before.rng_states["cpu"])
            if self.device == "cuda" and "cuda" in before.rng_states:
                torch.cuda.set_rng_state(before.rng_states["cuda"])
        # Of a file made by hand PyTorch raises many types, and documents none of them.
        except Exception as error:
            raise ModelInvalid(
                f"expected the state of this training in the checkpoint, found another ({type(error).__name__})",
                hint="Take its layers over with --pretrained-path instead.",
            ) from error

    def _record(self, entry: EpochMetrics) -> None:
        self.metrics.append(entry)
        if self._is_better(entry):
            # A copy, since the optimizer goes on writing into the weights.
            self._best = checkpoints.from_payload(checkpoints.to_payload(self._now()))
            checkpoints.save(self._best, self.folder / BEST_FILE)
        if self.epoch % CHECKPOINT_EVERY == 0:
            self.write_checkpoint(self.folder / f"checkpoint_epoch_{self.epoch}.pt")
        with (self.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry.as_dict()) + "\n")

    def _is_better(self, entry: EpochMetrics) -> bool:
        if self._best is None or entry.val_accuracy is None or entry.val_loss is None:
            return True  # where nothing validates, the last epoch is the one to keep
        # Between equal accuracies the loss decides, which says more where validation is small.
        return (entry.val_accuracy, -entry.val_loss) > (self._best.val_accuracy, -self._best.val_loss)

    def _tempered(self, done: Checkpoint) -> Checkpoint:
        if self.data.options.temperature:
            return replace(done, temperature=self.data.options.temperature)
        validation = self.data.validation
        logits = compute_logits(checkpoints.restore_model(done), validation.features)
        return replace(done, temperature=fit_temperature(logits, torch.from_numpy(validation.labels)))

    def _checkpoint(self) -> Checkpoint:
        """Return all that is needed to go on from here."""
        is_best = self.best.epoch == self.epoch
        return replace(self._now(), best=None if is_best else checkpoints.to_payload(self.best))

    def _now(self) -> Checkpoint:
        """Describe this moment, with the living tensors."""
        options, rng_states = self.data.options, {"cpu": torch.get_rng_state()}
        if self.device == "cuda":
            rng_states["cuda"] = torch.cuda.get_rng_state()
        return Checkpoint(
            epoch=self.epoch,
            model_state_dict=self.fitting.model.state_dict(),
            model_config=self.fitting.model.config,
            label_names=self.data.train.label_names,
            feature_schema=self.data.train.feature_schema,
            unsure_below=options.unsure_below,
            not_a_letter_below=options.not_a_letter_below,
            val_accuracy=self.val_accuracy,
            optimizer_state_dict=self.fitting.optimizer.state_dict(),
            val_loss=self.val_loss,
            train_row_hashes=self.train_row_hashes,
            val_row_hashes=self.val_row_hashes,
            scheduler_state_dict={"last_epoch": self.epoch, "last_lr": self.fitting.learning_rate(self.epoch)},
            rng_states=rng_states,
            sampler={"seed": options.seed, "epoch": self.epoch + 1, "position": 0},
            training_options=options.model_dump(mode="json"),
            data_digest=self.data.data_digest,
            split_digest=self.data.split_digest,
        )

    def _config(self) -> dict[str, Any]:
        data = self.data
        return {
            "options": data.options.model_dump(mode="json"),
            "augmentation": asdict(DEFAULT_STRENGTHS) if data.options.augment else None,
            "device": self.device,
            "torch": torch.__version__,
            "feature_schema": data.train.feature_schema,
            "label_names": list(data.train.label_names),
            "model": self.fitting.model.config,
            "split": {
                "by": data.split.by,
                "val_groups": list(data.split.val_groups),
                "n_train": len(data.train),
                "n_val": len(data.validation),
                "digest": data.split_digest,
            },
            "data_digest": data.data_digest,
            "notices": self.notices,
        }


def _restore_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Load an optimizer's state, and check what loading does not.

    Raises:
        ValueError: It is not of the same parameters and settings; PyTorch raises other types too.
    """
    settings = _settings(optimizer)
    optimizer.load_state_dict(dict(state))
    if _settings(optimizer) != settings:
        raise ValueError("other settings")
    for parameter in optimizer.param_groups[0]["params"]:
        moments = optimizer.state[parameter]
        shapes = {name: moments[name].shape for name in ("exp_avg", "exp_avg_sq", "step")}
        if shapes != {"exp_avg": parameter.shape, "exp_avg_sq": parameter.shape, "step": torch.Size()}:
            raise ValueError("moments of other shapes")


def _settings(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    changing = {"params", "lr"}
    return [{name: group[name] for name in group if name not in changing} for group in optimizer.param_groups]


def _hashes_of(rows: Dataset) -> Tensor:
    return torch.from_numpy(np.unique(row_hashes(rows.sample_sha256)))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionsInvalid(
            f"expected a folder to write to at {folder}, found {error.strerror or error}",
            hint="Choose another --output-dir.",
        ) from error
