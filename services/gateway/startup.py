"""What the gateway loads when it starts; what cannot be loaded is told, and does not keep the server from starting."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, cast

import structlog
from PIL import Image
from starlette.requests import HTTPConnection

from asl.core import images, landmarker
from asl.core.sequence import SequenceModels, load_sequence_models
from asl.errors import AslError, LandmarkerUnavailable
from asl.infra import logs
from asl.infra.database import Database
from asl.infra.settings import Settings
from asl.infra.storage import Storage
from asl.infra.stores import database_of, storage_of
from services.gateway.batches import Batches
from services.gateway.live_trackers import LiveTrackers
from services.gateway.model_following import ModelFollower
from services.gateway.recognizer_pool import RecognizerPool
from services.gateway.served_model import NOT_LOADED_HINT, Serving, ServingRecognizer

_log = structlog.get_logger()

_WARM_UP_PIXELS: Final = 480


@dataclass(frozen=True)
class Gateway:
    """The running gateway's parts."""

    settings: Settings
    database: Database
    storage: Storage
    pool: RecognizerPool[ServingRecognizer] | None = None
    batches: Batches = field(default_factory=Batches)
    trackers: LiveTrackers = field(default_factory=LiveTrackers)
    serving: Serving = field(default_factory=Serving)
    sequences: SequenceModels = field(default_factory=load_sequence_models)
    follower: ModelFollower | None = None
    landmarker_problem: AslError | None = None

    @cached_property
    def keys_required(self) -> bool:
        """Whether calls need an API key; the settings find it out from paths each time."""
        return self.settings.keys_required

    @property
    def model_version(self) -> str | None:
        """The version of the classifier that answers, if any does."""
        return None if self.serving.is_empty else self.serving.current.classifier.version

    @property
    def problems(self) -> Mapping[str, AslError]:
        """Why recognition cannot answer, by the name of what is not there; empty when all is well."""
        classifier = self.serving.refused if self.serving.is_empty else None
        found = {"classifier": classifier, "landmarker": self.landmarker_problem}
        return {name: problem for name, problem in found.items() if problem is not None}

    def recognizers(self) -> RecognizerPool[ServingRecognizer]:
        """Return the pool.

        Raises:
            ModelNotLoaded, LandmarkerUnavailable: There is nothing to recognize with.
        """
        _ = self.serving.current
        if self.pool is None:
            raise LandmarkerUnavailable("the hand landmarker is not loaded", hint=NOT_LOADED_HINT)
        return self.pool

    def follow(self) -> None:
        """Follow the model in production from now on, until `close`."""
        if self.follower is not None:
            self.follower.start()

    def close(self) -> None:
        """End the threads of this gateway, and free its recognizers."""
        if self.follower is not None:
            self.follower.close()
        if self.pool is not None:
            self.pool.close()
        self.trackers.close()


def gateway_of(connection: HTTPConnection) -> Gateway:
    """Return the parts of the gateway that a request or a WebSocket came to."""
    return cast("Gateway", connection.app.state.gateway)


def load(settings: Settings) -> Gateway:
    """Load the classifier and one landmarker a thread, and run each once."""
    database, storage, serving = database_of(settings), storage_of(settings), Serving()
    follower = ModelFollower(settings, database, storage, serving, tenant=settings.recognition_tenant)
    follower.look()
    pool, problem = None, None
    try:
        pool = _start_pool(settings, serving, landmarker.ensure(settings.hand_landmarker_path))
    except AslError as error:
        problem = error
        _log.error("landmarker not loaded", why=error.message, hint=error.hint)
    gateway = Gateway(settings, database, storage, pool, serving=serving, follower=follower, landmarker_problem=problem)
    if not gateway.problems:
        _log.info("ready", classifier=gateway.model_version, threads=settings.recognition_threads)
    return gateway


def _start_pool(settings: Settings, serving: Serving, path: Path) -> RecognizerPool[ServingRecognizer]:
    with contextlib.suppress(AslError):
        images.decode(b"no image")  # Pillow imports all of its decoders at the first refusal
    with logs.native_logs_muted():
        pool = RecognizerPool(_recognizers(settings, serving, path))
        picture = _grey_picture()
        pool.warm_up(lambda recognizer: recognizer.recognize(picture))
    return pool


def _recognizers(settings: Settings, serving: Serving, path: Path) -> list[ServingRecognizer]:
    return [
        ServingRecognizer(serving, path, settings.extraction, max_image_bytes=settings.max_image_bytes)
        for _ in range(settings.recognition_threads)
    ]


def _grey_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (_WARM_UP_PIXELS, _WARM_UP_PIXELS), "grey").save(file, "JPEG")
    return file.getvalue()
