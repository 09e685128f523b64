"""The REST API as a typed Python client, with the words of the command line."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydantic import SecretStr

from asl.client.datasets import Datasets
from asl.client.jobs import Jobs
from asl.client.models import Models
from asl.client.problems import error_of, read
from asl.client.transport import API, Call, OnRetry, Transport
from asl.contracts import Recognition, SequenceOptions, SequenceRecognition, SequenceRequest

__all__ = ["DEFAULT_URL", "Client"]

DEFAULT_URL: Final = "http://127.0.0.1:8000"


class Client:
    """Connections to one server; threads may share it.

    Every call raises an error of `asl.errors` where the server answers a problem, and `Unavailable` where it does not
    answer. Calls are tried again where that is safe and can help: each that makes something carries an
    Idempotency-Key, so that it is made once.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        api_key: SecretStr | str | None = None,
        *,
        patience_s: float = 30.0,
        on_retry: OnRetry | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: The server.
            api_key: What it asks for, where it does.
            patience_s: How long a call is tried again where the server does not answer or is too busy.
            on_retry: Told why a call is tried again, and in how many seconds.

        Raises:
            OptionsInvalid: The address is none.
        """
        self._transport = Transport(url, api_key, patience_s, on_retry)
        self.datasets = Datasets(self._transport)
        self.jobs = Jobs(self._transport)
        self.models = Models(self._transport)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    def recognize(self, image: Path | bytes) -> Recognition:
        """Read the letter that a photograph shows.

        Args:
            image: A file, or its bytes.

        Raises:
            InvalidInput: It is no photograph.
        """
        data = image if isinstance(image, bytes) else image.read_bytes()
        name = image.name if isinstance(image, Path) else "image"
        call = Call("POST", f"{API}/asl/recognitions", files={"file": (name, data)})
        return read(Recognition, self._transport.send(call))

    def recognize_sequence(
        self, sequence: SequenceRequest, options: SequenceOptions | None = None
    ) -> SequenceRecognition:
        """Read the letters, J and Z among them, and words of a film's landmarks.

        Args:
            sequence: What a landmarker found in its frames.
            options: What the answer is to hold.

        Raises:
            InvalidInput: A frame has no hand in its points.
        """
        call = Call(
            "POST",
            f"{API}/asl/recognitions/sequence",
            params=(options or SequenceOptions()).model_dump(),
            json=sequence.model_dump(mode="json"),
        )
        return read(SequenceRecognition, self._transport.send(call))

    def readiness(self) -> Mapping[str, Any]:
        """Read what the server says of each of its dependencies.

        Returns:
            `status`: ready; degraded, where something is missing that only jobs need; or unavailable, where recognition
            cannot answer. `checks`: by the name of each dependency whether it is `ok`, and a `detail`.

        Raises:
            Unavailable: It does not answer.
        """
        call = Call("GET", "/readyz", is_repeatable=False, answers=frozenset({503}))
        response = self._transport.send(call)
        try:
            answer = response.json()
            checks = answer["checks"]
        except (ValueError, KeyError, TypeError):  # of something else, a proxy perhaps
            raise error_of(response) from None
        status = answer["status"] if response.is_success else "unavailable"
        return {"status": status, "checks": checks}

    def close(self) -> None:
        """End all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
