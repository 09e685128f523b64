"""Train the network that tells holds, moves and the strokes of J and Z apart, on films of hands that are nobody's."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from asl.contracts import Handedness
from asl.core.hand import LETTERS, Hand
from asl.core.lexicon import default_lexicon
from asl.core.motion import N_TRACE, N_WINDOW, Grid, Step, trace, windows
from asl.core.synthetic.films import FilmMaker, FoundFilm
from asl.core.synthetic.skeleton import rotation
from asl.core.synthetic.spelling import Speller
from asl.core.synthetic.timeline import Doing, Spelling

_TARGET: Final = Path(__file__).parents[2] / "shared" / "asl" / "assets" / "motion.npz"
_SEED: Final = 7
_N_SPELLED, _N_WANDERED, _N_HELD = 1000, 250, 250
_N_TESTED: Final = 90
_FPS_RANGE: Final = (8.0, 30.0)
_SIZES: Final = ((640, 480), (1280, 720), (480, 480))
_SHAPES_THAT_MOVE: Final = [*LETTERS, *"IIIIZZZZDDY"]
_LOOSENESS_RANGE_DEG: Final = (0.0, 14.0)
"""What hands do must not be told by which letters they show: those that people sign differ from ours."""
_TURN_SPREAD_DEG: Final = 15.0
_STRETCH_SPREAD: Final = 0.1
_HIDDEN: Final = (64, 32)
_DROPOUT: Final = 0.3
_EPSILON: Final = 1e-5
_EPOCHS: Final = 14
_BATCH: Final = 256
_LEARNING_RATE: Final = 2e-3
_UNKNOWN: Final = np.full((21, 3), np.nan, np.float32)


def main() -> None:
    """Train, test on other signers, and write the network."""
    torch.manual_seed(_SEED)
    torch.set_num_threads(1)
    rows, labels = _data(_SEED, _N_SPELLED, _N_WANDERED, _N_HELD)
    network = _fit(rows, labels)
    rows, labels = _data(_SEED + 1, _N_TESTED, _N_TESTED // 3, _N_TESTED // 3)
    with torch.inference_mode():
        guess = network(torch.from_numpy(rows.astype(np.float32))).argmax(dim=1).numpy()
    recall = {kind.name: round(float((guess[labels == kind] == kind).mean()), 3) for kind in Doing}
    sys.stdout.write(json.dumps({"n_steps": len(labels), "recall": recall}) + "\n")
    np.savez(_TARGET, allow_pickle=False, **_weights(network))


def _data(seed: int, *counts: int) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    rows, labels = [], []
    for n, (spelling, found) in enumerate(_films(seed, *counts)):
        steps = _steps_of(found, spelling)
        rows.append(windows(trace(steps)).astype(np.float16))
        labels.append(spelling.doing_at(np.array([step.time_ms / 1000 for step in steps])))
        if n % 200 == 0:
            sys.stderr.write(f"film {n} of {sum(counts)}\n")
    return np.concatenate(rows), np.concatenate(labels)


def _films(seed: int, n_spelled: int, n_wandered: int, n_held: int) -> Iterator[tuple[Spelling, FoundFilm]]:
    rng = np.random.default_rng(seed)
    text = _texts(rng)
    for n in range(n_spelled + n_wandered + n_held):
        speller, fps = Speller(rng, float(rng.uniform(*_LOOSENESS_RANGE_DEG))), float(rng.uniform(*_FPS_RANGE))
        maker = FilmMaker(rng, _SIZES[int(rng.integers(len(_SIZES)))])
        letter, seconds = str(rng.choice(_SHAPES_THAT_MOVE)), float(rng.uniform(1.0, 2.5))
        if n < n_spelled:
            spelling = speller.spell(next(text), fps)
        elif n < n_spelled + n_wandered:
            spelling = speller.wander(letter, seconds, fps)
        else:
            spelling = speller.hold(letter, seconds, fps)
        yield spelling, _turned(maker.find(spelling), rng)


def _turned(found: FoundFilm, rng: np.random.Generator) -> FoundFilm:
    """See the whole film from elsewhere, and a hand of other proportions: neither says what it does."""
    units = np.array([found.size[0], found.size[1], found.size[0]], np.float64)
    turn = np.eye(3)
    for axis in "xyz":
        turn = turn @ rotation(axis, float(rng.normal(0.0, _TURN_SPREAD_DEG)))
    turn *= np.exp(rng.normal(0.0, _STRETCH_SPREAD, 3))
    points = found.landmarks * units
    middle = points[:, 0].mean(axis=0)
    return replace(found, landmarks=(((points - middle) @ turn.T + middle) / units).astype(np.float32))


def _texts(rng: np.random.Generator) -> Iterator[str]:
    """Draw texts without end: words, and letters by chance, with more J, Z and repeats than English has."""
    words = [word for word in default_lexicon().words() if len(word) > 2]
    letters = [*LETTERS, *"JJJZZZ"]
    while True:
        text = (
            list(str(rng.choice(words))) if rng.random() < 0.5 else [str(letter) for letter in rng.choice(letters, 5)]
        )
        if rng.random() < 0.3:
            place = int(rng.integers(len(text)))
            text.insert(place, text[place])
        yield "".join(text[:9])


def _steps_of(found: FoundFilm, spelling: Spelling) -> list[Step]:
    """Bring a film's landmarks to the grid."""
    grid, steps = Grid(), []
    for place, time_s in enumerate(spelling.times_s):
        side = Handedness.LEFT if found.is_left[place] else Handedness.RIGHT
        hand = Hand(found.landmarks[place], _UNKNOWN, side, 1.0, 0.0, found.size)
        steps += grid.see(hand if found.is_found[place] else None, None, time_s * 1000)
    return steps


