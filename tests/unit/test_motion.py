"""Hands over time: the grid of steps, what is told of each, and films of hands that are nobody's."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl.contracts import Handedness
from asl.core.hand import Hand
from asl.core.motion import (
    BRIDGED_MS,
    N_AFTER,
    N_DOING,
    N_TRACE,
    N_WINDOW,
    STEP_MS,
    Grid,
    MotionModel,
    MotionReader,
    Step,
    describe,
    measure,
    trace,
    windows,
)
from asl.core.synthetic.films import FilmMaker
from asl.core.synthetic.signers import sample_landmarks
from asl.core.synthetic.skeleton import rotation
from asl.core.synthetic.spelling import Speller
from asl.core.synthetic.timeline import ANGLES, PLACE, Doing

POINTS = sample_landmarks("I", np.random.default_rng(1)) * 2 + 0.5
UNKNOWN = np.full((21, 3), np.nan, np.float32)
SURE = np.array([1.0, 0.0], np.float32)


def hand(x=0.0, side=Handedness.RIGHT, points=POINTS):
    return Hand((points + np.array([x, 0, 0])).astype(np.float32), UNKNOWN, side, 1.0, 0.0, (480, 480))


def steps_of(frames):
    """Bring (milliseconds, hand or None) frames to the grid."""
    grid = Grid()
    return [step for time_ms, found in frames for step in grid.see(found, SURE if found else None, time_ms)]


def model(seed=1):
    rng = np.random.default_rng(seed)
    sizes = (N_WINDOW * N_TRACE, 8, N_DOING)
    weights = {f"w{i}": rng.normal(0, 0.1, pair).astype(np.float32) for i, pair in enumerate(pairwise(sizes))}
    return MotionModel(weights | {f"b{i}": np.zeros(size, np.float32) for i, size in enumerate(sizes[1:])})


@pytest.mark.parametrize("fps", [8, 15, 30, 120])
def test_steps_are_equally_far_apart_whatever_the_frame_rate(fps):
    times = np.arange(0, 1001, 1000 / fps)
    steps = steps_of([(time_ms, hand(time_ms / 1000)) for time_ms in times])
    assert [step.time_ms for step in steps] == [STEP_MS * n for n in range(int(times[-1] / STEP_MS) + 1)]
    np.testing.assert_allclose(
        [step.points[0, 0] - steps[0].points[0, 0] for step in steps], np.arange(len(steps)) / 20, atol=1e-4
    )


def test_a_hand_that_is_lost_for_a_moment_went_on_and_one_that_is_gone_is_gone():
    short = steps_of([(0, hand()), (100, None), (200, hand(0.2))])
    assert [step.points is None for step in short] == [False] * 5
    assert short[2].points[0, 0] - short[0].points[0, 0] == pytest.approx(0.1, abs=1e-5)
    long = steps_of([(0, hand()), (200, None), (BRIDGED_MS + 100, None), (600, hand())])
    assert [step.points is None for step in long] == [False, *[True] * 11, False]
    assert [step.time_ms for step in long] == [STEP_MS * n for n in range(13)]


def test_one_frame_of_the_wrong_side_does_not_mirror_a_hand():
    sides = [Handedness.RIGHT] * 4 + [Handedness.LEFT] + [Handedness.RIGHT] * 3
    steps = steps_of([(STEP_MS * n, hand(side=side)) for n, side in enumerate(sides)])
    assert all(np.array_equal(step.points, steps[0].points) for step in steps)


def test_a_left_hand_is_told_of_as_its_mirror_image():
    mirrored = POINTS * (-1, 1, 1) + (1, 0, 0)
    right = [(STEP_MS * n, hand(n / 50)) for n in range(4)]
    left = [(STEP_MS * n, hand(-n / 50, Handedness.LEFT, mirrored)) for n in range(4)]
    np.testing.assert_allclose(trace(steps_of(left)), trace(steps_of(right)), atol=1e-3)


@given(scale=st.floats(0.2, 3), x=st.floats(-1, 1), y=st.floats(-1, 1))
def test_size_and_place_of_a_hand_do_not_count(scale, x, y):
    before, after = POINTS[None], (POINTS @ rotation("z", 10).T).astype(np.float32)[None]
    moved = [(points * scale + (x, y, 0)).astype(np.float32) for points in (after, before)]
    np.testing.assert_allclose(describe(*map(measure, moved)), describe(measure(after), measure(before)), atol=2e-3)


def test_all_points_in_one_place_are_described_in_finite_numbers():
    nothing = np.zeros((1, 21, 3), np.float32)
    assert np.isfinite(describe(measure(nothing), measure(POINTS[None]))).all()


def test_a_stream_is_read_as_the_whole_film_is():
    rng = np.random.default_rng(4)
    frames = [
        (33.0 * n, None if n in (7, 8) else hand(points=POINTS + rng.normal(0, 0.01, POINTS.shape))) for n in range(40)
    ]
    reader = MotionReader(model())
    streamed = [read for time_ms, found in frames for read in reader.see(found, SURE if found else None, time_ms)]
    steps = steps_of(frames)
    assert len(streamed) == len(steps) - N_AFTER
    streamed += reader.end()
    assert [step.time_ms for step, _ in streamed] == [step.time_ms for step in steps]
    np.testing.assert_allclose(np.array([row for _, row in streamed]), model().doing(windows(trace(steps))), atol=1e-5)


def test_steps_without_a_hand_are_zero():
    assert not trace([Step(None, None, 0.0)]).any()
    assert windows(np.zeros((3, N_TRACE), np.float32)).shape == (3, N_WINDOW * N_TRACE)


def test_a_spelling_holds_each_letter_and_draws_the_strokes():
    spelling = Speller(np.random.default_rng(2)).spell("AJBZ", fps=30.0, rate=2.0)
    doing = spelling.doing_at(spelling.times_s)
    kinds = [kind for kind, last in zip(doing, [None, *doing], strict=False) if kind != last]
    told = [Doing(kind) for kind in kinds if kind != Doing.MOVING]
    assert told == [Doing.HOLDING, Doing.J, Doing.HOLDING, Doing.Z]
    assert 1.5 < spelling.times_s[-1] < 8
    steps = np.abs(np.diff(spelling.states, axis=0))
    assert steps[:, ANGLES].max() < 60  # degrees, in a thirtieth of a second
    assert steps[:, PLACE].max() < 0.03  # metres


def test_a_film_is_the_same_for_the_same_seed_and_its_hands_are_in_the_picture():
    films = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        films.append(FilmMaker(rng).find(Speller(rng).spell("HI", fps=12.0)))
    np.testing.assert_array_equal(films[0].landmarks, films[1].landmarks)
    wrists = films[0].landmarks[:, 0, :2]
    assert ((wrists > 0) & (wrists < 1)).all()
    assert 0.5 < films[0].is_found.mean() <= 1


def test_pictures_show_the_hand_where_its_landmarks_are():
    rng = np.random.default_rng(6)
    maker = FilmMaker(rng, (120, 90))
    spelling = Speller(rng).hold("B", 0.2, 10.0)
    images = list(maker.render(spelling))
    assert [image.shape for image in images] == [(90, 120, 3)] * len(spelling.times_s)
    assert not np.array_equal(images[0], images[1])
