"""What is asked of the hands in a picture, and what is told of them."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from asl.contracts.base import Contract

MAX_TOP_K: Final = 26
MAX_HANDS: Final = 10
MAX_BATCH: Final = 64
"""Pictures in one call."""

N_LANDMARKS: Final = 21
MAX_SIDE: Final = 1_000_000
_Coordinate = Annotated[float, Field(ge=-1e4, le=1e4)]
Point = Annotated[tuple[_Coordinate, ...], Field(min_length=2, max_length=3)]
_Point3D = tuple[_Coordinate, _Coordinate, _Coordinate]


class Handedness(StrEnum):
    """The signer's hand, as the picture shows it unmirrored."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> "Handedness":
        """The side that a mirror shows."""
        return Handedness.LEFT if self is Handedness.RIGHT else Handedness.RIGHT


class NoLetter(StrEnum):
    """Why an answer holds no letter."""

    NO_HAND = "no_hand"
    NOT_A_LETTER = "not_a_letter"
    UNSURE = "unsure"


class HandPart(StrEnum):
    """What of a hand can differ from a letter."""

    THUMB = "thumb"
    INDEX = "index"
    MIDDLE = "middle"
    RING = "ring"
    PINKY = "pinky"
    INDEX_AND_MIDDLE = "index_and_middle"
    MIDDLE_AND_RING = "middle_and_ring"
    RING_AND_PINKY = "ring_and_pinky"
    HAND = "hand"


class Change(StrEnum):
    """How a part of the hand is to move."""

    STRAIGHTEN = "straighten"
    OPEN = "open"
    FOLD = "fold"
    CURVE = "curve"
    LIFT = "lift"
    LOWER = "lower"
    SPREAD = "spread"
    CLOSE = "close"
    CROSS = "cross"
    UNCROSS = "uncross"
    PLACE = "place"
    TURN = "turn"


ExpectedLetter = Annotated[
    str | None,
    Field(
        pattern="^[A-Z]$", description="The letter that the hand is to show, for `explain`; the likeliest if not given."
    ),
]


class RecognitionOptions(Contract):
    """What an answer is to hold."""

    top_k: int = Field(3, ge=1, le=MAX_TOP_K, description="How many alternatives an answer lists.")
    mirrored: bool = Field(
        False, description="The picture is a mirror image, as a selfie's preview is: the signer's other hand is named."
    )
    max_num_hands: int | None = Field(
        None, ge=1, le=MAX_HANDS, description="How many hands to look for; as the server is set where not given."
    )
    landmarks: bool = Field(False, description="Answer with the landmarks of each hand, too.")
    explain: bool = Field(
        False, description="Answer with what of the hand differs most from the letter, in words, too: `explanation`."
    )
    expected: ExpectedLetter = None


class LandmarksRequest(Contract):
    """The hand of a picture that stays with its owner: what a landmarker found in it."""

    landmarks: tuple[Point, ...] = Field(
        min_length=N_LANDMARKS,
        max_length=N_LANDMARKS,
        description="21 points (x, y) or (x, y, z) in MediaPipe's order: x and y in [0, 1] of the picture's width and "
        "height, z on x's scale. Without z hands are read less well.",
    )
    image_width: int = Field(ge=1, le=MAX_SIDE, description="Of the picture, in pixels.")
    image_height: int = Field(ge=1, le=MAX_SIDE, description="Of the picture, in pixels.")
    handedness: Handedness = Field(description="As the landmarker names it for the picture as it is.")
    world_landmarks: tuple[_Point3D, ...] | None = Field(
        None, min_length=N_LANDMARKS, max_length=N_LANDMARKS, description="The same points in metres, where known."
    )


class Alternative(Contract):
    """A letter and how sure the classifier is of it."""

    letter: str
    confidence: float = Field(ge=0, le=1)


class Difference(Contract):
    """What of a hand differs from a letter, and what to do."""

    finger: HandPart = Field(description="A finger, two neighbours, or the hand as a whole.")
    change: Change = Field(description="How it is to move.")
    size: float = Field(ge=1, description="1 is just worth telling.")
    advice: str = Field(description="What to do, as a sentence.")


class NearLetter(Contract):
    """A letter that the hand may show, and what of it would have to change."""

    letter: str
    confidence: float = Field(ge=0, le=1)
    difference: Difference | None = Field(description="The largest; null where the hand is as that letter usually is.")


class Explanation(Contract):
    """What of a hand differs from a letter, by the hands of many signers."""

    expected: str = Field(description="The letter compared with: that expected, or the likeliest.")
    finger: HandPart | None = Field(description="What differs most; null where the hand is as the letter usually is.")
    advice: str | None = Field(description="What to do first, as a sentence; null with `finger`.")
    differences: tuple[Difference, ...] = Field(description="At most three, the largest first.")
    nearest: tuple[NearLetter, ...] = Field(description="The letters that the hand is nearest to, at most three.")


class HandReading(Contract):
    """What one hand shows."""

    letter: str | None = Field(description="The letter, or null: then `reason` says why.")
    confidence: float = Field(ge=0, le=1, description="Calibrated probability of the letter; 0 where there is none.")
    handedness: Handedness | None = Field(description="The signer's hand; null where none was found.")
    alternatives: tuple[Alternative, ...] = Field(
        description="The likeliest letters, best first; also where none is sure enough."
    )
    needs_motion: bool = Field(description="True for J and Z, which are movements: a still shows only their start.")
    reason: NoLetter | None = Field(description="Why there is no letter; null where there is one.")
    landmarks: tuple[_Point3D, ...] | None = Field(
        None, description="21 points (x, y, z) as MediaPipe gives them, where asked for with `landmarks=true`."
    )
    explanation: Explanation | None = Field(
        None, description="What differs from the letter, where asked for with `explain=true`; null for other labels."
    )


class Recognition(HandReading):
    """The answer to one picture: what its surest hand shows, and under `hands` each of them."""

    hands: tuple[HandReading, ...] = Field((), description="Each hand found, the one whose side is surest first.")
    model_version: str = Field(description="Name and content hash of the classifier that answered.")


class PictureProblem(Contract):
    """Why one picture of several could not be read."""

    code: str = Field(description="Stable name of the kind of problem.")
    detail: str = Field(description="What was expected and what was found.")
    hint: str = Field(description="What to do about it; may be empty.")


class BatchItem(Contract):
    """What came of one picture of several."""

    recognition: Recognition | None = Field(description="The answer; null where the picture could not be read.")
    problem: PictureProblem | None = Field(description="Why it could not; null where it could.")


class BatchRecognition(Contract):
    """The answers to several pictures, in the order in which they were sent."""

    items: tuple[BatchItem, ...]
