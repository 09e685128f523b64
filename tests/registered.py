"""Models in a registry, whose jobs never ran."""

import hashlib
from datetime import UTC, datetime

from asl.contracts import JobKind, JobState, Lineage, ModelSource, Queue
from asl.infra import registry, tables
from asl.infra.jobs import NewArtifact

TENANT = "local"
LINEAGE = Lineage(job_id=None, code_version="", features=(), dataset_versions=())


def sha256_of(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


def add_job(session, kind=JobKind.TRAINING, *, tenant=TENANT, state=JobState.SUCCEEDED, request=None):
    job = tables.Job(
        id=tables.new_id(),
        tenant=tenant,
        submitted_by="test",
        kind=kind,
        queue=Queue.CPU,
        state=state,
        request=request or {},
    )
    session.add(job)
    session.flush()
    return job


def add_model(session, *, tenant=TENANT, source=ModelSource.TRAINING, stored=None, version="best-01234567", job=None):
    """Add a model; `stored` is what the store returned for its file."""
    job = job or add_job(session, tenant=tenant)
    key, sha256, size_bytes = stored or (f"jobs/{job.id}/1/best_model.pt", sha256_of(job.id), 1000)
    return registry.add_model(
        session,
        tenant=tenant,
        source=source,
        job_id=job.id,
        artifact=NewArtifact("best_model.pt", key, sha256, size_bytes, "application/octet-stream"),
        label_names="ABC",
        version=version,
        metrics={"val_accuracy": 0.5},
        lineage=LINEAGE,
    )


def add_evaluation(session, model, accuracy, *, unseen=None, data="data", extraction=None, at=None):
    request = {"data": [{"job": extraction, "dataset": None, "version": None}]} if extraction else {}
    job = add_job(session, JobKind.EVALUATION, tenant=model.tenant, request=request)
    figures = {
        "n_rows": 10,
        "accuracy": accuracy,
        "unseen_accuracy": unseen,
        "macro_f1": accuracy,
        "worst_group": None,
        "worst_group_accuracy": None,
        "ece": 0.1,
    }
    row = registry.add_evaluation(
        session, job_id=job.id, model_id=model.id, data_digest=sha256_of(data), figures=figures
    )
    if at is not None:
        row.created_at = datetime(2026, 1, at, tzinfo=UTC).timestamp()
        session.flush()
    return row
