"""`/api/v1/asl/recognitions/landmarks`: the landmarks of a hand to a letter, in less than a millisecond."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from asl.contracts import LandmarksRequest, Recognition, RecognitionOptions, Scope
from asl.core.recognition import DEFAULTS, hand_of, read
from services.gateway import errors
from services.gateway.answers import as_json, outcome_of
from services.gateway.security import STATUSES, Principal, admit, allow
from services.gateway.startup import gateway_of

_JSON: Final = "application/json"


class LandmarksRoute(APIRoute):
    """Reads plain calls, JSON without a query, by itself: FastAPI's way takes longer than the classifier.

    Whatever is not plain, or does not fit, goes FastAPI's way and is answered there.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the short way before FastAPI's."""
        thorough = super().get_route_handler()

        async def handle(request: Request) -> Response:
            hand = await _plain_hand(request)
            if hand is None:
                return await thorough(request)
            return await recognize_landmarks(request, await admit(request, Scope.RECOGNIZE), hand, DEFAULTS)

        return handle


router = APIRouter(prefix="/api/v1/asl/recognitions", tags=["recognition"], route_class=LandmarksRoute)


@router.post(
    "/landmarks",
    summary="Read the letter of a hand's landmarks",
    description="For clients that find the hand themselves (MediaPipe runs in browsers and on phones): no picture "
    "leaves them.",
    response_model=Recognition,
    responses=errors.documented(*STATUSES, 400, 413, 422, 500),
)
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


async def _plain_hand(request: Request) -> LandmarksRequest | None:
    """Return the hand of a plain call; the body stays with the request for whoever reads it again."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.scope["query_string"] or media_type != _JSON:
        return None
    try:
        return LandmarksRequest.model_validate_json(await request.body())
    except ValidationError:
        return None
