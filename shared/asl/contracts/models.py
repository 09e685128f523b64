"""Trained models: their versions, where they come from, and which one answers."""

from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from asl.contracts.base import Contract, Id, Sha256, Time

_NOT_FORCED: Final[JsonDict] = {"properties": {"force": {"const": False}}}
_WITH_REASON: Final[JsonDict] = {"required": ["reason"], "properties": {"reason": {"pattern": r"\S"}}}


class Alias(StrEnum):
    """Roles that a model can have."""

    CANDIDATE = "candidate"
    PRODUCTION = "production"


class ModelSource(StrEnum):
    """How a model came here."""

    TRAINING = "training"
    IMPORT = "import"


class Lineage(Contract):
    """What a model was made of, by content."""

    job_id: Id | None
    code_version: str
    features: tuple[Sha256, ...] = Field(description="Of the files that it was trained on.")
    dataset_versions: tuple[Sha256, ...] = Field(description="Digests of the data sets' versions.")


class Evaluation(Contract):
    """How a model did on some features."""

    job_id: Id
    data_digest: Sha256 = Field(description="Equal where the same features were judged.")
    n_rows: int
    accuracy: float
    unseen_accuracy: float | None = Field(description="Of rows that the model was neither trained nor judged on.")
    macro_f1: float
    worst_group: str | None
    worst_group_accuracy: float | None
    created_at: Time


class Model(Contract):
    """One version of the classifier."""

    id: Id
    number: int = Field(description="Counts up from 1.")
    version: str = Field(description="As answers to recognition calls name it.")
    source: ModelSource
    sha256: Sha256
    size_bytes: int
    label_names: tuple[str, ...]
    metrics: dict[str, Any]
    lineage: Lineage
    evaluations: tuple[Evaluation, ...]
    aliases: tuple[Alias, ...]
    created_at: Time


class AliasState(Contract):
    """Which model has a role; `revision` is the ETag to change it with."""

    alias: Alias
    model_id: Id
    number: int
    revision: int
    since: Time


class PromotionRequest(Contract):
    """A model is to have a role."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_NOT_FORCED, _WITH_REASON]})

    model: Id
    force: bool = Field(default=False, description="Although the quality gate refuses; needs a reason.")
    reason: str = Field("", max_length=500)


class RollbackRequest(Contract):
    """The model before is to have a role again."""

    reason: str = Field("", max_length=500)


class Promotion(Contract):
    """An entry in the history of a role."""

    alias: Alias
    revision: int
    model_id: Id
    number: int
    previous_model_id: Id | None
    forced: bool
    reason: str
    gate: str = Field(description="What the quality gate said.")
    by: str = Field(description="Name of the API key.")
    at: Time
