"""Hands over time: whether a hand holds a letter, moves on, or draws J or Z; a network over a second of landmarks.

Hands are brought to a grid of 20 steps a second; numbers tell how palm, fingertips and shape have moved since the last
one, in palm sizes, and a network reads those of a window. Which letter a held hand shows is the classifier's matter.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from asl.contracts import Handedness
from asl.core.files import read_npz
from asl.core.hand import Hand, square_units
from asl.errors import DatasetInvalid, ModelInvalid

FloatArray = NDArray[np.float32]

STEP_MS: Final = 50.0
"""Of the grid: of a film of 8 frames a second each frame counts, and of one of 30 a stroke has a dozen steps."""
N_BEFORE, N_AFTER = 20, 8
"""Steps round the one that is read: a stroke takes up to 1.3 s, and a hold is known by what comes after."""
N_WINDOW: Final = N_BEFORE + 1 + N_AFTER
N_TRACE: Final = 23
"""Numbers of a step, see `describe`."""
BRIDGED_MS: Final = 300.0
"""A hand lost for no longer went on its way in between."""

MOVING, HOLDING, J, Z = range(4)
N_DOING: Final = 4
"""What a hand may be doing, in the order of the network's outputs."""

_PALM: Final = [0, 5, 9, 13, 17]
_TIPS: Final = [4, 8, 12, 16, 20]
_ENDS: Final = [*_TIPS, 4]
_ROOTS: Final = [2, 5, 9, 13, 17, 10]
_KNUCKLES: Final = [5, 9, 13, 17]
_AXES: Final = ([0, 0, 1], [1, 2, 2])
_LEAST_SIZE: Final = 1e-4
_LIMIT: Final = 4.0
"""Largest number of a step: a landmarker that jumps must not outweigh all else."""


class Step(NamedTuple):
    """One step of the grid."""

    points: FloatArray | None
    """(21, 3) float32: a right hand, in heights of the picture; None where there is no hand."""
    probabilities: FloatArray | None
    """(n_labels,): what the classifier says of it; None where there is no hand."""
    time_ms: float


class Grid:
    """Brings frames that come at any rate to steps of `STEP_MS`."""

    def __init__(self) -> None:
        """Begin with no frame."""
        self._last: Step | None = None
        self._next_ms = 0.0
        self._n_left = self._n_hands = 0

    def see(self, hand: Hand | None, probabilities: FloatArray | None, time_ms: float) -> Iterator[Step]:
        """Take in a frame.

        Args:
            hand: The hand in it; None where there is none.
            probabilities: (n_labels,) what the classifier says of the hand.
            time_ms: When the frame was taken, on a clock that does not go back.

        Yields:
            The steps up to this frame. Those after a hand was lost wait until it is back, or lost for good.
        """
        if hand is None:
            if self._last is not None and time_ms - self._last.time_ms > BRIDGED_MS:
                yield from self._without_hand(time_ms)
            return
        now = Step(self._right(hand), probabilities, time_ms)
        last = self._last
        if last is None or last.points is None or time_ms - last.time_ms > BRIDGED_MS:
            if last is not None:
                yield from self._without_hand(time_ms)
            else:
                self._next_ms = time_ms
        while self._next_ms <= time_ms:
            yield _between(self._last, now, self._next_ms)
            self._next_ms += STEP_MS
        self._last = now

    def _without_hand(self, time_ms: float) -> Iterator[Step]:
        while self._next_ms < time_ms:
            yield Step(None, None, self._next_ms)
            self._next_ms += STEP_MS
        self._last = Step(None, None, time_ms)

    def _right(self, hand: Hand) -> FloatArray:
        """The hand as a right one, by the side that was named most often so far: single frames name the wrong one."""
        self._n_hands += 1
        self._n_left += hand.handedness == Handedness.LEFT
        is_left = self._n_left * 2 > self._n_hands
        units = square_units(np.array([hand.image_size], np.int32))[0]
        return np.asarray(hand.landmarks * units * ((-1, 1, 1) if is_left else (1, 1, 1)), np.float32)


