"""The quality gate: whether a model may answer in place of the one that answers now."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from asl.contracts import JobKind
from asl.infra import tables

NO_PRODUCTION: Final = "no production model to compare with"
_ROUNDING: Final = 1e-9
"""A difference of exactly the margin passes, whatever binary fractions make of it."""
_DATA_PLACEHOLDER: Final = "EXTRACTION_JOB_ID"


@dataclass(frozen=True)
class Verdict:
    """What the gate says."""

    passes: bool
    text: str
    hint: str = ""


def judge(session: Session, candidate: tables.Model, production: tables.Model | None, *, margin: float) -> Verdict:
    """Compare a model with the one in production, by how both did on the same data.

    Of the data on which both were judged those count that were compared last, and of repeated evaluations the newest.
    Where both have an accuracy on rows that they had not seen before, it decides; otherwise the accuracy on all rows.

    Args:
        session: The transaction.
        candidate: The model that is to answer.
        production: The model that answers now; None where there is none.
        margin: By how much accuracy the candidate may be worse.
    """
    if production is None:
        return Verdict(passes=True, text=NO_PRODUCTION)
    ours, theirs = _newest(session, candidate), _newest(session, production)
    common = ours.keys() & theirs.keys()
    if not common:
        return _not_compared(session, candidate, production, ours, theirs)
    digest = max(common, key=lambda one: (max(ours[one].created_at, theirs[one].created_at), one))
    return _compare(ours[digest], theirs[digest], candidate, production, margin)


def _newest(session: Session, model: tables.Model) -> dict[str, tables.Evaluation]:
    """Return the newest evaluation of each data, the oldest data first."""
    query = select(tables.Evaluation).where(tables.Evaluation.model_id == model.id)
    rows = session.scalars(query.order_by(tables.Evaluation.created_at, tables.Evaluation.job_id))
    return {row.data_digest: row for row in rows}


def _compare(
    ours: tables.Evaluation,
    theirs: tables.Evaluation,
    candidate: tables.Model,
    production: tables.Model,
    margin: float,
) -> Verdict:
    both = (ours.figures, theirs.figures)
    name = "unseen_accuracy" if all(figures.get("unseen_accuracy") is not None for figures in both) else "accuracy"
    found, expected = (float(figures[name]) for figures in both)
    what = "unseen rows" if name == "unseen_accuracy" else "all rows (not both know which they have seen)"
    # So that NaN does not pass.
    passes = found >= expected - margin - _ROUNDING
    text = (
        f"accuracy on {what} of data {ours.data_digest[:12]}: model {candidate.number} has {found:.4f}, "
        f"model {production.number} in production {expected:.4f}; "
        f"expected at least {expected - margin:.4f} (margin {margin:g})"
    )
    hint = "" if passes else "Train a better one, or promote it with 'force' and a reason."
    return Verdict(passes=passes, text=text, hint=hint)


def _not_compared(
    session: Session,
    candidate: tables.Model,
    production: tables.Model,
    ours: Mapping[str, tables.Evaluation],
    theirs: Mapping[str, tables.Evaluation],
) -> Verdict:
    text = (
        f"model {candidate.number} and model {production.number} in production were never evaluated on the same data "
        f"({len(ours)} and {len(theirs)} evaluations)"
    )
    # Data that the candidate was judged on come first: they are the newer ones, as a rule.
    known = ours or theirs
    missing = [model for model, found in ((candidate, ours), (production, theirs)) if not found or found is not known]
    data = _data_of(session, list(known.values())[-1] if known else None)
    return Verdict(passes=False, text=text, hint=" ".join(_how_to_evaluate(model, data) for model in missing))


def _data_of(session: Session, evaluation: tables.Evaluation | None) -> list[Any]:
    job = session.get(tables.Job, evaluation.job_id) if evaluation else None
    data = job.request.get("data") if job else None
    return data or [{"job": _DATA_PLACEHOLDER}]


def _how_to_evaluate(model: tables.Model, data: list[Any]) -> str:
    named = [{name: one[name] for name in ("job", "dataset", "version") if one.get(name)} for one in data]
    request = json.dumps({"kind": JobKind.EVALUATION, "model": {"id": model.id}, "data": named})
    words = " ".join(_flag(one) for one in named)
    return (
        f"Evaluate model {model.number}: asl job submit evaluation --model {model.id} {words} "
        f"(or POST /api/v1/jobs {request})."
    )


def _flag(features: Mapping[str, Any]) -> str:
    if "job" in features:
        return f"--job {features['job']}"
    return f"--dataset {features['dataset']}" + (f"@{features['version']}" if "version" in features else "")
