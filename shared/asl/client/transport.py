"""Calls of the API over HTTP: which ones are tried again, and how answers and problems become types of ours."""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretStr

from asl.client.problems import error_of, read, unreachable
from asl.contracts import MAX_PAGE, Page
from asl.errors import NotFound, OptionsInvalid

API: Final = "/api/v1"
IDEMPOTENCY_KEY: Final = "Idempotency-Key"

_TRIED_AGAIN: Final = frozenset({429, 502, 503, 504})
_FIRST_DELAY_S: Final = 0.2
_MAX_DELAY_S: Final = 10.0
_PIECE_BYTES: Final = 1024 * 1024
_READ_TIMEOUT_S: Final = 60.0
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_Item = TypeVar("_Item", bound=BaseModel)

OnRetry = Callable[[str, float], None]
"""Told why a call is tried again, and after how many seconds."""


@dataclass(frozen=True)
class Call:
    """A request that can be sent several times."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    headers: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    form: Mapping[str, str] | None = None
    body: Callable[[], Iterator[bytes]] | None = None
    """Makes the raw body anew for each try."""
    is_repeatable: bool = True
    """Whether it can come twice without harm; otherwise it is only tried again where it certainly did nothing."""
    timeout_s: float = _READ_TIMEOUT_S
    answers: frozenset[int] = frozenset()
    """Statuses of errors that are answers here."""


class Transport:
    """Connections to one server, shared by any number of threads."""

    def __init__(self, url: str, api_key: SecretStr | str | None, patience_s: float, on_retry: OnRetry | None) -> None:
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._on_retry = on_retry
        secret = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        # No proxies and no .netrc: the key goes to the server that was named, and nowhere else.
        self._http = httpx.Client(
            base_url=_checked(self.url),
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
            timeout=httpx.Timeout(_READ_TIMEOUT_S, connect=10.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            trust_env=False,
        )

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def get(self, path: str, answer: type[_Item], **params: Any) -> _Item:
        """Read one thing."""
        return read(answer, self.send(Call("GET", path, params=_given(params))))

    def items(self, path: str, item: type[_Item], **params: Any) -> Iterator[_Item]:
        """Read a list to its end, page by page, as it is asked for."""
        cursor: str | None = None
        while True:
            given = _given({**params, "limit": MAX_PAGE, "cursor": cursor})
            page = read(Page[item], self.send(Call("GET", path, params=given)))  # type: ignore[valid-type]  # a parameter
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def post(self, path: str, answer: type[_Item], body: BaseModel | None = None) -> _Item:
        """Make something; a key of its own makes sure that it is made once, however often it is sent."""
        content = body.model_dump(mode="json") if body is not None else None
        return read(answer, self.send(Call("POST", path, json=content, headers={IDEMPOTENCY_KEY: new_key()})))

    def send(self, call: Call) -> httpx.Response:
        """Send a request, again where that is safe and can help, and return the whole answer.

        Raises:
            AslError: The server answered a problem.
            Unavailable: It was not reached.
        """
        with self.stream(call) as response:
            return response

    @contextmanager
    def stream(self, call: Call, *, is_read_in_parts: bool = False) -> Iterator[httpx.Response]:
        """Send a request, again where that is safe and can help.

        Args:
            call: The request.
            is_read_in_parts: Leave the reading of the body to the caller.

        Raises:
            AslError: The server answered a problem.
            Unavailable: It was not reached.
        """
        response = self._send_patiently(call, is_read_in_parts=is_read_in_parts)
        try:
            yield response
        finally:
            response.close()

    def _send_patiently(self, call: Call, *, is_read_in_parts: bool) -> httpx.Response:
        give_up_at, n_tries = time.monotonic() + self._patience_s, 0
        while True:
            n_tries += 1
            # Full jitter, so that clients that were cut off together do not come back together.
            delay_s = min(_FIRST_DELAY_S * 2**n_tries, _MAX_DELAY_S) * random.uniform(0.5, 1)  # noqa: S311 - no secret
            try:
                response = self._try(call, is_read_in_parts=is_read_in_parts)
            except httpx.RequestError as error:
                if not _can_repeat(call, error) or time.monotonic() + delay_s > give_up_at:
                    raise unreachable(error, self.url) from error
                self._wait(f"no answer from {self.url}", delay_s)
                continue
            if response.is_success or response.is_redirect or response.status_code in call.answers:
                return response
            problem = error_of(response)
            delay_s = max(delay_s, _retry_after_s(response))
            may_help = response.status_code in _TRIED_AGAIN and (call.is_repeatable or response.status_code == 429)
            if not may_help or time.monotonic() + delay_s > give_up_at:
                raise problem
            self._wait(problem.message, delay_s)

    def _try(self, call: Call, *, is_read_in_parts: bool) -> httpx.Response:
        request = self._http.build_request(
            call.method,
            call.path,
            params=call.params,
            json=call.json,
            headers=call.headers,
            files=call.files,
            data=call.form,
            content=call.body() if call.body else None,
            timeout=httpx.Timeout(call.timeout_s, connect=10.0),
        )
        response = self._http.send(request, stream=True, follow_redirects=call.method == "GET")
        try:
            if not (is_read_in_parts and response.is_success):
                response.read()
        except BaseException:
            response.close()
            raise
        return response

    def _wait(self, why: str, delay_s: float) -> None:
        if self._on_retry:
            self._on_retry(why, delay_s)
        time.sleep(delay_s)


def new_key() -> str:
    """Return an Idempotency-Key for one call."""
    return uuid.uuid4().hex


def segment(name: str | int) -> str:
    """Return a name as one part of a path."""
    return quote(str(name), safe="")


def pieces_of(path: Path, on_bytes: Callable[[int], None] | None = None) -> Callable[[], Iterator[bytes]]:
    """Return what reads a file from its beginning, for a call's body.

    Args:
        path: The file.
        on_bytes: Told how many bytes were read.

    Raises:
        NotFound: There is no such file.
    """
    if not path.is_file():
        raise NotFound(f"no file at {path}", hint="Check the path.")

    def pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
                if on_bytes:
                    on_bytes(file.tell())

    return pieces


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _can_repeat(call: Call, error: httpx.RequestError) -> bool:
    return isinstance(error, httpx.TransportError) and (call.is_repeatable or isinstance(error, _NEVER_SENT))


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise OptionsInvalid(f"expected a server's address, found {url!r:.100} ({error})") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise OptionsInvalid(
            f"expected a server's address, found {url!r:.100}", hint="Such as http://127.0.0.1:8000 (--url, ASL_URL)."
        )
    return url


def _retry_after_s(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    if response.status_code not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE) or not value:
        return 0.0
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
