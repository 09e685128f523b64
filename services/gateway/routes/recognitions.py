"""`/api/v1/asl/recognitions`: photographs, or the landmarks of a film, to letters."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from asl.contracts import (
    BatchRecognition,
    Recognition,
    RecognitionOptions,
    Scope,
    SequenceOptions,
    SequenceRecognition,
    SequenceRequest,
)
from asl.core.recognition import DEFAULTS
from asl.core.sequence import hands_of, read_sequence
from services.gateway import errors, uploads
from services.gateway.answers import as_json, outcome_of
from services.gateway.batches import recognize_all
from services.gateway.plain_calls import PlainCallRoute, with_short_way
from services.gateway.presence import while_connected
from services.gateway.recognizer_pool import Priority
from services.gateway.security import STATUSES, Principal, admit, allow
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/api/v1/asl/recognitions", tags=["recognition"], route_class=PlainCallRoute)
_Caller = Annotated[Principal, Depends(allow(Scope.RECOGNIZE))]
_Options = Annotated[RecognitionOptions, Query()]
_SequenceOptions = Annotated[SequenceOptions, Query()]
_LONGEST_S: Final = 300.0
_BATCH_S: Final = 60.0
"""How long a batch may take where the call does not say."""
_TIMEOUT_HEADER: Final = "X-Request-Timeout"
_Timeout = Annotated[
    float | None,
    Header(
        alias=_TIMEOUT_HEADER,
        gt=0,
        le=_LONGEST_S,
        allow_inf_nan=False,
        description="Seconds after which the answer is of no use: then 504, and work that waits is not begun.",
    ),
]

_EXAMPLES: Final = {
    "letter": {
        "summary": "A hand that signs A",
        "value": {
            "letter": "A",
            "confidence": 0.95,
            "handedness": "right",
            "alternatives": [
                {"letter": "A", "confidence": 0.95},
                {"letter": "S", "confidence": 0.03},
                {"letter": "T", "confidence": 0.01},
            ],
            "needs_motion": False,
            "reason": None,
            "hands": [{"letter": "A", "confidence": 0.95, "...": "as above, for each hand"}],
            "model_version": "starter-1a2b3c4d",
        },
    },
    "no_hand": {
        "summary": "No hand was found",
        "value": {
            "letter": None,
            "confidence": 0,
            "handedness": None,
            "alternatives": [],
            "needs_motion": False,
            "reason": "no_hand",
            "model_version": "starter-1a2b3c4d",
        },
    },
}


_STATUSES: Final = (*STATUSES, 413, 415, 422, 500, 504)


async def _recognize_plain_picture(request: Request) -> Response | None:
    if request.scope["query_string"] or _TIMEOUT_HEADER in request.headers:
        return None
    return await recognize(request, await admit(request, Scope.RECOGNIZE), DEFAULTS)


@router.post(
    "",
    summary="Read the letter of a photograph",
    description="Reads the letter of the ASL manual alphabet that a hand shows. The photograph comes as the form's "
    "field `file`, or as the body itself (`curl -T sign.jpg -X POST -H 'Content-Type: image/jpeg' ...`). A picture "
    "without a hand is answered too: `letter` is null and `reason` says why.",
    response_model=Recognition,
    response_description="The letter, how sure the classifier is, and the signer's hand.",
    responses={
        200: {"content": {"application/json": {"examples": _EXAMPLES}}},
        **errors.documented(*_STATUSES),
    },
    openapi_extra={"requestBody": uploads.BODY_SCHEMA},
)
@with_short_way(_recognize_plain_picture)
async def recognize(request: Request, _: _Caller, options: _Options, timeout_s: _Timeout = None) -> Response:
    """Answer one picture."""
    gateway = gateway_of(request)
    pool = gateway.recognizers()
    pool.check_room(Priority.SINGLE)
    data = await uploads.read_picture(request, gateway.settings.max_image_bytes)
    work = pool.run(lambda recognizer: recognizer.recognize(data, options), Priority.SINGLE, timeout_s=timeout_s)
    recognition = await while_connected(request.receive, work)
    request.state.outcomes = (outcome_of(recognition),)
    return as_json(recognition)


@router.post(
    "/batch",
    summary="Read the letters of several photographs",
    description="Up to 64 pictures in one form, each as a field `file`; the answers come in their order. One that "
    "cannot be read has a `problem` in its place. Calls with one picture go first.",
    response_model=BatchRecognition,
    responses=errors.documented(*_STATUSES),
    openapi_extra={"requestBody": uploads.BATCH_SCHEMA},
)
async def recognize_batch(request: Request, _: _Caller, options: _Options, timeout_s: _Timeout = None) -> Response:
    """Answer several pictures."""
    gateway = gateway_of(request)
    pool = gateway.recognizers()
    with gateway.batches.admitted(pool):
        pictures = await uploads.read_pictures(request, gateway.settings.max_image_bytes)
        work = recognize_all(pool, pictures, options, timeout_s or _BATCH_S)
        items = await while_connected(request.receive, work)
    request.state.outcomes = tuple(outcome_of(item.recognition) if item.recognition else "refused" for item in items)
    return as_json(BatchRecognition.model_construct(items=items))


@router.post(
    "/sequence",
    summary="Read the letters of a film's landmarks",
    description="For clients that find the hand themselves: what one hand signed in up to 300 frames, from one "
    "letter, J and Z as the movements that they are, to a word. `text` is as spelled, `suggestions` are words that may "
    "have been meant. Frames are told apart by `t_ms`; any rate from 8 frames a second will do.",
    response_model=SequenceRecognition,
    responses=errors.documented(*STATUSES, 400, 413, 422, 500, 504),
)
async def recognize_sequence(
    request: Request, _: _Caller, sequence: SequenceRequest, options: _SequenceOptions, timeout_s: _Timeout = None
) -> Response:
    """Answer one film, in a recognizer's thread: many frames are too much for the event loop."""
    gateway = gateway_of(request)
    classifier = gateway.serving.current.classifier
    work = gateway.recognizers().run(
        lambda _: read_sequence(gateway.sequences, classifier, hands_of(sequence), options),
        Priority.SINGLE,
        timeout_s=timeout_s,
    )
    recognition = await while_connected(request.receive, work)
    request.state.outcomes = (recognition.reason or "letter",)
    return as_json(recognition)
