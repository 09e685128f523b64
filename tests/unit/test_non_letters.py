from dataclasses import replace

import numpy as np
import pytest
from factories import make_dataset

from asl.core import non_letters
from asl.core.augmentation import as_right_hands
from asl.core.synthetic.poses import POSES
from asl.core.synthetic.shapes import LEARNED, NAMED, sample_named, sample_shapes
from asl.errors import DatasetInvalid


def test_shapes_are_right_hands_of_size_one_and_the_generator_decides():
    first, again = (sample_shapes(20, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (20, 21, 3)
    assert first.dtype == np.float32
    assert not first[:, 0].any()
    assert np.linalg.norm(first, axis=2).max(axis=1) == pytest.approx(1, abs=0.4)


def test_no_shape_has_the_fingers_and_the_thumb_of_a_letter():
    hands = sample_shapes(300, np.random.default_rng(0))
    curl = np.linalg.norm(hands[:, 8::4] - hands[:, 5:18:4], axis=2)
    # Of all letters B alone has four straight fingers; only with the thumb stuck out is such a hand drawn.
    straight = (curl > 0.35).all(axis=1)
    thumb_out = np.linalg.norm(hands[:, 4] - hands[:, 5], axis=1)
    assert straight.sum() < 0.1 * len(hands)
    assert thumb_out[straight].min() > 0.15
    assert set(NAMED).isdisjoint(POSES)
    assert set(LEARNED) < set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_named_shapes_can_be_drawn(name):
    assert np.isfinite(sample_named(name, 3, np.random.default_rng(1))).all()


def test_hands_between_letters_lie_half_way_between_two_of_different_letters():
    data = make_dataset(letters="AB", groups=("ann",))
    between = non_letters.hands_to_refuse(data)[non_letters.BETWEEN_LETTERS]
    assert data.landmarks is not None
    hands = as_right_hands(data.landmarks, data.is_left, data.image_size)
    a, b = hands[data.labels == 0], hands[data.labels == 1]
    halves = (a[:, None] + b[None]).reshape(-1, 63) / 2
    nearest = np.abs(between.reshape(-1, 1, 63) - halves[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-5
    assert 100 < len(between) < 480


def test_about_as_many_hands_are_drawn_as_asked_for():
    data = make_dataset(letters="AB", groups=("ann",))
    drawn = non_letters.draw(data, 100, np.random.default_rng(0))
    assert 70 <= len(drawn) <= 100
    assert drawn.shape[1:] == (21, 3)


def test_features_alone_cannot_be_mixed():
    data = replace(make_dataset(letters="AB", groups=("ann",)), landmarks=None)
    with pytest.raises(DatasetInvalid, match="expected landmarks"):
        non_letters.hands_to_refuse(data)