def _fit(rows: NDArray[np.float16], labels: NDArray[np.int64]) -> nn.Sequential:
    sizes = (N_WINDOW * N_TRACE, *_HIDDEN)
    layers: list[nn.Module] = [nn.BatchNorm1d(sizes[0], eps=_EPSILON, affine=False)]
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(_DROPOUT)]
    network = nn.Sequential(*layers, nn.Linear(sizes[-1], len(Doing)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=0.01)
    n_batches = len(labels) // _BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _EPOCHS * n_batches)
    inputs, answers = torch.from_numpy(rows), torch.from_numpy(labels)
    for epoch in range(_EPOCHS):
        total, order = 0.0, torch.randperm(len(labels))
        for batch in order[: n_batches * _BATCH].view(n_batches, _BATCH):
            loss = functional.cross_entropy(network(_varied(inputs[batch].float())), answers[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        sys.stderr.write(f"epoch {epoch + 1}: loss {total / n_batches:.4f}\n")
    return network.eval()


def _varied(batch: Tensor) -> Tensor:
    """Cut the end of some windows off: a film may end with the letter."""
    batch = batch.view(len(batch), N_WINDOW, N_TRACE)
    n_kept = torch.where(torch.rand(len(batch)) < 0.15, torch.randint(21, N_WINDOW, (len(batch),)), N_WINDOW)
    return (batch * (torch.arange(N_WINDOW) < n_kept[:, None])[..., None]).flatten(1)


def _weights(network: nn.Sequential) -> dict[str, NDArray[np.float16]]:
    """The layers' weights, the input's normalisation folded into the first."""
    normal = network[0]
    state = normal.state_dict()
    scale = torch.rsqrt(state["running_var"] + _EPSILON)
    weights = {}
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    for place, layer in enumerate(linear):
        w, b = layer.weight.detach(), layer.bias.detach()
        if not place:
            w = w * scale
            b = b - w @ state["running_mean"]
        weights |= {f"w{place}": w.T.numpy().astype(np.float16), f"b{place}": b.numpy().astype(np.float16)}
    return weights


if __name__ == "__main__":
    main()
