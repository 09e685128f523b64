"""Make all tables."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: Final = "0001"
down_revision: Final[str | None] = None
branch_labels: Final[Sequence[str] | None] = None
depends_on: Final[Sequence[str] | None] = None

_JSON: Final = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("max_unfinished_jobs", _BIG, nullable=True),
        sa.Column("calls_per_minute", _BIG, nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_used_at", sa.Float(precision=53), nullable=True),
        sa.Column("revoked_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_sha256"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "component",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.Column("seen_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "dataset",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "name", name="uq_dataset_tenant_name"),
    )
    op.create_table(
        "idempotent_call",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", _JSON, nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key"),
    )
    with op.batch_alter_table("idempotent_call", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotent_call_created_at"), ["created_at"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("submitted_by", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", _BIG, nullable=False),
        sa.Column("turn", _BIG, nullable=False),
        sa.Column("n_waiting_for", _BIG, nullable=False),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("shard", _BIG, nullable=True),
        sa.Column("n_shards", _BIG, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("request", _JSON, nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("attempt", _BIG, nullable=False),
        sa.Column("n_crashes", _BIG, nullable=False),
        sa.Column("max_attempts", _BIG, nullable=False),
        sa.Column("lost_count", _BIG, nullable=False),
        sa.Column("not_before", sa.Float(precision=53), nullable=False),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("lease_until", sa.Float(precision=53), nullable=True),
        sa.Column("progress", _JSON, nullable=True),
        sa.Column("progress_at", sa.Float(precision=53), nullable=True),
        sa.Column("cancel_requested_at", sa.Float(precision=53), nullable=True),
        sa.Column("checkpoint", _JSON, nullable=True),
        sa.Column("webhook", sa.Text(), nullable=True),
        sa.Column("result", _JSON, nullable=True),
        sa.Column("error", _JSON, nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("queued_at", sa.Float(precision=53), nullable=True),
        sa.Column("started_at", sa.Float(precision=53), nullable=True),
        sa.Column("finished_at", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_page",
            ["tenant", "created_at", "id"],
            unique=False,
            postgresql_where=sa.text("parent_id IS NULL"),
            sqlite_where=sa.text("parent_id IS NULL"),
        )
        batch_op.create_index("ix_job_parent", ["parent_id"], unique=False)
        batch_op.create_index(
            "ix_job_queue",
            ["queue", sa.literal_column("priority DESC"), "turn", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index("ix_job_reuse", ["tenant", "fingerprint"], unique=False)
        batch_op.create_index("ix_job_state", ["state", "queue", "kind"], unique=False)

    op.create_table(
        "artifact",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", _BIG, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", _BIG, nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "name", name="uq_artifact_job_name"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "dataset_version",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("number", _BIG, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("manifest_key", sa.Text(), nullable=False),
        sa.Column("n_samples", _BIG, nullable=False),
        sa.Column("counts", _JSON, nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset_id", "number", name="uq_dataset_version_number"),
    )
    op.create_table(
        "job_dependency",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("needs_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["needs_id"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "needs_id"),
    )
    with op.batch_alter_table("job_dependency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_dependency_needs_id"), ["needs_id"], unique=False)

    op.create_table(
        "job_event",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("data", _JSON, nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("job_event", schema=None) as batch_op:
        batch_op.create_index("ix_job_event_job", ["job_id", "id"], unique=False)

    op.create_table(
        "model",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("number", _BIG, nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", _BIG, nullable=False),
        sa.Column("label_names", _JSON, nullable=False),
        sa.Column("metrics", _JSON, nullable=False),
        sa.Column("lineage", _JSON, nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id"),
        sa.UniqueConstraint("tenant", "number", name="uq_model_tenant_number"),
    )
    op.create_table(
        "sample",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("signer", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", _BIG, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dataset_id", "sha256", name="uq_sample_dataset_sha256"),
    )
    with op.batch_alter_table("sample", schema=None) as batch_op:
        batch_op.create_index("ix_sample_class", ["dataset_id", "label", "signer"], unique=False)
        batch_op.create_index("ix_sample_page", ["dataset_id", "created_at", "id"], unique=False)

    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("n_tries", _BIG, nullable=False),
        sa.Column("next_try_at", sa.Float(precision=53), nullable=True),
        sa.Column("delivered_at", sa.Float(precision=53), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id"),
    )
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_delivery_next_try_at"), ["next_try_at"], unique=False)

    op.create_table(
        "evaluation",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("model_id", sa.String(length=32), nullable=False),
        sa.Column("data_digest", sa.String(length=64), nullable=False),
        sa.Column("figures", _JSON, nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("job_id"),
    )
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evaluation_model_id"), ["model_id"], unique=False)

    op.create_table(
        "model_alias",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("alias", sa.String(length=32), nullable=False),
        sa.Column("model_id", sa.String(length=32), nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("since", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("tenant", "alias"),
    )
    op.create_table(
        "promotion",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("alias", sa.String(length=32), nullable=False),
        sa.Column("revision", _BIG, autoincrement=False, nullable=False),
        sa.Column("model_id", sa.String(length=32), nullable=False),
        sa.Column("previous_model_id", sa.String(length=32), nullable=True),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"]),
        sa.ForeignKeyConstraint(["previous_model_id"], ["model.id"]),
        sa.PrimaryKeyConstraint("tenant", "alias", "revision"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("promotion")
    op.drop_table("model_alias")
    with op.batch_alter_table("evaluation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evaluation_model_id"))

    op.drop_table("evaluation")
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_delivery_next_try_at"))

    op.drop_table("webhook_delivery")
    with op.batch_alter_table("sample", schema=None) as batch_op:
        batch_op.drop_index("ix_sample_page")
        batch_op.drop_index("ix_sample_class")

    op.drop_table("sample")
    op.drop_table("model")
    with op.batch_alter_table("job_event", schema=None) as batch_op:
        batch_op.drop_index("ix_job_event_job")

    op.drop_table("job_event")
    with op.batch_alter_table("job_dependency", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_dependency_needs_id"))

    op.drop_table("job_dependency")
    op.drop_table("dataset_version")
    op.drop_table("artifact")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index("ix_job_state")
        batch_op.drop_index("ix_job_reuse")
        batch_op.drop_index("ix_job_queue", postgresql_where=sa.text("state = 'queued'"))
        batch_op.drop_index("ix_job_parent")
        batch_op.drop_index("ix_job_page")

    op.drop_table("job")
    with op.batch_alter_table("idempotent_call", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotent_call_created_at"))

    op.drop_table("idempotent_call")
    op.drop_table("dataset")
    op.drop_table("component")
    op.drop_table("api_key")
