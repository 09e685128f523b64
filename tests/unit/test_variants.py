import numpy as np
import pytest

from asl.core.synthetic.signers import sample_landmarks
from asl.core.synthetic.variants import FORMS, HANGING, sample_form, sample_hanging, sample_turned

_DRAWERS = [
    *((sample_form, letter) for letter in FORMS),
    *((sample_hanging, letter) for letter in HANGING),
    *((sample_turned, letter) for letter in "AJ"),
]


def faces_away(hands):
    """Tell of right hands whether the palm is turned from the camera."""
    across, along = hands[:, 5] - hands[:, 17], hands[:, 9]
    return np.cross(across, along)[:, 2] > 0


@pytest.mark.parametrize(("draw", "letter"), _DRAWERS)
def test_forms_are_hands_of_size_one_and_the_generator_decides(draw, letter):
    first, again = (draw(letter, 5, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (5, 21, 3)
    assert first.dtype == np.float32
    assert not first[:, 0].any()
    assert np.linalg.norm(first, axis=2).max(axis=1) == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize("letter", "GH")
def test_g_and_h_are_drawn_from_behind_too(letter):
    away = faces_away(sample_form(letter, 60, np.random.default_rng(0)))
    usual = np.array([sample_landmarks(letter, np.random.default_rng(seed)) for seed in range(60)])
    assert 0.2 < away.mean() < 0.8
    assert abs(faces_away(usual).mean() - 0.5) > 0.4


def test_turned_hands_are_seen_from_further_around_than_usual_ones():
    usual = np.array([sample_landmarks("B", np.random.default_rng(seed)) for seed in range(100)])
    turned = sample_turned("B", 100, np.random.default_rng(0))
    assert spread_of_turn(turned) > 2 * spread_of_turn(usual)


def spread_of_turn(hands):
    """Tell by how many degrees right hands differ in how the palm's width is turned about the vertical."""
    across = hands[:, 5] - hands[:, 17]
    return np.degrees(np.arctan2(across[:, 2], across[:, 0])).std()
