import json

import numpy as np
import pytest

from asl.contracts import Handedness, PreparationOptions
from asl.core.hand import Hand
from asl.core.journal import Journal
from asl.core.photographs import Photograph
from asl.core.preparation import Outcome, Sample
from asl.errors import Conflict

OPTIONS = PreparationOptions()


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "A" / "1.jpg"
    path.parent.mkdir()
    path.write_bytes(b"picture")
    return Photograph(path, "A/1.jpg", "A", "", "A/1.jpg")


def _found(photograph):
    points = np.random.default_rng(0).random((21, 3), np.float32)
    hand = Hand(points, points / 3, Handedness.LEFT, 0.987654321, 0.25, (640, 480))
    return Sample(photograph, 0, Outcome.FOUND, "", "ab" * 32, (640, 480), hand)


def test_samples_come_back_bit_for_bit(tmp_path, photograph):
    sample = _found(photograph)
    with Journal(tmp_path / "j", OPTIONS, resume=None) as journal:
        journal.append((sample, Sample(photograph, 1, Outcome.NO_HAND, sha256="cd")))
    with Journal(tmp_path / "j", OPTIONS, resume=True) as journal:
        first, second = journal.samples_of(photograph)
    np.testing.assert_array_equal(first.hand.landmarks, sample.hand.landmarks)
    np.testing.assert_array_equal(first.hand.world_landmarks, sample.hand.world_landmarks)
    assert (first.hand.handedness, first.hand.score, first.hand.border) == (Handedness.LEFT, 0.987654321, 0.25)
    assert (first.image_size, first.sha256) == ((640, 480), "ab" * 32)
    assert (second.copy, second.outcome, second.hand) == (1, Outcome.NO_HAND, None)


def test_taking_it_up_again_keeps_every_line_on_the_disk(tmp_path, photograph):
    path = tmp_path / "j"
    with Journal(path, OPTIONS, resume=None) as journal:
        journal.append((_found(photograph),))
    before = path.read_bytes()
    path.write_bytes(before + b'{"name": "cut o')
    with Journal(path, OPTIONS, resume=True) as journal:
        assert path.read_bytes() == before  # at once, and not only after it was written anew
        assert journal.samples_of(photograph) is not None
        journal.append((_found(photograph),))
    assert path.read_bytes().startswith(before)


def test_a_photograph_that_changed_is_done_again(tmp_path, photograph):
    with Journal(tmp_path / "j", OPTIONS, resume=None) as journal:
        journal.append((_found(photograph),))
    photograph.path.write_bytes(b"another picture")
    with Journal(tmp_path / "j", OPTIONS, resume=True) as journal:
        assert journal.samples_of(photograph) is None


@pytest.mark.parametrize("content", ["garbage\n", '["no entry"]\n', json.dumps({"version": 0}) + "\n"])
def test_a_journal_that_is_none_of_ours_is_refused(tmp_path, content):
    (tmp_path / "j").write_text(content)
    with pytest.raises(Conflict, match=r"damaged|other options"):
        Journal(tmp_path / "j", OPTIONS, resume=True)
    assert (tmp_path / "j").read_text() == content


def test_an_empty_journal_starts_anew(tmp_path, photograph):
    (tmp_path / "j").write_text('{"versi')
    with Journal(tmp_path / "j", OPTIONS, resume=True) as journal:
        assert journal.samples_of(photograph) is None
