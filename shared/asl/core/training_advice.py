"""What the rows and the curves of a training that has ended call for."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from asl.core.advice import Advice, AdviceCode, of_dataset
from asl.core.dataset import concatenate
from asl.core.fitting import EpochMetrics
from asl.core.training_data import TrainingData
from asl.core.training_run import METRICS_FILE

_GAP: Final = 0.15
_LEARNT: Final = 0.85
_RISE: Final = 1.3
_LATE: Final = 0.95


def of_files(folder: Path, data: TrainingData, best_epoch: int) -> tuple[Advice, ...]:
    """Tell what to do about the rows, and about what the curves show.

    Args:
        folder: Where the training wrote `metrics.jsonl`.
        data: What was trained on.
        best_epoch: Whose weights were kept.
    """
    lines = (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    metrics = [EpochMetrics(**json.loads(line)) for line in lines]
    rows = concatenate([part for part in (data.train, data.validation) if len(part)])
    return (*of_dataset(rows), *of_training(metrics, best_epoch, data.options.epochs))


def of_training(metrics: Sequence[EpochMetrics], best_epoch: int, n_epochs: int) -> tuple[Advice, ...]:
    """Tell what the curves of a training show.

    Args:
        metrics: The epochs that were done, in order; the training's accuracy is that of altered rows, with dropout.
        best_epoch: Whose weights were kept.
        n_epochs: How many the training may have had, by whose end its learning rate falls to nothing.
    """
    best = next((entry for entry in metrics if entry.epoch == best_epoch), None)
    if best is None:
        return ()
    return tuple(_of_curves(metrics, best, n_epochs))


def _of_curves(metrics: Sequence[EpochMetrics], best: EpochMetrics, n_epochs: int) -> Iterator[Advice]:
    if best.val_accuracy is not None and best.train_accuracy - best.val_accuracy > _GAP:
        yield Advice(
            AdviceCode.OVERFITTING,
            f"Overfitting: the rows trained on are read at {best.train_accuracy:.0%}, those that validate at "
            f"{best.val_accuracy:.0%}.",
            "More signers help most; then --dropout 0.4 to 0.5, a larger --weight-decay, smaller --hidden-sizes.",
        )
    elif _has_risen(metrics):
        yield Advice(
            AdviceCode.OVERFITTING,
            "Overfitting: the validation loss rises again while the training loss falls.",
            "Fewer --epochs or a smaller --patience save time; --dropout 0.4 to 0.5 and more signers help.",
        )
    known = [best.train_accuracy] if best.val_accuracy is None else [best.train_accuracy, best.val_accuracy]
    if max(known) < _LEARNT:
        yield Advice(
            AdviceCode.UNDERFITTING,
            f"Underfitting: even the rows trained on are read at {best.train_accuracy:.0%} only.",
            "Larger --hidden-sizes, more --epochs, less --dropout, or another --learning-rate (0.0001, 0.001, 0.01); "
            "look whether the photographs show what their folders say.",
        )
    elif best.val_accuracy is not None and best.epoch == metrics[-1].epoch >= n_epochs and best.val_accuracy < _LATE:
        yield Advice(
            AdviceCode.UNFINISHED,
            f"Validation was still getting better in the last epoch, {best.epoch}.",
            "Train with more --epochs.",
        )


def _has_risen(metrics: Sequence[EpochMetrics]) -> bool:
    losses = [entry.val_loss for entry in metrics if entry.val_loss is not None]
    if not losses:
        return False
    lowest = int(np.argmin(losses))
    return losses[-1] > _RISE * losses[lowest] and metrics[-1].train_loss < metrics[lowest].train_loss
