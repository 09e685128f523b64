"""What is told of the hand in a picture."""

from enum import StrEnum

from pydantic import Field

from asl.contracts.base import Contract


class Handedness(StrEnum):
    """The signer's hand, as the picture shows it unmirrored."""

    LEFT = "left"
    RIGHT = "right"


class NoLetter(StrEnum):
    """Why an answer holds no letter."""

    NO_HAND = "no_hand"


class Alternative(Contract):
    """A letter and how sure the classifier is of it."""

    letter: str
    confidence: float = Field(ge=0, le=1)


class Recognition(Contract):
    """The answer to one picture."""

    letter: str | None = Field(description="The letter, or null: then `reason` says why.")
    confidence: float = Field(ge=0, le=1, description="Calibrated probability of the letter; 0 where there is none.")
    handedness: Handedness | None = Field(description="The signer's hand; null where none was found.")
    alternatives: tuple[Alternative, ...] = Field(description="The likeliest letters, best first.")
    needs_motion: bool = Field(description="True for J and Z, which are movements: a still shows only their start.")
    reason: NoLetter | None = Field(description="Why there is no letter; null where there is one.")
    model_version: str = Field(description="Name and content hash of the classifier that answered.")
