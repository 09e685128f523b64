"""The epochs of training: rows in memory and a network to the network's weights.

There is no DataLoader: rows that fit in memory are put in order once an epoch and cut into batches, and nothing is read
back from the device before the epoch's end.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.adamw import adamw

from asl.contracts import TrainingOptions
from asl.core import non_letters
from asl.core.augmentation import augment, blend, mistake_sides
from asl.core.dataset import Dataset
from asl.core.features import compute_features
from asl.core.model import ASLClassifier, build_model
from asl.errors import OutOfMemory

Loss = Callable[[Tensor, Tensor], Tensor]

NO_LETTER: Final = -1
"""Label of hands that are none."""

_NON_LETTER_WEIGHT: Final = 0.5
"""Of a hand that is no letter in the loss, where one that is has 1."""


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch came to; accuracies in [0, 1]."""

    epoch: int
    """From 1."""
    train_loss: float
    train_accuracy: float
    """Of the altered rows, with dropout, while the weights still moved."""
    val_loss: float | None
    """None where nothing validates."""
    val_accuracy: float | None
    learning_rate: float
    seconds: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the metrics as plain values."""
        return asdict(self)


class Fitting:
    """A network in training, and its optimizer; call within `reproducible`."""

    def __init__(self, data: Dataset, options: TrainingOptions, device: str) -> None:
        """Take the rows to train on.

        Args:
            data: At least two rows, with landmarks where `options.augment` is set.
            options: How to train.
            device: 'cpu' or 'cuda'.
        """
        self._data, self._options, self._device = data, options, device
        self._loss = _make_loss(data, options, device)
        self.model = build_model(
            {
                "model_type": options.model_type,
                "input_size": data.features.shape[1],
                "num_classes": len(data.label_names),
                "hidden_sizes": options.hidden_sizes,
                "dropout_rate": options.dropout,
                "normalise_input": options.normalise_input,
            }
        ).to(device)
        # One kernel for all weights: the plain loop over them is a fifth of a step at batch size 32.
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )

    def learning_rate(self, epoch: int) -> float:
        """Tell the rate of an epoch, from 1: half a cosine over all epochs (Loshchilov and Hutter 2017, "SGDR")."""
        options = self._options
        return options.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / options.epochs))

    def run_epoch(self, epoch: int) -> tuple[float, float]:
        """Train on every row once.

        Args:
            epoch: From 1. Order and alteration of the rows depend on it and on the seed alone, so that an epoch can be
                run again.

        Returns:
            Loss and accuracy, means over the rows; the accuracy leaves out hands that are no letters.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch)
        features, labels = self._drawn(np.random.default_rng([self._options.seed, epoch]))
        self.model.train()
        parameters = list(self.model.parameters())
        step: Callable[[], object] = self.optimizer.step
        losses, scores = [], []
        for start, stop in batches(len(labels), self._options.batch_size):
            logits = self.model(features[start:stop])
            loss = self._loss(logits, labels[start:stop])
            torch.autograd.backward(loss)
            step()
            if step == self.optimizer.step:  # which has made the state that further steps gather once
                step = _gathered_step(self.optimizer)
            for parameter in parameters:  # as `zero_grad` does, which costs as much as a small layer
                parameter.grad = None
            losses.append(loss.detach())
            scores.append(logits.detach())
        is_letter = labels != NO_LETTER
        is_right = (torch.cat(scores).argmax(dim=1) == labels)[is_letter]
        sizes = torch.tensor([len(part) for part in scores], device=self._device)
        return float((torch.stack(losses) * sizes).sum() / len(labels)), float(is_right.float().mean())

    def judge(self, data: Dataset) -> tuple[float, float]:
        """Measure loss and accuracy on other rows, at least one."""
        logits, labels = compute_logits(self.model, data.features), torch.from_numpy(data.labels)
        is_right = logits.argmax(dim=1) == labels
        return float(functional.cross_entropy(logits, labels)), float(is_right.float().mean())

    def _drawn(self, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        data, order = self._data, generator.permutation(len(self._data))
        features = data.features[order]
        if self._options.augment and data.landmarks is not None:
            is_left, size = data.is_left[order], data.image_size[order]
            hands = blend(data.landmarks[order], is_left, size, data.labels[order], generator)
            sides = mistake_sides(is_left, generator)
            features = compute_features(augment(hands, size, generator), sides, size, data.feature_schema)
        labels = data.labels[order]
        if count := round(self._options.non_letter_share * len(data)):
            others = self._drawn_non_letters(count, generator)
            order = generator.permutation(len(features) + len(others))
            features = np.concatenate([features, others])[order]
            labels = np.concatenate([labels, np.full(len(others), NO_LETTER)])[order]
        return torch.from_numpy(features).to(self._device), torch.from_numpy(labels).to(self._device)

    def _drawn_non_letters(self, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
        hands = non_letters.draw(self._data, count, generator)
        sides, size = np.zeros(len(hands), np.bool_), np.ones((len(hands), 2), np.int32)
        if self._options.augment:
            hands = augment(hands, size, generator)
            sides = mistake_sides(sides, generator)
        return compute_features(hands, sides, size, self._data.feature_schema)


def compute_logits(model: ASLClassifier, features: NDArray[np.float32], batch_size: int = 4096) -> Tensor:
    """Score rows in evaluation mode.

    Args:
        model: On any device; it is left in evaluation mode.
        features: (n, n_features) float32.
        batch_size: Rows at a time, which bounds the memory used.

    Returns:
        (n, classes) float32 on the CPU.
    """
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        parts = [model(part.to(device)).cpu() for part in torch.split(torch.from_numpy(features), batch_size)]
    return torch.cat(parts).clone()


def batches(n_rows: int, batch_size: int) -> Iterator[tuple[int, int]]:
    """Cut rows into batches; a last batch of one row joins the one before, since BatchNorm needs two."""
    starts = list(range(0, n_rows, batch_size))
    if n_rows % batch_size == 1 and len(starts) > 1:
        starts.pop()
    return zip(starts, [*starts[1:], n_rows], strict=True)


@contextmanager
def reproducible(options: TrainingOptions, device: str) -> Iterator[None]:
    """Seed PyTorch for a training of its own, give back its state after, and translate running out of memory.

    On a CPU it runs on one thread: sums over several would depend on the number of cores, and networks of this size
    gain little from a second (none where other work runs beside).
    """
    n_threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device == "cuda" else []):
            torch.manual_seed(options.seed)
            torch.set_num_threads(1)
            yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(
            f"{device} ran out of memory at batch size {options.batch_size} and hidden sizes "
            f"{' '.join(map(str, options.hidden_sizes))}",
            hint=f"Lower --batch-size (try {max(2, options.batch_size // 2)}) or --hidden-sizes, or use --device cpu.",
        ) from error
    finally:
        torch.set_num_threads(n_threads)


def _gathered_step(optimizer: torch.optim.AdamW) -> Callable[[], None]:
    """Return a step whose tensors are gathered once, for the rest of an epoch.

    The optimizer's own gathers them anew and runs hooks, a tenth of a training step at batch size 32; the numbers are
    the same.
    """
    group = optimizer.param_groups[0]
    parameters = group["params"]
    state = [optimizer.state[parameter] for parameter in parameters]
    means, squares, counts = ([entry[name] for entry in state] for name in ("exp_avg", "exp_avg_sq", "step"))

    def step() -> None:
        adamw(
            parameters,
            [parameter.grad for parameter in parameters],
            means,
            squares,
            [],
            counts,
            foreach=False,
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )

    return step


def _make_loss(data: Dataset, options: TrainingOptions, device: str) -> Loss:
    weights = None
    if options.use_class_weights:
        counts = np.bincount(data.labels, minlength=len(data.label_names))
        balanced = len(data) / np.maximum(counts, 1) / np.count_nonzero(counts)
        weights = torch.from_numpy(np.where(counts, balanced, 0).astype(np.float32)).to(device)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, weights, label_smoothing=options.label_smoothing)

    if not options.non_letter_share:
        return loss
    n_labels = len(data.label_names)
    even = torch.full((1, n_labels), _NON_LETTER_WEIGHT / n_labels)
    # The last row is that of NO_LETTER, -1.
    targets = torch.cat([torch.eye(n_labels), even]).to(device)
    return lambda logits, labels: loss(logits, targets[labels])