def _between(last: Step | None, now: Step, time_ms: float) -> Step:
    if last is None or last.points is None or now.points is None:
        return now._replace(time_ms=time_ms)
    share = np.float32((time_ms - last.time_ms) / max(now.time_ms - last.time_ms, 1e-6))
    points = last.points + share * (now.points - last.points)
    if last.probabilities is None or now.probabilities is None or len(last.probabilities) != len(now.probabilities):
        return Step(points, now.probabilities, time_ms)
    return Step(points, last.probabilities + share * (now.probabilities - last.probabilities), time_ms)


class Shape(NamedTuple):
    """What is measured of n right hands, as long in x as in y and z."""

    spots: FloatArray
    """(n, 3, 3): the middle of the palm, the index finger's tip, the little finger's."""
    frame: FloatArray
    """(n, 3, 3): unit vectors across the palm, along it, and out of it."""
    size: FloatArray
    """(n, 1): of the palm."""
    tips: FloatArray
    """(n, 5, 3): in the palm's frame and size."""
    stretched: FloatArray
    """(n, 6): how far the digits are stretched, and the thumb is from the middle finger, in palms."""


def measure(points: FloatArray) -> Shape:
    """Measure hands.

    Args:
        points: (n, 21, 3) float32: right hands, as long in x as in y and z.
    """
    wrist = points[:, :1]
    arms = points[:, _KNUCKLES] - wrist
    size = np.maximum(_norm(arms).mean(axis=1, keepdims=True), _LEAST_SIZE)
    along = _unit(arms.mean(axis=1))
    out = _unit(_cross(points[:, 5] - points[:, 17], along))
    frame = np.stack([_cross(along, out), along, out], axis=1)
    spots = np.stack([points[:, _PALM].mean(axis=1), points[:, 8], points[:, 20]], axis=1)
    tips = (points[:, _TIPS] - wrist) @ frame.transpose(0, 2, 1) / size[:, None]
    return Shape(spots, frame, size, tips, _norm(points[:, _ENDS] - points[:, _ROOTS]) / size)


def describe(now: Shape, before: Shape) -> FloatArray:
    """Tell how hands moved in one step.

    Args:
        now: n hands.
        before: The same hands one step earlier; as `now` where they were not seen.

    Returns:
        (n, 23) float32, about 1 in size: 1 for a hand; the movements of palm, index tip and little finger's tip in x
        and y; how the palm turned about its own axes; how far each digit is stretched; how far each tip moved in the
        palm's frame; how much the palm turned and grew; how far the thumb is from the middle finger. Which way the
        hand points is not among them: a network takes it for a habit of letters.
    """
    count = len(now.size)
    moved = (now.spots - before.spots)[:, :, :2].reshape(count, 6)
    turn = now.frame @ before.frame.transpose(0, 2, 1)
    parts = [
        np.ones((count, 1), np.float32),
        5 * moved / now.size,
        3 * (turn - turn.transpose(0, 2, 1))[:, _AXES[0], _AXES[1]],
        now.stretched[:, :-1],
        5 * _norm(now.tips - before.tips),
        3 * _norm(now.frame - before.frame).mean(axis=1, keepdims=True),
        5 * np.log(now.size / before.size),
        now.stretched[:, -1:],
    ]
    return np.asarray(np.clip(np.concatenate(parts, axis=1), -_LIMIT, _LIMIT), np.float32)


def trace(steps: Sequence[Step]) -> FloatArray:
    """Describe all steps of a film at once: (n, 23) float32, zeros where there is no hand."""
    rows = np.zeros((len(steps), N_TRACE), np.float32)
    seen = [place for place, step in enumerate(steps) if step.points is not None]
    if seen:
        now = measure(np.array([steps[place].points for place in seen]))
        was_seen = {place: number for number, place in enumerate(seen)}
        before = [was_seen.get(place - 1, number) for number, place in enumerate(seen)]
        rows[seen] = describe(now, Shape(*(part[before] for part in now)))
    return rows


