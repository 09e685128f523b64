"""What the end of a job writes besides its artifacts: outcomes of samples, models, evaluations.

The supervisor imports this, so neither torch nor MediaPipe is behind it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from asl.contracts import Lineage, ModelSource, SampleState
from asl.infra import datasets, registry
from asl.infra.jobs import Claim
from asl.pipelines.context import Finished


def publish(session: Session, claim: Claim, finished: Finished) -> None:
    """Write the effects of a job that has succeeded.

    Args:
        session: The transaction that ends the job.
        claim: The job.
        finished: What it has come to; of its effects, `outcomes` tells the ids of samples by what was found, `model`
            what was made, `evaluation` how a model did.
    """
    effects = finished.effects
    if outcomes := effects.get("outcomes"):
        datasets.note_outcomes(session, {SampleState(state): ids for state, ids in outcomes.items()})
    if model := effects.get("model"):
        _add_model(session, claim, finished, model)
    if evaluation := effects.get("evaluation"):
        registry.add_evaluation(session, job_id=claim.job_id, **evaluation)


def _add_model(session: Session, claim: Claim, finished: Finished, model: Mapping[str, Any]) -> None:
    (artifact,) = (artifact for artifact in finished.artifacts if artifact.name == model["artifact"])
    registry.add_model(
        session,
        tenant=claim.tenant,
        source=ModelSource(model["source"]),
        job_id=claim.job_id,
        artifact=artifact,
        label_names=model["label_names"],
        version=model["version"],
        metrics=model["metrics"],
        lineage=Lineage.model_validate(model["lineage"]),
    )
