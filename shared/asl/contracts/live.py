"""What passes over the live WebSocket beside packed frames: the protocol of deploy/live-protocol.md."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from asl.contracts.base import Contract
from asl.contracts.recognition import MAX_TOP_K, ExpectedLetter, LandmarksRequest, Recognition
from asl.contracts.sequences import SuggestedWord

LIVE_PROTOCOL: Final = 1
MAX_LIVE_SEQ: Final = 2**32 - 1

_Seq = Annotated[int, Field(ge=0, le=MAX_LIVE_SEQ, description="The client's number of the frame; it is echoed.")]
_Time = Annotated[
    float | None,
    Field(ge=0, le=1e15, description="The client's clock in milliseconds; where null, the time of arrival counts."),
]


class LiveOptions(Contract):
    """How frames are answered from here on; what is left out stays as it is."""

    type: Literal["options"]
    top_k: int = Field(3, ge=1, le=MAX_TOP_K, description="Letters in `alternatives`.")
    mirrored: bool = Field(default=False, description="The pictures are mirror images, as of a selfie camera.")
    smoothing: bool = Field(default=True, description="Whether letters are followed over time.")
    explain: bool = Field(default=False, description="Whether readings tell what of the hand differs from the letter.")
    expected: ExpectedLetter = None
    spelling: bool = Field(
        default=False, description="Whether text is read: words, J and Z as movements. Each `true` begins a new word."
    )


class LiveLandmarks(LandmarksRequest):
    """The hand that the client itself has found in a frame."""

    type: Literal["landmarks"]
    seq: _Seq
    t_ms: _Time = None


class LiveNoHand(Contract):
    """The client looked and found no hand."""

    type: Literal["no_hand"]
    seq: _Seq
    t_ms: _Time = None


LiveRequest: TypeAlias = Annotated[LiveOptions | LiveLandmarks | LiveNoHand, Field(discriminator="type")]
LIVE_REQUEST: Final[TypeAdapter[LiveOptions | LiveLandmarks | LiveNoHand]] = TypeAdapter(LiveRequest)
"""Reads a client's text messages."""


class LiveHello(Contract):
    """The first message of the server."""

    type: Literal["hello"] = "hello"
    protocol: int = LIVE_PROTOCOL
    model_version: str
    label_names: tuple[str, ...]
    idle_limit_s: float = Field(description="The stream ends where nothing came for so long; pings do not count.")
    max_frame_bytes: int = Field(description="Largest image file accepted in a frame.")


class LiveReading(Recognition):
    """The answer to one frame."""

    type: Literal["reading"] = "reading"
    seq: _Seq
    stable: str | None = Field(description="The letter held after smoothing over time.")
    n_dropped: int = Field(ge=0, description="Frames of this stream that were dropped for newer ones, so far.")
    ms: float = Field(ge=0, description="From the frame's arrival to its answer.")
    landmarks: tuple[tuple[float, float, float], ...] | None = Field(
        description="Of the hand that was found in an image: x and y in [0, 1] of it. Null for other frames."
    )


class LiveLetter(Contract):
    """A letter became stable, or was let go."""

    type: Literal["letter", "released"]
    letter: str
    seq: _Seq


class LiveText(Contract):
    """The word that is being spelled has changed, or has ended."""

    type: Literal["text"] = "text"
    seq: _Seq
    text: str = Field(description="As spelled so far; its last letters may still change.")
    is_end: bool = Field(description="The hand has left: the next letter begins another word.")
    suggestions: tuple[SuggestedWord, ...] = Field(description="Words that may be meant, best first.")


class LiveError(Contract):
    """One frame could not be read; the stream goes on."""

    type: Literal["error"] = "error"
    seq: _Seq | None
    code: str
    detail: str
    hint: str
