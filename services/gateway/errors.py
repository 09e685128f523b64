"""Errors as RFC 9457 problems: the one table from error code to HTTP status, and the handlers that apply it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from asl import errors

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[type[errors.AslError], HTTPStatus]] = {
    errors.AslError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImageEmpty: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImageTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ImageTypeUnsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.ImageUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.LandmarksInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DatasetInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ModelInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.OptionsInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.ForeignSite: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.GateRefused: HTTPStatus.CONFLICT,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    errors.QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Stopped: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WorkLost: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Crashed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Stalled: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WorkerLost: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DependencyFailed: HTTPStatus.CONFLICT,
    errors.OutOfMemory: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.LandmarkerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelNotLoaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
}
"""Every class of the tree has its line here; a test holds the two together."""

_RETRY_AFTER_S: Final[Mapping[type[errors.AslError], int]] = {errors.Busy: 1}
_RETRY_AFTER_DEFAULT_S: Final = 10
_TRY_LATER: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})

HTTP_CODES: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("bad_request", "the request is no valid HTTP request of this API", "See /docs."),
    404: ("not_found", "nothing is served at this path", "See /docs for what is."),
    405: ("method_not_allowed", "this path does not answer to this method", "See the Allow header, and /docs."),
    408: ("request_timeout", "the request's body did not come in time", "Send it again, without pauses."),
    413: ("content_too_large", "the request's body is larger than this server accepts", "Send less at once."),
    415: ("unsupported_media_type", "the request's body is of a type not read here", "See /docs."),
    429: ("too_many_requests", "there were too many requests of this client", "Wait as Retry-After says."),
    500: ("internal", "something went wrong in this server", "Report it with the request_id: the log has the details."),
}
"""Status of an error that the framework raised -> code, detail, hint; texts of our own, so that no input is echoed."""


_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


class Problem(BaseModel, extra="allow"):
    """Why a request was not answered, as RFC 9457 has it; clients tell problems apart by `code`."""

    type: str = Field(description="Identifies the kind of problem.")
    title: str = Field(description="The kind of problem, for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was expected and what was found.")
    code: str = Field(description="Stable name of the kind of problem.")
    hint: str = Field(description="What to do about it; may be empty.")
    request_id: str = Field(description="Names this request in the server's log.")


def problem_of(error: errors.AslError, scope: Scope, **extra: Any) -> Response:
    """Build the answer to an error of ours.

    Args:
        error: What went wrong.
        scope: The ASGI scope of the request, which holds its id.
        extra: More members of the problem.
    """
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if status in _TRY_LATER:
        headers["Retry-After"] = str(_RETRY_AFTER_S.get(type(error), _RETRY_AFTER_DEFAULT_S))
    return _respond(status, (error.code, error.message, error.hint), scope, headers, extra)


def http_problem(status: int, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """Build the answer for a bare HTTP status: what the framework refuses, and what nobody foresaw."""
    phrase = HTTPStatus(status).phrase.lower()
    return _respond(status, HTTP_CODES.get(status, (phrase.replace(" ", "_"), phrase, "")), scope, headers or {}, {})


def status_of(error: errors.AslError) -> HTTPStatus:
    """Look an error up in the table; a class without a line has its parent's."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def request_id(scope: Scope) -> str:
    """Return the id that the request was given on arrival."""
    return str(scope.get("state", {}).get("request_id", ""))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe problem answers for the OpenAPI document, to which `install` adds the schema that they refer to."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Make every error that a handler or the framework raises a problem.

    What nobody foresaw, the 500, is answered by `request_log.RequestLog`, which also logs it.
    """
    app.add_exception_handler(errors.AslError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    describe = app.openapi

    def describe_with_problem() -> dict[str, Any]:
        document = describe()
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = describe_with_problem  # type: ignore[method-assign] # FastAPI's own way to add to its document


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.AslError)  # noqa: S101 - the signature is Starlette's, the type is ours
    if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    return problem_of(error, request.scope)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_of(request))
    return http_problem(error.status_code, request.scope, headers)


def _methods_of(request: Request) -> list[str]:
    """Return the methods of a path; the framework names those of its first route alone."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    places = sorted({_declared_place(found) for found in error.errors()})
    return problem_of(
        errors.InvalidInput(f"these do not fit the API: {', '.join(places)}", hint="See /docs."), request.scope
    )


def _declared_place(found: Mapping[str, Any]) -> str:
    """Name the parameter that does not fit, unless the name is itself the client's."""
    place = found["loc"][:1] if found["type"] == "extra_forbidden" else found["loc"][:2]
    return ".".join(str(part) for part in place)


def _respond(
    status: int, texts: tuple[str, str, str], scope: Scope, headers: Mapping[str, str], extra: Mapping[str, Any]
) -> Response:
    code, detail, hint = texts
    problem = Problem(
        type=f"urn:asl:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        hint=hint,
        request_id=request_id(scope),
        **extra,
    )
    return Response(problem.model_dump_json(), status_code=status, headers=dict(headers), media_type=MEDIA_TYPE)
