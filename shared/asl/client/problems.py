"""Problems and answers of the server as types of ours."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from asl.errors import AslError, InvalidInput, QuotaExceeded, Unavailable

_Answer = TypeVar("_Answer", bound=BaseModel)


def error_of(response: httpx.Response) -> AslError:
    """Build the error that a problem tells of: of the class that has its code, with its message and hint."""
    problem = _problem_in(response)
    if problem is None:
        return _without_problem(response)
    code, message, hint = (str(problem.get(name, "")) for name in ("code", "detail", "hint"))
    kind = _CLASSES.get(code) or _BY_STATUS.get(response.status_code, AslError)
    if kind is AslError and response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{message} (request_id {problem.get('request_id', 'unknown')})"
    return kind(message or f"the server answered with status {response.status_code}", hint=hint)


def unreachable(error: httpx.RequestError, url: str) -> Unavailable:
    """Build the error for a server that did not answer."""
    return Unavailable(
        f"no answer from {url}: {str(error) or type(error).__name__}",
        hint="Check --url or ASL_URL, and that the server runs (asl serve).",
    )


def read(answer: type[_Answer], response: httpx.Response) -> _Answer:
    """Read an answer; members that a newer server adds are ignored.

    Raises:
        AslError: It is no such answer.
    """
    try:
        return answer.model_validate_json(response.content, extra="ignore")
    except ValidationError as error:
        raise AslError(
            f"expected {answer.__name__} from {response.request.url.path}, found something else",
            hint="Check that --url or ASL_URL is this platform's, and that client and server are of one version.",
        ) from error


def _problem_in(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        found = response.json()
    except ValueError:  # JSON or its encoding
        return None
    return found if isinstance(found, dict) and "code" in found else None


def _without_problem(response: httpx.Response) -> AslError:
    """Build the error for an answer that is not of this API: a proxy's, or another server's."""
    status = response.status_code
    kind = Unavailable if status in (502, 503, 504) else _BY_STATUS.get(status, AslError)
    return kind(
        f"expected an answer of this platform from {response.request.url}, found status {status}",
        hint="Check --url or ASL_URL.",
    )


def _tree(kind: type[AslError]) -> Iterator[type[AslError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)


_CLASSES: Final = {kind.code: kind for kind in _tree(AslError)}

_BY_STATUS: Final[Mapping[int, type[AslError]]] = {
    HTTPStatus.BAD_REQUEST: InvalidInput,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: InvalidInput,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: InvalidInput,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidInput,
    HTTPStatus.TOO_MANY_REQUESTS: QuotaExceeded,
}
"""For problems that the server's framework finds, which have codes of its own."""
