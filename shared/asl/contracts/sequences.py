"""What is asked of a hand over time, and what is told of it: letters, J and Z among them, and words."""

from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from asl.contracts.base import Contract
from asl.contracts.recognition import MAX_SIDE, MAX_TOP_K, N_LANDMARKS, Alternative, Handedness, NoLetter, Point

MAX_FRAMES: Final = 300
"""Frames in one sequence: 10 s of a fast camera."""
MAX_SEQUENCE_MS: Final = 60_000.0
"""From the first frame of a sequence to the last."""
MAX_SUGGESTIONS: Final = 10


class SequenceFrame(Contract):
    """One frame of a film that stays with its owner."""

    t_ms: float = Field(ge=0, le=1e15, description="When the frame was taken, in milliseconds, on any clock.")
    landmarks: Annotated[tuple[Point, ...], Field(min_length=N_LANDMARKS, max_length=N_LANDMARKS)] | None = Field(
        description="21 points (x, y) or (x, y, z), as for one picture; null where no hand was found."
    )
    handedness: Handedness | None = Field(
        None, description="As the landmarker names it; needed where there are landmarks."
    )


class SequenceRequest(Contract):
    """What a landmarker found in the frames of a film: one hand, from one letter to a word."""

    frames: tuple[SequenceFrame, ...] = Field(
        min_length=1,
        max_length=MAX_FRAMES,
        description="In the order in which they were taken, best 10 to 30 a second; half a second to two for a letter. "
        "The film may last up to 60 seconds.",
    )
    image_width: int = Field(ge=1, le=MAX_SIDE, description="Of the frames, in pixels.")
    image_height: int = Field(ge=1, le=MAX_SIDE, description="Of the frames, in pixels.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        times = [frame.t_ms for frame in self.frames]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError("expected frames each later than the one before by t_ms")
        if times[-1] - times[0] > MAX_SEQUENCE_MS:
            raise ValueError(f"expected a film of at most {MAX_SEQUENCE_MS / 1000:g} s by t_ms")
        if any(frame.landmarks is not None and frame.handedness is None for frame in self.frames):
            raise ValueError("expected the handedness of each hand")
        return self


class SequenceOptions(Contract):
    """What the answer to a sequence is to hold."""

    top_k: int = Field(3, ge=1, le=MAX_TOP_K, description="How many alternatives each letter lists.")
    max_suggestions: int = Field(3, ge=0, le=MAX_SUGGESTIONS, description="How many words are suggested at most.")
    mirrored: bool = Field(
        False, description="The frames are mirror images, as a selfie's preview is: the signer's other hand is named."
    )


class LetterInTime(Contract):
    """One letter of a sequence, and when it was signed."""

    letter: str
    confidence: float = Field(ge=0, le=1)
    start_ms: float = Field(description="By the frames' clock.")
    end_ms: float
    alternatives: tuple[Alternative, ...] = Field(description="The likeliest letters in its place, best first.")


class SuggestedWord(Contract):
    """A word that may have been meant."""

    word: str
    confidence: float = Field(
        ge=0, le=1, description="Among the words suggested and the text as spelled, which has what is left of 1."
    )


class SequenceRecognition(Contract):
    """The answer to a sequence."""

    letter: str | None = Field(description="The letter that lasted longest, or null: then `reason` says why.")
    confidence: float = Field(ge=0, le=1, description="Of that letter; 0 where there is none.")
    reason: NoLetter | None = Field(description="Why there is no letter; null where there is one.")
    handedness: Handedness | None = Field(description="The signer's hand; null where none was found.")
    text: str = Field(description="All letters in order, as spelled.")
    letters: tuple[LetterInTime, ...] = Field(description="Each letter of the text.")
    is_word: bool = Field(description="Whether the text, as spelled, is in the list of words.")
    suggestions: tuple[SuggestedWord, ...] = Field(
        description="Words that may have been meant, best first; the text may be right all the same, as of a name."
    )
    model_version: str = Field(description="Name and content hash of the classifier that answered.")
