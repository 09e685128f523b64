"""Where hands of a stream are said to be: the real landmarker on rendered hands that move."""

import numpy as np
import pytest

from asl.contracts import ExtractionOptions
from asl.core.detection import HandDetector
from asl.core.extraction import HandExtractor
from asl.core.synthetic.renderer import render_hand
from asl.core.tracking import MAX_GAP_MS, HandTracker

FRAME_MS = 33
EMPTY = np.full((480, 480, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def extractor(landmarker_path):
    with HandExtractor(landmarker_path) as made:
        yield made


@pytest.fixture
def tracker(landmarker_path):
    with HandTracker(landmarker_path) as made:
        yield made


def _still(letter="L", seed=1):
    return render_hand(letter, seed=seed, size=(480, 480)).image


def _moving(letter="L", seed=1, step=6, n_frames=8):
    """A hand that moves to the right."""
    image = _still(letter, seed)
    return [np.ascontiguousarray(np.roll(image, step * i, axis=1)) for i in range(n_frames)]


def _filling(extractor):
    """A hand that fills the picture, and is found with a border alone."""
    for seed in range(20):
        hand = render_hand("B", seed=seed, size=(480, 480))
        low = (hand.landmarks[:, :2].min(axis=0) * 480 - 8).astype(int).clip(0)
        high = (hand.landmarks[:, :2].max(axis=0) * 480 + 8).astype(int)
        image = np.ascontiguousarray(hand.image[low[1] : high[1], low[0] : high[0]])
        if any(found.border > 0 for found in extractor.extract(image)):
            return image
    return pytest.fail("no such hand among those rendered")


def _track_all(tracker, frames, start_ms=0):
    return [tracker.track(frame, start_ms + FRAME_MS * (i + 1)) for i, frame in enumerate(frames)]


def test_the_first_frame_is_read_as_a_photograph(tracker, extractor):
    ((tracked,), (found,)) = tracker.track(_still(), 0), extractor.extract(_still())
    np.testing.assert_array_equal(tracked.landmarks, found.landmarks)
    assert (tracked.handedness, tracked.score) == (found.handedness, found.score)


def test_a_moving_hand_is_where_it_would_be_found_anew(tracker, extractor):
    frames = _moving()
    for (tracked,), frame in zip(_track_all(tracker, frames), frames, strict=True):
        (found,) = extractor.extract(frame)
        size = np.ptp(found.landmarks[:, :2], axis=0).max()
        assert np.linalg.norm((tracked.landmarks - found.landmarks)[:, :2], axis=1).mean() < 0.06 * size


def test_a_lost_hand_is_found_again_in_the_same_frame(tracker):
    here, there = (np.concatenate(halves, axis=1) for halves in ((_still(), EMPTY), (EMPTY, _still())))
    hands = _track_all(tracker, [here, here, there, there])
    centres = [found[0].landmarks[:, 0].mean() for found in hands]
    assert [centre > 0.5 for centre in centres] == [False, False, True, True]


def test_a_hand_that_needs_a_border_is_followed_with_it(tracker, extractor):
    image = _filling(extractor)
    (found,) = extractor.extract(image)
    hands = _track_all(tracker, [image] * 4)
    assert all(len(frame) == 1 and frame[0].border == found.border for frame in hands)
    np.testing.assert_allclose(
        hands[-1][0].landmarks[:, :2].mean(axis=0), found.landmarks[:, :2].mean(axis=0), atol=0.1
    )


def test_a_hand_that_needs_a_border_is_found_within_three_frames_of_an_empty_stream(tracker, extractor):
    image = _filling(extractor)
    empty = np.full_like(image, 90)
    for n_empty in (1, 2, 3):
        tracker.forget()
        hands = _track_all(tracker, [empty] * n_empty + [image] * 3)
        assert not any(hands[:n_empty])
        assert hands[-1]


def test_an_empty_stream_has_no_hands(tracker):
    assert not any(_track_all(tracker, [EMPTY] * 5))


@pytest.mark.parametrize("later_ms", [MAX_GAP_MS + 1, 0, -50])
def test_a_gap_or_a_clock_that_goes_back_starts_a_new_stream(tracker, extractor, later_ms):
    frames = _moving()
    _track_all(tracker, frames)
    (tracked,) = tracker.track(frames[-1], FRAME_MS * len(frames) + later_ms)
    np.testing.assert_array_equal(tracked.landmarks, extractor.extract(frames[-1])[0].landmarks)


def test_frames_of_another_size_start_a_new_stream(tracker, extractor):
    _track_all(tracker, _moving())
    other = render_hand("Y", seed=3, size=(320, 400)).image
    (tracked,) = tracker.track(other, FRAME_MS * 9)
    np.testing.assert_array_equal(tracked.landmarks, extractor.extract(other)[0].landmarks)


def test_a_forgotten_stream_leaves_nothing_behind(tracker, landmarker_path):
    first, second = _moving(), _moving("Y", seed=3)
    _track_all(tracker, first)
    tracker.forget()
    with HandTracker(landmarker_path) as fresh:
        for (again,), (alone,) in zip(_track_all(tracker, second), _track_all(fresh, second), strict=True):
            np.testing.assert_array_equal(again.landmarks, alone.landmarks)


def test_two_hands_are_followed_where_two_are_looked_for(landmarker_path):
    left, right = (render_hand("B", seed=seed, handedness=side) for seed, side in ((4, "right"), (5, "left")))
    image = np.ascontiguousarray(np.concatenate([left.image, right.image], axis=1))
    with HandTracker(landmarker_path, ExtractionOptions(max_num_hands=2)) as tracker:
        for hands in _track_all(tracker, [image] * 4):
            assert {hand.handedness for hand in hands} == {"left", "right"}
            assert hands[0].score >= hands[1].score


def test_times_that_mediapipe_could_not_hold_are_taken(tracker):
    for timestamp_ms in (2**62, 2**62 + 1, -(2**62)):
        assert len(tracker.track(_still(), timestamp_ms)) == 1


def test_a_detector_that_follows_does_not_look_at_how_far_apart_frames_are(landmarker_path):
    with HandDetector(landmarker_path, follows=True) as detector:
        assert all(detector.detect(frame) for frame in _moving())
