"""`GET /api/v1/asl/model`: which classifier answers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from asl.contracts import Contract, Scope, Sha256
from services.gateway import errors
from services.gateway.security import STATUSES, Principal, allow
from services.gateway.served_model import Source
from services.gateway.startup import gateway_of

router = APIRouter(prefix="/api/v1/asl", tags=["recognition"])


class ClassifierInUse(Contract):
    """The classifier that answers now."""

    version: str = Field(description="As answers name it in `model_version`.")
    label_names: tuple[str, ...] = Field(description="The letters that it knows.")
    source: Source = Field(description="A file of the operator's, the model in production, or the packaged starter.")
    number: int | None = Field(description="Of the model in production.")
    sha256: Sha256 = Field(description="Of its file.")


@router.get(
    "/model",
    summary="Tell which classifier answers",
    description="The model that has the role `production`, unless the operator has set a file; the packaged starter "
    "until a model was promoted.",
    responses=errors.documented(*STATUSES, 500),
)
async def classifier_in_use(
    request: Request, _: Annotated[Principal, Depends(allow(Scope.RECOGNIZE))]
) -> ClassifierInUse:
    """Tell which classifier answers."""
    served = gateway_of(request).serving.current
    return ClassifierInUse(
        version=served.classifier.version,
        label_names=tuple(served.classifier.label_names),
        source=served.source,
        number=served.number,
        sha256=served.sha256,
    )
