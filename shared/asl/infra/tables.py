"""The tables; times are seconds since 1970, UTC, on the database's clock."""

import uuid
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from asl.infra.database import now

_JSON: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_BIG: Final = BigInteger().with_variant(Integer, "sqlite")
_ID, _SHA256, _SHORT = String(32), String(64), String(100)


def new_id() -> str:
    """Return an id that no other row has: 32 hexadecimal digits."""
    return uuid.uuid4().hex


class Base(DeclarativeBase):
    """The tables' common root."""

    type_annotation_map = {float: Float(53), int: _BIG, dict[str, Any]: _JSON, list[Any]: _JSON}  # noqa: RUF012 - SQLAlchemy reads it so


class ApiKey(Base):
    """A key to the API; only its hash is kept."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(_SHORT, unique=True)
    tenant: Mapped[str] = mapped_column(_SHORT)
    key_sha256: Mapped[str] = mapped_column(_SHA256, unique=True)
    scopes: Mapped[list[Any]]
    max_unfinished_jobs: Mapped[int | None]
    calls_per_minute: Mapped[int | None]
    created_at: Mapped[float] = mapped_column(default=now())
    last_used_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class IdempotentCall(Base):
    """A call that made something, and its answer: written in the transaction that made it."""

    __tablename__ = "idempotent_call"

    tenant: Mapped[str] = mapped_column(_SHORT, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(_SHA256)
    answer: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=now(), index=True)


class Dataset(Base):
    """A named collection of labelled photographs."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("tenant", "name", name="uq_dataset_tenant_name"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(_SHORT)
    name: Mapped[str] = mapped_column(_SHORT)
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(default=now())


class Sample(Base):
    """A labelled photograph; its file is stored under the hash of its content."""

    __tablename__ = "sample"
    __table_args__ = (
        UniqueConstraint("dataset_id", "sha256", name="uq_sample_dataset_sha256"),
        Index("ix_sample_page", "dataset_id", "created_at", "id"),
        Index("ix_sample_class", "dataset_id", "label", "signer"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(1024))
    label: Mapped[str] = mapped_column(String(64))
    signer: Mapped[str] = mapped_column(_SHORT)
    sha256: Mapped[str] = mapped_column(_SHA256)
    key: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="new")
    """What the last extraction found; `excluded` stands beside it."""
    excluded: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(default=now())


class DatasetVersion(Base):
    """An immutable state of a data set; its list of samples is an object in the store."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "number", name="uq_dataset_version_number"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(_SHA256)
    """SHA-256 of the list: JSON lines, sorted."""
    manifest_key: Mapped[str] = mapped_column(Text)
    n_samples: Mapped[int]
    counts: Mapped[list[Any]]
    created_at: Mapped[float] = mapped_column(default=now())


class Job(Base):
    """A piece of long work; only `asl.infra.jobs` changes its state."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_queue", "queue", text("priority DESC"), "turn", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_job_state", "state", "queue", "kind"),
        Index(
            "ix_job_page",
            "tenant",
            "created_at",
            "id",
            postgresql_where=text("parent_id IS NULL"),
            sqlite_where=text("parent_id IS NULL"),
        ),
        Index("ix_job_reuse", "tenant", "fingerprint"),
        Index("ix_job_parent", "parent_id"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(_SHORT)
    submitted_by: Mapped[str] = mapped_column(_SHORT)
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str | None] = mapped_column(_SHORT)
    queue: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(default=0)
    turn: Mapped[int] = mapped_column(default=0)
    """Place among jobs of equal priority: tenants take turns, see `asl.infra.jobs`."""
    n_waiting_for: Mapped[int] = mapped_column(default=0)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    """Of a shard, the job that it is a part of."""
    shard: Mapped[int | None]
    n_shards: Mapped[int] = mapped_column(default=0)
    fingerprint: Mapped[str | None] = mapped_column(_SHA256)
    """Equal for jobs that make the same; only of kinds whose result can be used again."""
    request: Mapped[dict[str, Any]]
    request_id: Mapped[str] = mapped_column(String(128), default="")
    trace_parent: Mapped[str | None] = mapped_column(String(55))
    """Both of the call that submitted it: for the logs, and for `asl.infra.traces` where it is traced."""
    attempt: Mapped[int] = mapped_column(default=0)
    """Counts up with every claim: the fencing token."""
    n_crashes: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    lost_count: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[float] = mapped_column(default=0.0)
    lease_owner: Mapped[str | None] = mapped_column(_SHORT)
    lease_until: Mapped[float | None]
    progress: Mapped[dict[str, Any] | None]
    progress_at: Mapped[float | None]
    cancel_requested_at: Mapped[float | None]
    checkpoint: Mapped[dict[str, Any] | None]
    """Where the work can go on from: objects in the store, newest first."""
    webhook: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    created_at: Mapped[float] = mapped_column(default=now())
    queued_at: Mapped[float | None]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class JobDependency(Base):
    """A job waits for another one."""

    __tablename__ = "job_dependency"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    needs_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True, index=True)


