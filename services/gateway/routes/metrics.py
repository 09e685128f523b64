"""`/metrics`: figures for Prometheus; it asks for no key, so a proxy must not publish it."""

from typing import Final, cast

import anyio
from anyio import CapacityLimiter
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from services.gateway import errors
from services.gateway.metrics import Metrics

router = APIRouter(tags=["health"])

_LIMITER: Final = CapacityLimiter(2)
"""Threads of its own: those of the handlers may all wait for the database."""


@router.get(
    "/metrics",
    summary="Show figures for Prometheus",
    description="Prometheus' text format. Needs no key: whoever lets others reach the gateway keeps this path inside.",
    response_class=PlainTextResponse,
    responses=errors.documented(500),
)
async def metrics(request: Request) -> Response:
    """Answer with all figures; those of jobs are left out while the database is away."""
    figures = cast("Metrics", request.app.state.metrics)
    text = await anyio.to_thread.run_sync(figures.render, limiter=_LIMITER)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
