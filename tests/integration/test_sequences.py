"""Sequences read with the models that come with the package: strokes, holds, words, made up and through MediaPipe."""

import numpy as np
import pytest

from asl.contracts import Handedness, NoLetter, SequenceOptions, SequenceRequest
from asl.core.classifier import load_classifier
from asl.core.hand import LETTERS, MOTION_LETTERS, Hand
from asl.core.motion import load_motion
from asl.core.sequence import TimedHand, hands_of, load_sequence_models, read_sequence
from asl.core.synthetic.films import FilmMaker
from asl.core.synthetic.spelling import Speller
from asl.core.tracking import HandTracker
from asl.errors import LandmarksInvalid, ModelInvalid, NotFound

UNKNOWN = np.full((21, 3), np.nan, np.float32)
MODELS = load_sequence_models()
CLASSIFIER = load_classifier()
SIGNERS = range(100, 104)
"""Seeds that training does not draw from."""


def film(found, times_s):
    sides = [Handedness.LEFT if is_left else Handedness.RIGHT for is_left in found.is_left]
    return [
        TimedHand(time_s * 1000, Hand(points, UNKNOWN, side, 1.0, 0.0, found.size) if is_found else None)
        for points, is_found, side, time_s in zip(found.landmarks, found.is_found, sides, times_s, strict=True)
    ]


def spelled(text, seed, fps=15.0, **options):
    rng = np.random.default_rng(seed)
    spelling = Speller(rng).spell(text, fps, **options)
    return film(FilmMaker(rng).find(spelling), spelling.times_s)


def held(letter, seed):
    rng = np.random.default_rng(seed)
    spelling = Speller(rng).hold(letter, 1.2, 12.0)
    return film(FilmMaker(rng).find(spelling), spelling.times_s)


def read(frames, **options):
    return read_sequence(MODELS, CLASSIFIER, frames, SequenceOptions(**options))


@pytest.mark.parametrize("letter", sorted(MOTION_LETTERS))
@pytest.mark.parametrize("fps", [8.0, 30.0])
def test_strokes_are_read_whatever_the_frame_rate(letter, fps):
    letters = [read(spelled(letter, seed, fps)).letter for seed in SIGNERS]
    assert letters.count(letter) >= 3


def test_no_letter_that_is_held_is_taken_for_a_stroke():
    assert not MOTION_LETTERS & {letter for name in LETTERS for letter in read(held(name, 7)).text}


def test_a_word_is_spelled_with_times_and_suggested():
    frames = spelled("FLOOD", 102, 20.0, rate=2.0)
    answer = read(frames, top_k=2)
    assert answer.text == "".join(entry.letter for entry in answer.letters)
    assert answer.suggestions[0].word == "FLOOD"
    assert answer.is_word == (answer.text == "FLOOD")
    times = [time_ms for entry in answer.letters for time_ms in (entry.start_ms, entry.end_ms)]
    assert times == sorted(times)
    assert frames[0].time_ms <= times[0] < times[-1] <= frames[-1].time_ms + 100
    assert all(len(entry.alternatives) == 2 for entry in answer.letters)
    assert read(frames, max_suggestions=0).suggestions == ()


def test_films_without_a_hand_or_too_short_say_why_there_is_no_letter():
    nothing = read([TimedHand(40.0 * n, None) for n in range(20)])
    assert (nothing.letter, nothing.text, nothing.reason, nothing.handedness) == (None, "", NoLetter.NO_HAND, None)
    assert read([]).reason is NoLetter.NO_HAND


def test_the_side_that_was_named_most_often_is_told_and_a_mirror_image_is_turned():
    frames = held("B", 3)
    side = read(frames).handedness
    assert {side, read(frames, mirrored=True).handedness} == set(Handedness)


def test_a_hand_without_size_is_refused():
    point = Hand(np.full((21, 3), 0.5, np.float32), UNKNOWN, Handedness.LEFT, 1.0, 0.0, (9, 9))
    with pytest.raises(LandmarksInvalid):
        read([TimedHand(0.0, point)])


def test_a_request_is_taken_up_as_it_is():
    points = [[0.1, 0.2]] * 21
    frames = [{"t_ms": 5, "landmarks": points, "handedness": "left"}, {"t_ms": 50, "landmarks": None}]
    first, second = hands_of(SequenceRequest(frames=frames, image_width=9, image_height=8))
    assert (first.time_ms, first.hand.handedness, first.hand.image_size) == (5, Handedness.LEFT, (9, 8))
    np.testing.assert_allclose(first.hand.landmarks[0], [0.1, 0.2, 0.0], rtol=1e-6)
    assert second == TimedHand(50, None)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(40)])
def test_a_file_that_is_no_motion_model_is_refused(tmp_path, content):
    (tmp_path / "motion.npz").write_bytes(content)
    with pytest.raises(ModelInvalid):
        load_motion(tmp_path / "motion.npz")
    with pytest.raises(NotFound):
        load_motion(tmp_path / "none.npz")


def test_a_motion_model_of_other_sizes_is_refused(tmp_path):
    np.savez(tmp_path / "motion.npz", w0=np.zeros((3, 4)), b0=np.zeros(4))
    with pytest.raises(ModelInvalid):
        load_motion(tmp_path / "motion.npz")


@pytest.mark.parametrize(("letter", "seed"), [("J", 1), ("Z", 2)])
def test_a_rendered_stroke_is_read_through_the_landmarker(landmarker_path, letter, seed):
    rng = np.random.default_rng(seed)
    spelling = Speller(rng).spell(letter, 12.0)
    images = FilmMaker(rng, (320, 240)).render(spelling)
    with HandTracker(landmarker_path) as tracker:
        frames = [
            TimedHand(time_s * 1000, next(iter(tracker.track(image, 1 + int(time_s * 1000))), None))
            for image, time_s in zip(images, spelling.times_s, strict=True)
        ]
    assert read(frames).letter == letter
