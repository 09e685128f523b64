"""Readings of hands as HTTP answers, and as what is counted of them."""

from pydantic import BaseModel
from starlette.responses import Response

from asl.contracts import Recognition


def as_json(content: BaseModel) -> Response:
    """Write an answer; as bytes, since FastAPI would validate our own object once more."""
    return Response(content.model_dump_json(), media_type="application/json")


def outcome_of(recognition: Recognition) -> str:
    """Name what came of a picture, for the metrics."""
    return recognition.reason or "letter"
