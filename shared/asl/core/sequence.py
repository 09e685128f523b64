"""A film's hands to letters and words: the road of a sequence, in Python and in the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl.contracts import (
    Alternative,
    Handedness,
    LetterInTime,
    NoLetter,
    SequenceOptions,
    SequenceRecognition,
    SequenceRequest,
    SuggestedWord,
)
from asl.core.classifier import Classifier
from asl.core.hand import N_LANDMARKS, Hand
from asl.core.lexicon import Lexicon, default_lexicon
from asl.core.motion import MotionModel, MotionReader, load_motion
from asl.core.words import MAX_STEPS, SpelledLetter, WordReader

DEFAULTS: Final = SequenceOptions()
_DIGITS: Final = 4
_UNKNOWN: Final = np.full((N_LANDMARKS, 3), np.nan, np.float32)


class TimedHand(NamedTuple):
    """What was found in one frame."""

    time_ms: float
    hand: Hand | None


@dataclass(frozen=True)
class SequenceModels:
    """What a sequence is read with, beside the classifier; any number of threads may share it."""

    motion: MotionModel
    lexicon: Lexicon


@cache
def load_sequence_models() -> SequenceModels:
    """Load the models that come with the package, once."""
    return SequenceModels(load_motion(), default_lexicon())


class SequenceReader:
    """Reads one word as its frames come; make a new one for the next."""

    def __init__(self, models: SequenceModels, label_names: Sequence[str]) -> None:
        """Begin with no frame.

        Args:
            models: See `load_sequence_models`.
            label_names: The classifier's.
        """
        self._lexicon = models.lexicon
        self._motion = MotionReader(models.motion)
        self._words = WordReader(label_names)

    def see(self, hand: Hand | None, probabilities: NDArray[np.float32] | None, time_ms: float) -> bool:
        """Take in a frame; returns whether the letters may have changed.

        Args:
            hand: The hand in it; None where there is none.
            probabilities: (n_labels,) what the classifier says of it; None where there is no hand.
            time_ms: When it was taken, on a clock that does not go back.
        """
        read = self._motion.see(hand, probabilities, time_ms)
        for step, doing in read:
            self._words.see(step, doing)
        return bool(read)

    def end(self) -> None:
        """Take in that nothing more comes: until then the last 0.4 s wait for what comes after."""
        for step, doing in self._motion.end():
            self._words.see(step, doing)

    @property
    def is_full(self) -> bool:
        """Whether it is time for a new reader, whatever comes."""
        return self._words.n_steps >= MAX_STEPS

    def read(self) -> tuple[SpelledLetter, ...]:
        """Return the letters so far; more frames may still change the last ones."""
        return self._words.read()

    def suggest(self, spelled: Sequence[SpelledLetter], n: int, *, is_open: bool) -> tuple[SuggestedWord, ...]:
        """Suggest at most `n` words; `is_open`: words that only begin so, too."""
        found = self._lexicon.suggest(spelled, self._words.letters, n, is_open=is_open) if n else ()
        return tuple(
            SuggestedWord.model_construct(word=entry.word, confidence=round(entry.confidence, _DIGITS))
            for entry in found
        )

    def letter_in_time(self, spelled: SpelledLetter, top_k: int) -> LetterInTime:
        """Tell of one letter what an answer tells."""
        probabilities = spelled.probabilities
        best = np.argsort(-probabilities)[:top_k]
        return LetterInTime.model_construct(
            letter=spelled.letter,
            confidence=round(float(probabilities[self._words.letters.index(spelled.letter)]), _DIGITS),
            start_ms=spelled.start_ms,
            end_ms=spelled.end_ms,
            alternatives=tuple(
                Alternative.model_construct(
                    letter=self._words.letters[place], confidence=round(float(probabilities[place]), _DIGITS)
                )
                for place in best
            ),
        )


def read_sequence(
    models: SequenceModels, classifier: Classifier, frames: Sequence[TimedHand], options: SequenceOptions = DEFAULTS
) -> SequenceRecognition:
    """Read what a hand spelled in a film.

    Args:
        models: See `load_sequence_models`.
        classifier: Names held letters.
        frames: What was found in each frame, in order.
        options: What the answer is to hold.

    Raises:
        LandmarksInvalid: A hand without size, or with numbers that are not finite.
    """
    hands = [frame.hand for frame in frames if frame.hand is not None]
    rows = iter(classifier.classify(hands) if hands else ())
    reader = SequenceReader(models, classifier.label_names)
    for frame in frames:
        reader.see(frame.hand, None if frame.hand is None else next(rows), frame.time_ms)
    reader.end()
    spelled = reader.read()
    letters = tuple(reader.letter_in_time(entry, options.top_k) for entry in spelled)
    longest = max(letters, key=lambda entry: entry.end_ms - entry.start_ms, default=None)
    text = "".join(entry.letter for entry in spelled)
    return SequenceRecognition.model_construct(
        letter=longest.letter if longest else None,
        confidence=longest.confidence if longest else 0,
        reason=None if longest else NoLetter.UNSURE if hands else NoLetter.NO_HAND,
        handedness=_side_of(hands, is_mirrored=options.mirrored),
        text=text,
        letters=letters,
        is_word=text in models.lexicon,
        suggestions=reader.suggest(spelled, options.max_suggestions, is_open=False),
        model_version=classifier.version,
    )


def hands_of(request: SequenceRequest) -> tuple[TimedHand, ...]:
    """Take up the hands of a film that stayed with its owner; a missing z is zero."""
    size, found = (request.image_width, request.image_height), []
    for frame in request.frames:
        if frame.landmarks is None or frame.handedness is None:
            found.append(TimedHand(frame.t_ms, None))
            continue
        points = np.zeros((N_LANDMARKS, 3), np.float32)
        for row, point in zip(points, frame.landmarks, strict=True):
            row[: len(point)] = point
        found.append(TimedHand(frame.t_ms, Hand(points, _UNKNOWN, frame.handedness, 1.0, 0.0, size)))
    return tuple(found)


def _side_of(hands: Sequence[Hand], *, is_mirrored: bool) -> Handedness | None:
    """The side that was named most often."""
    if not hands:
        return None
    n_left = sum(hand.handedness == Handedness.LEFT for hand in hands)
    return Handedness.LEFT if (n_left * 2 > len(hands)) != is_mirrored else Handedness.RIGHT
