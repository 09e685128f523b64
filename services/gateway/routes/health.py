"""`/healthz` and `/readyz`: whether the process lives, and whether it can answer."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from asl.errors import Unavailable
from services.gateway import errors
from services.gateway.startup import Gateway, gateway_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process lives."""

    status: str = Field("ok", description="Always 'ok'.")


class Check(BaseModel):
    """Whether one dependency is there."""

    ok: bool
    detail: str = Field(description="Its version, or why it is not there.")


class Readiness(BaseModel):
    """Every dependency is there."""

    status: str = Field("ready", description="Always 'ready'; otherwise the answer is a problem with status 503.")
    checks: dict[str, Check] = Field(description="By the name of the dependency.")


@router.get("/healthz", summary="Tell that the process lives", responses=errors.documented(500))
async def healthz() -> Health:
    """Answer whenever the process can."""
    return Health()


@router.get(
    "/readyz",
    summary="Tell whether recognition calls can be answered",
    description="503 while anything that recognition needs is missing; `checks` says what and why.",
    response_model=Readiness,
    responses=errors.documented(500, 503),
)
async def readyz(request: Request) -> Response | Readiness:
    """Answer per dependency."""
    gateway = gateway_of(request)
    checks = _checks(gateway)
    if not gateway.problems:
        return Readiness(checks=checks)
    why = "; ".join(f"{name}: {check.detail}" for name, check in checks.items() if not check.ok)
    hints = " ".join(error.hint for error in gateway.problems.values())
    return errors.problem_of(
        Unavailable(why, hint=hints),
        request.scope,
        checks={name: check.model_dump() for name, check in checks.items()},
    )


def _checks(gateway: Gateway) -> dict[str, Check]:
    found = {"classifier": gateway.model_version or "", "landmarker": "loaded" if gateway.pool else "its file is there"}
    return {
        name: Check(ok=False, detail=gateway.problems[name].message)
        if name in gateway.problems
        else Check(ok=True, detail=detail)
        for name, detail in found.items()
    }
