"""Settings from the environment and from `.env` in the working directory; nothing else reads either."""

import difflib
import os
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from asl.contracts import ExtractionOptions, MaxNumHands, MinDetectionConfidence, MinTrackingConfidence
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
    min_detection_confidence: MinDetectionConfidence = 0.5
    min_tracking_confidence: MinTrackingConfidence = 0.5
    max_num_hands: MaxNumHands = 1
    recognition_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Landmarkers at work at once; the number of cores where unset.",
    )
    max_image_bytes: int = Field(20 * 1024 * 1024, ge=1024, description="Largest image file accepted, in bytes.")
    log_json: bool = Field(default=False, description="Write log lines as JSON instead of text.")

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


def unknown_names() -> dict[str, str | None]:
    """Find names that look like settings of ours but are none: a typing error is worth a warning.

    Returns:
        Each unknown `ASL_` name, with the nearest setting where there is one.
    """
    known = [_PREFIX + name.upper() for name in Settings.model_fields]
    given = {*os.environ, *dotenv_values(_ENV_FILE)}
    unknown = sorted(name for name in given if name.startswith(_PREFIX) and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), None) for name in unknown}
