"""`POST /api/v1/asl/recognitions`: a photograph in, its letter out."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from asl.contracts import Contract, Recognition, Scope, Sha256
from services.gateway import errors, uploads
from services.gateway.security import STATUSES, Principal, allow
from services.gateway.served_model import Source
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/api/v1/asl", tags=["recognition"])
_T = TypeVar("_T")
_Caller = Annotated[Principal, Depends(allow(Scope.RECOGNIZE))]

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


class ClassifierInUse(Contract):
    """The classifier that answers now."""

    version: str = Field(description="As answers name it in `model_version`.")
    label_names: tuple[str, ...] = Field(description="The letters that it knows.")
    source: Source = Field(description="A file of the operator's, the model in production, or the packaged starter.")
    number: int | None = Field(description="Of the model in production.")
    sha256: Sha256 = Field(description="Of its file.")


@router.post(
    "/recognitions",
    summary="Read the letter of a photograph",
    description="Reads the letter of the ASL manual alphabet that a hand shows. A picture without a hand is answered "
    "too: `letter` is null and `reason` says why.",
    response_model=Recognition,
    response_description="The letter, how sure the classifier is, and the signer's hand.",
    responses={
        200: {"content": {"application/json": {"examples": _EXAMPLES}}},
        **errors.documented(*STATUSES, 413, 415, 422, 500),
    },
    openapi_extra={"requestBody": uploads.BODY_SCHEMA},
)
async def recognize(request: Request, _: _Caller) -> Response:
    """Answer one picture."""
    gateway = gateway_of(request)
    pool = gateway.recognizers()
    data = await uploads.read_picture(request, gateway.settings.max_image_bytes)
    recognition = await _while_connected(request.receive, pool.recognize(data))
    request.state.outcome = recognition.reason or "letter"  # for the metrics
    # As bytes: FastAPI would validate our own object once more.
    return Response(recognition.model_dump_json(), media_type="application/json")


@router.get(
    "/model",
    summary="Tell which classifier answers",
    description="The model that has the role `production`, unless the operator has set a file; the packaged starter "
    "until a model was promoted.",
    responses=errors.documented(*STATUSES, 500),
)
async def classifier_in_use(request: Request, _: _Caller) -> ClassifierInUse:
    """Tell which classifier answers."""
    served = gateway_of(request).serving.current
    return ClassifierInUse(
        version=served.classifier.version,
        label_names=tuple(served.classifier.label_names),
        source=served.source,
        number=served.number,
        sha256=served.sha256,
    )


async def _while_connected(receive: Receive, work: Awaitable[_T]) -> _T:
    """Await work, and cancel it when the client leaves first.

    Raises:
        ClientDisconnect: The client left.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_until_gone(receive))
    watch.add_done_callback(lambda _: task.cancel())
    try:
        return await task
    except asyncio.CancelledError:
        if watch.done() and not watch.cancelled():
            raise ClientDisconnect from None
        raise
    finally:
        watch.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
