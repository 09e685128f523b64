"""Trackers pass from stream to stream: the real landmarker on rendered hands."""

import numpy as np
import pytest

from asl.core.synthetic.renderer import render_hand
from asl.core.tracking import HandTracker
from asl.infra.settings import Settings
from services.gateway.live_trackers import LiveTrackers

EMPTY = np.full((480, 480, 3), 90, np.uint8)


@pytest.fixture
def settings(landmarker_path):
    return Settings(_env_file=None, hand_landmarker_path=landmarker_path, recognition_threads=1)


@pytest.fixture
def trackers():
    made = LiveTrackers()
    yield made
    made.close()


def test_a_stream_sees_nothing_of_the_one_before(settings, trackers, landmarker_path):
    here = render_hand("L", seed=1, size=(480, 480)).image
    there = np.ascontiguousarray(np.roll(here, 40, axis=1))
    with HandTracker(landmarker_path) as new:
        (expected,) = new.track(there, 1)
    first = trackers.lend(settings)
    assert first.track(here, 1)
    trackers.take_back(first, settings)
    second = trackers.lend(settings)
    assert second is first
    ((found,), nothing) = second.track(there, 2), second.track(EMPTY, 3)
    np.testing.assert_array_equal(found.landmarks, expected.landmarks)
    assert not nothing
    trackers.take_back(second, settings)


def test_no_more_are_kept_than_can_be_at_work_and_none_after_the_end(settings, trackers):
    lent = [trackers.lend(settings) for _ in range(3)]
    assert len(set(lent)) == 3
    for tracker in lent[:2]:
        trackers.take_back(tracker, settings)
    again = [trackers.lend(settings) for _ in range(2)]
    assert again[0] is lent[0]
    assert again[1] not in lent
    trackers.close()
    for tracker in (lent[2], *again):
        trackers.take_back(tracker, settings)
    other = trackers.lend(settings)
    assert other not in (*lent, *again)
    other.close()
