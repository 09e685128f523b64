"""Long work: what is asked for, what state it is in, what it has made."""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, HttpUrl, JsonValue, TypeAdapter, model_validator

from asl.contracts.base import ID_PATTERN, Contract, Id, Name, Sha256, Time
from asl.contracts.learning import Device, PreparationOptions, TrainingOptions, TuningOptions, TuningTrial

MAX_CHAIN: Final = 100
SHARD_SIZE: Final = 500
"""Photographs in a part of an extraction, which any number of workers take at once."""

PRIORITY_RANGE: Final = (-10, 10)


class JobKind(StrEnum):
    """What a job does."""

    EXTRACTION = "extraction"
    EXTRACTION_SHARD = "extraction_shard"
    TRAINING = "training"
    TUNING = "tuning"
    EVALUATION = "evaluation"
    EXPORT = "export"
    MODEL_IMPORT = "model_import"
    PROBE = "probe"


class JobState(StrEnum):
    """Where a job stands; the legal moves are drawn in `asl.infra.jobs`."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Queue(StrEnum):
    """Which workers take a job."""

    CPU = "cpu"
    GPU = "gpu"


_JobRef = Annotated[
    str,
    Field(
        pattern=rf"({ID_PATTERN})|^[a-z][a-z0-9_-]{{0,30}}$",
        description="A job's id, or within a chain the `ref` of another job of it.",
    ),
]


def _one_of(*names: str) -> ConfigDict:
    """Tell readers of the JSON schema that exactly one of these members is given, and is not null."""
    given: list[JsonValue] = [{"required": [name], "properties": {name: {"type": "string"}}} for name in names]
    return ConfigDict(json_schema_extra={"oneOf": given})


class FeaturesRef(Contract):
    """Labelled hands: of an extraction, or of a data set, which is then extracted first where it has not been."""

    model_config = _one_of("job", "dataset")

    job: _JobRef | None = Field(None, description="An extraction.")
    dataset: Name | None = Field(None, description="A data set, by id or name.")
    version: int | None = Field(None, ge=1, description="The data set's version; as it is now if not given.")
    preparation: PreparationOptions = PreparationOptions()

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.job is None) == (self.dataset is None):
            raise ValueError("expected either a job or a dataset")
        return self


class ModelRef(Contract):
    """A model: by its id, by an alias, or as the result of a training or an import."""

    model_config = _one_of("id", "alias", "job")

    id: Id | None = None
    alias: Name | None = None
    job: _JobRef | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(value is not None for value in (self.id, self.alias, self.job)) != 1:
            raise ValueError("expected one of id, alias and job")
        return self


def _kind_is_required(schema: dict[str, Any]) -> None:
    # It has a default for callers in Python; in JSON it tells the kinds apart.
    schema["required"] = ["kind", *schema.get("required", ())]


class _Request(Contract):
    """What can be said of any job."""

    model_config = ConfigDict(json_schema_extra=_kind_is_required)

    name: Name | None = Field(None, description="What people call it.")
    priority: int = Field(
        0, ge=PRIORITY_RANGE[0], le=PRIORITY_RANGE[1], description="Higher ones of a queue start first."
    )
    depends_on: tuple[_JobRef, ...] = Field((), max_length=MAX_CHAIN, description="Jobs that must succeed before.")
    max_attempts: int = Field(3, ge=1, le=10, description="How often it is tried when it crashes.")
    webhook: HttpUrl | None = Field(None, description="Address that is told of the end.", max_length=2000)
    ref: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")] | None = Field(
        None, description="What other jobs of the same chain call it."
    )


class ExtractionRequest(_Request):
    """Photographs of a data set's version to features."""

    kind: Literal[JobKind.EXTRACTION] = JobKind.EXTRACTION
    dataset: Name = Field(description="A data set, by id or name.")
    version: int | None = Field(None, ge=1, description="Its version; as it is now if not given.")
    options: PreparationOptions = PreparationOptions()


