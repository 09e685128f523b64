"""`/api/v1/asl/recognitions/landmarks`: the landmarks of a hand to a letter, in less than a millisecond."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from asl.contracts import LandmarksRequest, Recognition, RecognitionOptions, Scope
from asl.core.recognition import hand_of, read
from services.gateway import errors
from services.gateway.answers import as_json, outcome_of
from services.gateway.plain_calls import PlainCallRoute, with_short_way
from services.gateway.security import STATUSES, Principal, admit, allow
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/api/v1/asl/recognitions", tags=["recognition"], route_class=PlainCallRoute)

_JSON: Final = "application/json"


async def _recognize_plain_landmarks(request: Request) -> Response | None:
    """Answer JSON that fits, sent without a query; the body stays with the request for whoever reads it again."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.scope["query_string"] or media_type != _JSON:
        return None
    try:
        hand = hand_of(LandmarksRequest.model_validate_json(await request.body()))
    except ValidationError:
        return None
    await admit(request, Scope.RECOGNIZE)
    answer, reason = gateway_of(request).serving.current.writer.read(hand)
    request.state.outcomes = (reason or "letter",)
    return Response(answer, media_type=_JSON)


@router.post(
    "/landmarks",
    summary="Read the letter of a hand's landmarks",
    description="For clients that find the hand themselves (MediaPipe runs in browsers and on phones): no picture "
    "leaves them.",
    response_model=Recognition,
    responses=errors.documented(*STATUSES, 400, 413, 422, 500),
)
@with_short_way(_recognize_plain_landmarks)
async def recognize_landmarks(
    request: Request,
    _: Annotated[Principal, Depends(allow(Scope.RECOGNIZE))],
    hand: LandmarksRequest,
    options: Annotated[RecognitionOptions, Query()],
) -> Response:
    """Answer one hand, in the event loop: a thread would cost more than the classifier."""
    recognition = read(gateway_of(request).serving.current.classifier, (hand_of(hand),), options)
    request.state.outcomes = (outcome_of(recognition),)
    return as_json(recognition)
