"""What jobs work on: features, models and files that other jobs of the same tenant have made."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from asl.contracts import FeaturesRef, JobKind, Lineage, ModelRef
from asl.core import dataset
from asl.core.dataset import Dataset
from asl.errors import NotFound
from asl.infra import tables
from asl.pipelines.context import Context

FEATURES_FILE: Final = "features.npz"
MODEL_FILE: Final = "best_model.pt"
"""A model's file has the same name everywhere, since its name is a part of its version."""


@dataclass(frozen=True)
class Features:
    """What an extraction has made."""

    job_id: str
    path: Path
    sha256: str
    dataset_digest: str | None
    """Of the data set's version; None where that was deleted since."""


@dataclass(frozen=True)
class FetchedModel:
    """A registered model's file."""

    model_id: str
    path: Path
    sha256: str


def fetch_features(context: Context, references: Sequence[FeaturesRef]) -> list[Features]:
    """Fetch the features of extractions.

    Raises:
        NotFound: One of the extractions has none.
        Unavailable: The store cannot be reached, or gives other bytes.
    """
    fetched = []
    for job_id in (reference.job for reference in references if reference.job):
        path = context.folder / f"{job_id}.npz"
        sha256 = fetch_artifact(context, job_id, FEATURES_FILE, path)
        fetched.append(Features(job_id, path, sha256, _dataset_digest(context, job_id)))
    return fetched


def load_features(fetched: Sequence[Features]) -> Dataset:
    """Read features and put them below one another.

    Raises:
        DatasetInvalid: They do not fit together.
    """
    return dataset.concatenate([dataset.load(features.path) for features in fetched])


def data_digest(fetched: Sequence[Features]) -> str:
    """Return a hash that is equal where the same features were fetched, in whatever order."""
    return hashlib.sha256("\n".join(sorted(features.sha256 for features in fetched)).encode()).hexdigest()


def fetch_artifact(context: Context, job_id: str, name: str, path: Path) -> str:
    """Fetch a file that a job has made, and return its SHA-256.

    Raises:
        NotFound: The tenant has no such job, or it no such file.
        Unavailable: The store cannot be reached, or gives other bytes.
    """
    with context.database.reading() as session:
        artifact = session.scalar(
            select(tables.Artifact)
            .join(tables.Job, tables.Job.id == tables.Artifact.job_id)
            .where(tables.Job.id == job_id, tables.Job.tenant == context.claim.tenant, tables.Artifact.name == name)
        )
    if artifact is None:
        raise NotFound(f"expected {name} of job {job_id}, found none", hint="Wait until that job has succeeded.")
    context.storage.get(artifact.key, path, sha256=artifact.sha256)
    return artifact.sha256


def fetch_model(context: Context, reference: ModelRef) -> FetchedModel:
    """Fetch a model's file.

    Raises:
        NotFound: The tenant has no such model.
        Unavailable: The store cannot be reached, or gives other bytes.
    """
    chosen = tables.Model.id == reference.id if reference.id else tables.Model.job_id == reference.job
    with context.database.reading() as session:
        model = session.scalar(select(tables.Model).where(chosen, tables.Model.tenant == context.claim.tenant))
    if model is None:
        asked_for = f"model {reference.id}" if reference.id else f"a model of job {reference.job}"
        raise NotFound(f"expected {asked_for}, found none", hint="List the models with GET /api/v1/models.")
    path = context.folder / "model" / MODEL_FILE
    context.storage.get(model.key, path, sha256=model.sha256)
    return FetchedModel(model.id, path, model.sha256)


def find_version(session: Session, tenant: str, request: Mapping[str, Any]) -> tables.DatasetVersion | None:
    """Return the version of a data set that an extraction's request names; None where it is there no more."""
    return session.scalar(
        select(tables.DatasetVersion)
        .join(tables.Dataset, tables.Dataset.id == tables.DatasetVersion.dataset_id)
        .where(
            tables.Dataset.tenant == tenant,
            tables.DatasetVersion.dataset_id == request["dataset"],
            tables.DatasetVersion.number == request["version"],
        )
    )


def lineage_of(context: Context, fetched: Sequence[Features] = ()) -> Lineage:
    """Tell what a model was made of."""
    digests = (features.dataset_digest for features in fetched)
    return Lineage(
        job_id=context.claim.job_id,
        code_version=context.settings.code_version or version("asl-platform"),
        features=tuple(dict.fromkeys(features.sha256 for features in fetched)),
        dataset_versions=tuple(dict.fromkeys(digest for digest in digests if digest)),
    )


def _dataset_digest(context: Context, job_id: str) -> str | None:
    with context.database.reading() as session:
        job = session.get(tables.Job, job_id)
        if job is None or job.kind != JobKind.EXTRACTION:
            return None
        found = find_version(session, context.claim.tenant, job.request)
        return found.digest if found else None
