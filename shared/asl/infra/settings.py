"""Settings from the environment and from `.env` in the working directory; nothing else reads either."""

import difflib
import os
from pathlib import Path
from typing import Final

import platformdirs
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from asl.contracts import (
    ExtractionOptions,
    MaxNumHands,
    MinDetectionConfidence,
    MinTrackingConfidence,
    Queue,
    SecondLookBelow,
)
from asl.errors import OptionsInvalid

_PREFIX: Final = "ASL_"
_ENV_FILE: Final = Path(".env")


class Settings(BaseSettings):
    """Every setting of the platform; each is an environment variable `ASL_<NAME>` or a line of `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_file=_ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    classifier_path: Path | None = Field(
        None, description="Trained model (.pt) that answers recognition calls; the starter model where unset."
    )
    hand_landmarker_path: Path | None = Field(
        None, description="The hand landmarker's model file; one in the user's cache folder where unset."
    )
    min_detection_confidence: MinDetectionConfidence = 0.3
    min_tracking_confidence: MinTrackingConfidence = 0.5
    max_num_hands: MaxNumHands = 1
    second_look_below: SecondLookBelow = 0.85
    recognition_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Landmarkers at work at once; the number of cores where unset.",
    )
    max_image_bytes: int = Field(20 * 1024 * 1024, ge=1024, description="Largest image file accepted, in bytes.")
    home: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("asl-platform"),
        description="Folder of the database and the artifacts where neither has a URL.",
    )
    database_url: SecretStr | None = Field(
        None, description="Postgres (`postgresql://user:password@host/name`) or SQLite; a file in ASL_HOME where unset."
    )
    storage_url: str | None = Field(
        None, description="Where artifacts live: a folder or `s3://...`; a folder in ASL_HOME where unset."
    )
    storage_access_key: SecretStr | None = Field(None, description="Access key of the S3 store.")
    storage_secret_key: SecretStr | None = Field(None, description="Secret key of the S3 store.")
    redis_url: SecretStr | None = Field(
        None,
        description="Redis, through which Celery workers are rung; local workers look for themselves.",
    )
    recognition_tenant: str = Field("local", description="Whose model in production answers recognition calls.")
    require_key: bool | None = Field(
        None, description="Whether calls need an API key; by default where the database is Postgres."
    )
    scaled_queues: tuple[Queue, ...] = Field(
        (),
        description="Queues whose workers something starts when a job waits, and ends when none does, as a JSON list: "
        "that such a queue has no worker is no fault.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names of the service beside localhost, as a JSON list; of no use where calls need keys."
    )
    worker_slots: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Jobs of the cpu queue at work at once in a worker; the number of cores where unset.",
    )
    lease_s: float = Field(30.0, ge=1, le=3600, description="After so many seconds of silence a worker counts as dead.")
    stall_s: float = Field(900.0, ge=1, description="After so many seconds without progress a job is ended.")
    cancel_grace_s: float = Field(10.0, ge=0, description="Seconds that a job told to end has before it is killed.")
    checkpoint_s: float = Field(15.0, gt=0, description="Seconds between two checkpoints of a training.")
    job_niceness: int = Field(
        19,
        ge=0,
        le=19,
        description="How far jobs give way to all else on their machine, recognition above all: 0 not at all, 19 most.",
    )
    job_memory_bytes: int | None = Field(
        None, ge=64 * 1024 * 1024, description="A job's process that takes more memory is ended; no limit where unset."
    )
    max_archive_bytes: int = Field(
        20 * 1024**3, ge=1024, description="Largest archive of photographs accepted, in bytes."
    )
    max_model_bytes: int = Field(256 * 1024**2, ge=1024, description="Largest model file accepted, in bytes.")
    max_unfinished_jobs: int = Field(
        1000, ge=1, description="Unfinished jobs that a tenant may have, where its key says nothing else."
    )
    gate_margin: float = Field(
        0.01, ge=0, le=1, description="By how much accuracy a promoted model may be worse than production."
    )
    alive_file: Path | None = Field(
        None, description="A file that workers and dispatchers touch while they work, for whoever watches them."
    )
    webhook_hosts: tuple[str, ...] = Field(
        (), description="Hosts that may be told of a job's end, as a JSON list; none where unset."
    )
    webhook_secret: SecretStr | None = Field(
        None, min_length=24, description="Signs what webhooks send (at least 24 characters)."
    )
    url: str = Field("http://127.0.0.1:8000", description="Server that `asl dataset`, `asl job` and `asl model` call.")
    api_key: SecretStr | None = Field(None, description="API key with which they call it.")
    code_version: str = Field("", description="Commit that runs, told in the lineage of models.")
    log_json: bool = Field(default=False, description="Write log lines as JSON instead of text.")

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url.get_secret_value() if self.database_url else f"sqlite:///{self.home.absolute()}/asl.db"

    @property
    def storage(self) -> str:
        """The store's URL."""
        return self.storage_url or str(self.home.absolute() / "artifacts")

    @property
    def keys_required(self) -> bool:
        """Whether calls need an API key."""
        return self.require_key if self.require_key is not None else not self.database.startswith("sqlite")

    @property
    def extraction(self) -> ExtractionOptions:
        """How hands are looked for in a picture."""
        return ExtractionOptions(**{name: getattr(self, name) for name in ExtractionOptions.model_fields})


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        OptionsInvalid: A value does not fit its setting.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = _PREFIX + "_".join(str(part) for part in first["loc"]).upper().removeprefix(_PREFIX)
        raise OptionsInvalid(f"{name}: {first['msg']}", hint="Correct it in the environment or in .env.") from error


def are_traces_wanted() -> bool:
    """Tell whether the environment names a receiver of traces, in OpenTelemetry's own words; its SDK reads the rest."""
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def unknown_names() -> dict[str, str | None]:
    """Find names that look like settings of ours but are none: a typing error is worth a warning.

    Returns:
        Each unknown `ASL_` name, with the nearest setting where there is one.
    """
    known = [_PREFIX + name.upper() for name in Settings.model_fields]
    given = {*os.environ, *dotenv_values(_ENV_FILE)}
    unknown = sorted(name for name in given if name.startswith(_PREFIX) and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), None) for name in unknown}