def windows(rows: FloatArray) -> FloatArray:
    """Put the steps of a film side by side as the network reads them.

    Args:
        rows: (n, 23) float32, as `trace` gives them.

    Returns:
        (n, 29 * 23) float32: a window round each step; what lies beyond the film's ends is zero.
    """
    padded = np.pad(rows, ((N_BEFORE, N_AFTER), (0, 0)))
    return np.ascontiguousarray(sliding_window_view(padded, N_WINDOW, axis=0).transpose(0, 2, 1)).reshape(len(rows), -1)


class MotionModel:
    """The network; any number of threads may use one."""

    def __init__(self, weights: dict[str, FloatArray]) -> None:
        """Take its weights: of each layer w (n_in, n_out) and b (n_out,)."""
        self._layers = [(weights[f"w{i}"], weights[f"b{i}"]) for i in range(len(weights) // 2)]

    def doing(self, rows: FloatArray) -> FloatArray:
        """Compute what hands do.

        Args:
            rows: (n, 29 * 23) float32 windows.

        Returns:
            (n, 4) float32 that sum to 1: moving, holding, drawing J, drawing Z.
        """
        values = rows
        for weights, bias in self._layers[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = self._layers[-1]
        scores = values @ weights + bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)


class MotionReader:
    """Follows one hand through a film or a stream."""

    def __init__(self, model: MotionModel) -> None:
        """Begin with no frame."""
        self._model = model
        self._grid = Grid()
        self._rows: deque[FloatArray] = deque([_NOTHING] * (N_WINDOW - 1), maxlen=N_WINDOW)
        self._steps: deque[Step] = deque(maxlen=N_AFTER + 1)
        self._before: Shape | None = None

    def see(self, hand: Hand | None, probabilities: FloatArray | None, time_ms: float) -> list[tuple[Step, FloatArray]]:
        """Take in a frame; see `Grid.see`.

        Returns:
            The steps whose windows are full by now, each with (4,) what the hand did: some 0.4 s ago.
        """
        return [read for step in self._grid.see(hand, probabilities, time_ms) for read in self._take(step)]

    def end(self) -> list[tuple[Step, FloatArray]]:
        """Read the last steps, after which nothing came."""
        return [read for _ in range(N_AFTER) for read in self._take(None)]

    def _take(self, step: Step | None) -> Iterator[tuple[Step, FloatArray]]:
        if step is None or step.points is None:
            self._before = None
            self._rows.append(_NOTHING)
        else:
            now = measure(step.points[None])
            self._rows.append(describe(now, self._before or now)[0])
            self._before = now
        self._steps.append(step or _NO_STEP)
        if len(self._steps) > N_AFTER and self._steps[0] is not _NO_STEP:
            yield self._steps[0], self._model.doing(np.concatenate(self._rows)[None])[0]


def load_motion(path: Path | None = None) -> MotionModel:
    """Load the network.

    Args:
        path: An .npz file of `make starter`; None for the one that comes with the package.

    Raises:
        NotFound: There is no such file.
        ModelInvalid: The file is no such network.
    """
    path = path or Path(str(resources.files("asl.assets") / "motion.npz"))
    try:
        model = MotionModel({name: array.astype(np.float32) for name, array in read_npz(path).items()})
        model.doing(np.zeros((1, N_WINDOW * N_TRACE), np.float32))
    except (DatasetInvalid, ValueError, KeyError, IndexError) as error:
        raise ModelInvalid(f"{path}: expected a motion model, found another file") from error
    return model


_NOTHING: Final = np.zeros(N_TRACE, np.float32)
_NO_STEP: Final = Step(None, None, -1.0)


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    ahead, behind = [1, 2, 0], [2, 0, 1]
    return first[:, ahead] * second[:, behind] - first[:, behind] * second[:, ahead]


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(_norm(vectors), np.float32(_LEAST_SIZE))[..., None], np.float32)


def _norm(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((vectors * vectors).sum(axis=-1)), np.float32)
