"""The classifier that answers: loaded and tried before it may, and exchanged between two pictures."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from asl.contracts import Recognition, RecognitionOptions
from asl.core.classifier import Classifier, load_classifier, starter_path
from asl.core.recognition import DEFAULTS, Recognizer
from asl.errors import AslError, ModelNotLoaded, Unavailable
from services.gateway.hand_answers import HandWriter

NOT_LOADED_HINT: Final = "The operator finds the reason at /readyz and in the log."


class Source(StrEnum):
    """Where the classifier comes from."""

    PATH = "path"
    PRODUCTION = "production"
    STARTER = "starter"


@dataclass(frozen=True)
class ServedModel:
    """A classifier that can answer."""

    classifier: Classifier
    sha256: str
    source: Source
    number: int | None = None
    """In the registry, of a production model."""

    @cached_property
    def writer(self) -> HandWriter:
        """What writes its answers to calls without parameters."""
        return HandWriter(self.classifier)


class Serving:
    """Which classifier answers now; one thread exchanges it, and any number read it without waiting."""

    def __init__(self) -> None:
        self._current: ServedModel | None = None
        self.refused: AslError | None = None
        """Why the classifier that should answer does not; None where it does."""

    @property
    def is_empty(self) -> bool:
        """Whether there is no classifier at all."""
        return self._current is None

    @property
    def current(self) -> ServedModel:
        """What answers.

        Raises:
            ModelNotLoaded: Nothing does.
        """
        if self._current is None:
            raise ModelNotLoaded("no classifier is loaded", hint=NOT_LOADED_HINT)
        return self._current

    def exchange(self, model: ServedModel) -> None:
        """Have another classifier answer, from the next picture of each recognizer on."""
        self._current = model
        self.refused = None


class ServingRecognizer(Recognizer):
    """A recognizer that takes each picture to the classifier that serves when it begins."""

    def __init__(self, serving: Serving, landmarker_path: Path, *args: Any, **options: Any) -> None:
        """Load the landmarker.

        Args:
            serving: Which classifier answers.
            landmarker_path: As `Recognizer` has it.
            args: As `Recognizer` has them.
            options: As `Recognizer` has them.
        """
        # Where nothing serves yet the starter only stands in, to warm up: the gateway lets no call through.
        classifier = load_classifier() if serving.is_empty else serving.current.classifier
        super().__init__(classifier, landmarker_path, *args, **options)
        self._serving = serving

    def recognize(self, data: bytes, options: RecognitionOptions = DEFAULTS) -> Recognition:
        """Read the letter that a photograph shows; all of the answer is of one classifier."""
        if not self._serving.is_empty:
            self.classifier = self._serving.current.classifier
        return super().recognize(data, options)


def load_served(path: Path, source: Source, *, version: str | None = None, number: int | None = None) -> ServedModel:
    """Load a classifier, and try whether it can answer.

    Args:
        path: Its file.
        source: Where that comes from.
        version: As answers name it; as its file is named where None.
        number: In the registry.

    Raises:
        NotFound: There is no such file.
        ModelInvalid: It is no model of ours, or gives no probabilities.
        Unavailable: The file was changed at this moment.
    """
    classifier = load_classifier(path)
    sha256 = _sha256_of(path)
    if not classifier.version.endswith(sha256[:8]):
        raise Unavailable(f"{path} was changed while it was read", hint="It is read again.")
    classifier.try_out()
    classifier.version = version or classifier.version
    return ServedModel(classifier, sha256, source, number)


def load_starter() -> ServedModel:
    """Load the classifier that comes with the package."""
    return load_served(starter_path(), Source.STARTER)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