class JobEvent(Base):
    """Something that happened to a job, kept for those who watch it later."""

    __tablename__ = "job_event"
    __table_args__ = (Index("ix_job_event_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    data: Mapped[dict[str, Any]]
    at: Mapped[float] = mapped_column(default=now())


class Artifact(Base):
    """A file that a job has made; the row exists only where the object does."""

    __tablename__ = "artifact"
    __table_args__ = (UniqueConstraint("job_id", "name", name="uq_artifact_job_name"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(Text, unique=True)
    sha256: Mapped[str] = mapped_column(_SHA256)
    size_bytes: Mapped[int]
    media_type: Mapped[str] = mapped_column(_SHORT)
    created_at: Mapped[float] = mapped_column(default=now())


class WebhookDelivery(Base):
    """A call that tells of a job's end, written in the transaction that ended it."""

    __tablename__ = "webhook_delivery"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), unique=True)
    url: Mapped[str] = mapped_column(Text)
    n_tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[float | None] = mapped_column(default=now(), index=True)
    """NULL where it was delivered or given up."""
    delivered_at: Mapped[float | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class Model(Base):
    """A version of the classifier."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("tenant", "number", name="uq_model_tenant_number"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=new_id)
    tenant: Mapped[str] = mapped_column(_SHORT)
    number: Mapped[int]
    version: Mapped[str] = mapped_column(_SHORT)
    """As answers to recognition calls name it."""
    source: Mapped[str] = mapped_column(String(16))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), unique=True)
    key: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(_SHA256)
    size_bytes: Mapped[int]
    label_names: Mapped[list[Any]]
    metrics: Mapped[dict[str, Any]]
    lineage: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=now())


class Evaluation(Base):
    """How a model did in an evaluation job."""

    __tablename__ = "evaluation"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), index=True)
    data_digest: Mapped[str] = mapped_column(_SHA256)
    figures: Mapped[dict[str, Any]]
    created_at: Mapped[float] = mapped_column(default=now())


class ModelAlias(Base):
    """Which model has a role now."""

    __tablename__ = "model_alias"

    tenant: Mapped[str] = mapped_column(_SHORT, primary_key=True)
    alias: Mapped[str] = mapped_column(String(32), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    revision: Mapped[int]
    since: Mapped[float] = mapped_column(default=now())


class Promotion(Base):
    """An entry in the history of a role; never changed."""

    __tablename__ = "promotion"

    tenant: Mapped[str] = mapped_column(_SHORT, primary_key=True)
    alias: Mapped[str] = mapped_column(String(32), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    previous_model_id: Mapped[str | None] = mapped_column(ForeignKey("model.id"))
    forced: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    gate: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(_SHORT)
    at: Mapped[float] = mapped_column(default=now())


class Component(Base):
    """A process of the platform and when it was last heard of."""

    __tablename__ = "component"

    id: Mapped[str] = mapped_column(_SHORT, primary_key=True)
    role: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]]
    seen_at: Mapped[float] = mapped_column(default=now())
