"""What the gateway loads when it starts; what cannot be loaded is told, and does not keep the server from starting."""

import contextlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar, cast

import structlog
from PIL import Image
from starlette.requests import Request

from asl.core import images, landmarker
from asl.core.recognition import Classifier, Recognizer, load_classifier
from asl.errors import AslError, LandmarkerUnavailable, ModelNotLoaded
from asl.infra import logs
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage
from asl.infra.stores import database_of, storage_of
from services.gateway.recognizer_pool import RecognizerPool

_log = structlog.get_logger()
_T = TypeVar("_T")

_WARM_UP_PIXELS: Final = 480


@dataclass(frozen=True)
class Gateway:
    """The running gateway's parts."""

    settings: Settings
    database: Database
    storage: Storage
    pool: RecognizerPool | None
    model_version: str | None
    problems: Mapping[str, AslError] = field(default_factory=dict)
    """Why a dependency is not there, by its name; empty when all is well."""

    def recognizers(self) -> RecognizerPool:
        """Return the pool.

        Raises:
            ModelNotLoaded, LandmarkerUnavailable: It could not be made when the gateway started.
        """
        if self.pool is not None:
            return self.pool
        hint = "The operator finds the reason at /readyz and in the log."
        if "classifier" in self.problems:
            raise ModelNotLoaded("no classifier is loaded", hint=hint)
        raise LandmarkerUnavailable("the hand landmarker is not loaded", hint=hint)


def gateway_of(request: Request) -> Gateway:
    """Return the parts of the gateway that a request came to."""
    return cast("Gateway", request.app.state.gateway)


def load(settings: Settings) -> Gateway:
    """Load the classifier and one landmarker a thread, and run each once."""
    problems: dict[str, AslError] = {}
    classifier = _try("classifier", lambda: load_classifier(settings.classifier_path), problems)
    path = _try("landmarker", lambda: landmarker.ensure(settings.hand_landmarker_path), problems)
    pool = None
    if classifier and path:
        pool = _try("landmarker", lambda: _start_pool(settings, classifier, path), problems)
    version = classifier.version if classifier else None
    if not problems:
        _log.info("ready", classifier=version, landmarker=str(path), threads=settings.recognition_threads)
    return Gateway(settings, database_of(settings), storage_of(settings), pool, version, problems)


def _try(name: str, make: Callable[[], _T], problems: dict[str, AslError]) -> _T | None:
    try:
        return make()
    except AslError as error:
        problems[name] = error
        _log.error(f"{name} not loaded", why=error.message, hint=error.hint)
        return None


def _start_pool(settings: Settings, classifier: Classifier, path: Path) -> RecognizerPool:
    with contextlib.suppress(AslError):
        images.decode(b"no image")  # Pillow imports all of its decoders at the first refusal
    with logs.native_logs_muted():
        pool = RecognizerPool(_recognizers(settings, classifier, path))
        pool.warm_up(_grey_picture())
    return pool


def _recognizers(settings: Settings, classifier: Classifier, path: Path) -> list[Recognizer]:
    return [
        Recognizer(classifier, path, settings.extraction, max_image_bytes=settings.max_image_bytes)
        for _ in range(settings.recognition_threads)
    ]


def _grey_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (_WARM_UP_PIXELS, _WARM_UP_PIXELS), "grey").save(file, "JPEG")
    return file.getvalue()
