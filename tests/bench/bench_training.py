"""Epochs a second of our training loop, a plain DataLoader loop and scikit-learn, on the same made-up rows in one run.

`python tests/bench/bench_training.py [ROUNDS]`. The three take turns, so that a busy machine slows all of them; one
thread each. Reported is the best round of each, and the ratio of the medians.
"""

import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from asl.contracts import TrainingOptions
from asl.core.augmentation import augment
from asl.core.dataset import Dataset
from asl.core.features import compute_features
from asl.core.fitting import Fitting, reproducible

N_ROWS, N_CLASSES = 20_000, 26
HIDDEN = (256, 128, 64)


def make_rows() -> Dataset:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, N_CLASSES, N_ROWS)
    features = generator.standard_normal((N_CLASSES, 84))[labels] + generator.standard_normal((N_ROWS, 84))
    blank = np.full(N_ROWS, "")
    return Dataset(
        features=features.astype(np.float32),
        labels=labels,
        label_names=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        landmarks=None,
        world_landmarks=None,
        handedness=blank,
        group=blank,
        original=blank,
        sample_sha256=blank,
        image_size=np.zeros((N_ROWS, 2), np.int32),
    )


def ours(rows: Dataset, batch_size: int) -> Callable[[], None]:
    fitting = Fitting(rows, TrainingOptions(batch_size=batch_size, augment=False), "cpu")
    epoch = iter(range(1, 100))
    return lambda: fitting.run_epoch(next(epoch)) and None


def plain(rows: Dataset, batch_size: int) -> Callable[[], None]:
    """The loop of most tutorials: a DataLoader, PyTorch's own layers and optimizer, running loss and accuracy."""
    sizes, layers = (84, *HIDDEN), []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Dropout(0.3)]
    model = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], N_CLASSES)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-5)
    criterion = nn.CrossEntropyLoss()
    tensors = TensorDataset(torch.from_numpy(rows.features), torch.from_numpy(rows.labels))
    loader = DataLoader(tensors, batch_size=batch_size, shuffle=True)

    def epoch() -> None:
        total, n_right = 0.0, 0
        for features, labels in loader:
            optimizer.zero_grad()
            logits = model(features)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            n_right += (logits.argmax(1) == labels).sum().item()

    return epoch


def scikit(rows: Dataset, batch_size: int) -> Callable[[], None]:
    network = MLPClassifier(HIDDEN, batch_size=batch_size, max_iter=1, warm_start=True)
    return lambda: network.fit(rows.features, rows.labels) and None


def seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(rows: Dataset, batch_size: int, rounds: int) -> None:
    makers = {"ours": ours, "DataLoader": plain, "sklearn": scikit}
    runners = {name: make(rows, batch_size) for name, make in makers.items()}
    for run in runners.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            times[name].append(seconds(run))
    print(f"\nbatch size {batch_size}: {N_ROWS:,} x 84, {rounds} rounds in turn")
    for name, taken in times.items():
        # Round by round: what else runs on the machine comes and goes.
        ratio = median(theirs / our for theirs, our in zip(taken, times["ours"], strict=True))
        print(f"  {name:<11} {1 / min(taken):6.2f} epochs/s   ours is {ratio:4.2f} times as fast")


def measure_augmentation(rounds: int) -> None:
    landmarks = np.random.default_rng(0).random((N_ROWS, 21, 3), np.float32)
    sides, sizes, generator = np.zeros(N_ROWS, bool), np.full((N_ROWS, 2), 640, np.int32), np.random.default_rng(0)
    taken = min(seconds(lambda: compute_features(augment(landmarks, sizes, generator), sides)) for _ in range(rounds))
    print(f"\naugmentation and features of {N_ROWS:,} hands: {taken:.3f} s")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = make_rows()
    with reproducible(TrainingOptions(), "cpu"):
        for batch_size in (32, 512):
            measure(rows, batch_size, rounds)
        measure_augmentation(rounds)


if __name__ == "__main__":
    main()
