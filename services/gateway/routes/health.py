"""`/healthz` and `/readyz`: whether the process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from asl.errors import Unavailable
from services.gateway import errors
from services.gateway.dependencies import Check, DependencyWatch
from services.gateway.startup import Gateway, gateway_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process lives."""

    status: str = Field("ok", description="Always 'ok'.")


class Readiness(BaseModel):
    """All that recognition needs is there."""

    status: Literal["ready", "degraded"] = Field(
        description="'degraded' where something that jobs need is missing. Where recognition itself cannot answer, the"
        " answer is a problem with status 503."
    )
    checks: dict[str, Check] = Field(description="By the name of the dependency.")


@router.get("/healthz", summary="Tell that the process lives", responses=errors.documented(500))
async def healthz() -> Health:
    """Answer whenever the process can."""
    return Health()


@router.get(
    "/readyz",
    summary="Tell whether recognition calls can be answered",
    description="503 while anything that recognition needs is missing, 200 with `degraded` while something that only "
    "jobs need is; `checks` says what and why. What jobs need was looked at within the last seconds.",
    response_model=Readiness,
    responses=errors.documented(500, 503),
)
async def readyz(request: Request) -> Response | Readiness:
    """Answer per dependency."""
    gateway = gateway_of(request)
    needed = _checks(gateway)
    checks = needed | _watched(request)
    if not gateway.problems:
        is_whole = all(check.ok for check in checks.values())
        return Readiness(status="ready" if is_whole else "degraded", checks=checks)
    why = "; ".join(f"{name}: {check.detail}" for name, check in needed.items() if not check.ok)
    hints = " ".join(error.hint for error in gateway.problems.values())
    return errors.problem_of(
        Unavailable(why, hint=hints),
        request.scope,
        checks={name: check.model_dump() for name, check in checks.items()},
    )


def _watched(request: Request) -> dict[str, Check]:
    """Return what the watch has found; tests' applications that were not started have none."""
    watch: DependencyWatch | None = getattr(request.app.state, "watch", None)
    return watch.checks() if watch else {}


def _checks(gateway: Gateway) -> dict[str, Check]:
    refused = gateway.serving.refused
    classifier = "; ".join(filter(None, (gateway.model_version, refused.message if refused else None)))
    found = {"classifier": classifier, "landmarker": "loaded" if gateway.pool else "its file is there"}
    return {
        name: Check(ok=False, detail=gateway.problems[name].message)
        if name in gateway.problems
        else Check(ok=True, detail=detail)
        for name, detail in found.items()
    }