class TrainingRequest(_Request):
    """Features to a model."""

    kind: Literal[JobKind.TRAINING] = JobKind.TRAINING
    data: tuple[FeaturesRef, ...] = Field(min_length=1, max_length=50)
    train_only: tuple[FeaturesRef, ...] = Field((), max_length=50, description="Rows that never validate.")
    options: TrainingOptions = TrainingOptions()
    device: Device | None = Field(None, description="cuda where there is one if not given.")
    pretrained: ModelRef | None = Field(None, description="Model whose layers are taken over where they fit.")
    resume: _JobRef | None = Field(None, description="Training with the same data to go on from, with more epochs.")


class TuningRequest(_Request):
    """Features to the settings with which a training reads new signers best."""

    kind: Literal[JobKind.TUNING] = JobKind.TUNING
    data: tuple[FeaturesRef, ...] = Field(min_length=1, max_length=50)
    train_only: tuple[FeaturesRef, ...] = Field((), max_length=50, description="Rows that are never tested on.")
    options: TrainingOptions = Field(
        TrainingOptions(), description="Of every trial; learning rate, dropout and hidden sizes are chosen by `tuning`."
    )
    tuning: TuningOptions = TuningOptions()
    device: Device | None = Field(None, description="cuda where there is one if not given.")


class EvaluationRequest(_Request):
    """A model's answers compared with the letters of features."""

    kind: Literal[JobKind.EVALUATION] = JobKind.EVALUATION
    model: ModelRef
    data: tuple[FeaturesRef, ...] = Field(min_length=1, max_length=50)
    batch_size: int = Field(32, ge=1, le=65536)
    device: Device | None = None
    allow_unknown_labels: bool = Field(
        default=False, description="Count letters that the model does not know as mistakes instead of refusing them."
    )


class ExportRequest(_Request):
    """A model to ONNX."""

    kind: Literal[JobKind.EXPORT] = JobKind.EXPORT
    model: ModelRef


class ProbeRequest(_Request):
    """Work that only takes time: tries the whole road from the call to the worker and the store."""

    kind: Literal[JobKind.PROBE] = JobKind.PROBE
    queue: Queue = Queue.CPU
    n_steps: int = Field(1, ge=0, le=10_000)
    step_s: float = Field(0.0, ge=0, le=60)


JobRequest = Annotated[
    ExtractionRequest | TrainingRequest | TuningRequest | EvaluationRequest | ExportRequest | ProbeRequest,
    Field(discriminator="kind"),
]
REQUESTS: Final[TypeAdapter[JobRequest]] = TypeAdapter(JobRequest)


class ChainRequest(Contract):
    """Several jobs in one call: all are accepted, or none."""

    jobs: tuple[JobRequest, ...] = Field(min_length=1, max_length=MAX_CHAIN)


class Progress(Contract):
    """How far a job is; figures of a training are those of its last epoch."""

    done: int = Field(0, ge=0)
    total: int | None = Field(None, ge=0)
    unit: str = ""
    rate_per_s: float | None = None
    eta_s: float | None = None
    note: str = ""
    epoch: int | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    learning_rate: float | None = None
    trial: TuningTrial | None = Field(None, description="What of a tuning is told: the trial that got on, or ended.")


class JobError(Contract):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class ShardCounts(Contract):
    """The parts into which a job is divided."""

    total: int
    succeeded: int
    running: int


class Job(Contract):
    """A job as it stands."""

    id: Id
    kind: JobKind
    name: str | None
    state: JobState
    queue: Queue
    priority: int
    attempt: int = Field(description="How often it was begun.")
    max_attempts: int
    lost_count: int = Field(description="How often its worker vanished since it last got on.")
    position: int | None = Field(description="Jobs of its queue that start before it; null unless queued.")
    progress: Progress
    shards: ShardCounts | None
    depends_on: tuple[Id, ...]
    request: dict[str, Any]
    result: dict[str, Any] | None
    error: JobError | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class EventKind(StrEnum):
    """What an event tells."""

    STATE = "state"
    PROGRESS = "progress"
    LOG = "log"


class JobEvent(Contract):
    """Something that happened to a job; `id` grows."""

    id: int
    at: Time
    kind: EventKind
    attempt: int
    data: dict[str, Any]


class Artifact(Contract):
    """A file that a job has made."""

    name: str
    sha256: Sha256
    size_bytes: int
    media_type: str
    created_at: Time
