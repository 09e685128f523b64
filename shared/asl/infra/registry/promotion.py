"""How a model gets a role: by promotion, by rollback, or because it was trained."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from asl.contracts import Alias, Promotion
from asl.errors import Conflict, GateRefused, NotFound, OptionsInvalid, PreconditionFailed, PreconditionRequired
from asl.infra import tables
from asl.infra.database import now
from asl.infra.registry import roles
from asl.infra.registry.gate import Verdict, judge

_TRAINED: Final = "trained"
_NO_GATE: Final = "not asked: only production has a gate"


def promote(
    session: Session,
    *,
    tenant: str,
    alias: Alias,
    model_id: str,
    expected_revision: int | None,
    force: bool,
    reason: str,
    by: str,
    margin: float,
) -> Promotion:
    """Give a role to a model.

    Args:
        session: The transaction.
        tenant: Whose model and role.
        alias: The role.
        model_id: The model.
        expected_revision: Of the role, as the caller saw it last; None or 0 where no model had it.
        force: Although the quality gate refuses.
        reason: Why; must be told with `force`.
        by: Who asks.
        margin: See `judge`.

    Raises:
        NotFound: There is no such model.
        PreconditionRequired: The role is taken, and no revision was given.
        PreconditionFailed: The role has another revision.
        Conflict: The model has this role already.
        OptionsInvalid: `force` without a reason.
        GateRefused: The model does worse than the one in production, or was never compared with it.
    """
    if force and not reason.strip():
        raise OptionsInvalid("expected a reason with 'force', found none", hint="Say why the gate does not count.")
    model = _owned(session, tenant, model_id)
    role = _locked(session, tenant, alias)
    if role is not None and expected_revision is None:
        raise PreconditionRequired(
            f"the role {alias} is taken: expected its revision in If-Match, found none",
            hint=f'GET /api/v1/models/aliases/{alias} tells it as ETag; now it is "{role.revision}".',
        )
    _check_revision(alias, role, expected_revision)
    if role is not None and role.model_id == model_id:
        raise Conflict(f"model {model.number} has the role {alias} already", hint="There is nothing to do.")
    verdict = _verdict(session, alias, model, role, margin)
    if not verdict.passes and not force:
        raise GateRefused(f"the quality gate refuses: {verdict.text}", hint=verdict.hint)
    entry = _assign(session, model, alias, role, reason, by, verdict.text, forced=not verdict.passes)
    return roles.promotion(entry, model.number)


def rollback(
    session: Session, *, tenant: str, alias: Alias, expected_revision: int | None, reason: str, by: str
) -> Promotion:
    """Give a role back to the model that had it before; again, to the one before that.

    Args:
        session: The transaction.
        tenant: Whose role.
        alias: The role.
        expected_revision: Of the role, as the caller saw it last; None where that does not matter.
        reason: Why.
        by: Who asks.

    Raises:
        NotFound: No model has the role.
        PreconditionFailed: The role has another revision.
        Conflict: No other model had the role before.
    """
    role = _locked(session, tenant, alias)
    if role is None:
        raise NotFound(f"no model has the role {alias}", hint="There is nothing to roll back.")
    if expected_revision is not None:
        _check_revision(alias, role, expected_revision)
    before = roles.succession(session, tenant, alias)[:-1]
    if not before:
        raise Conflict(f"no other model had the role {alias} before", hint=f"Promote one to {alias} instead.")
    model = _owned(session, tenant, before[-1])
    entry = _assign(session, model, alias, role, reason, by, roles.ROLLBACK)
    return roles.promotion(entry, model.number)


def become_candidate(session: Session, model: tables.Model) -> None:
    """Give a newly trained model the role of the candidate."""
    alias, by = Alias.CANDIDATE, f"job {model.job_id}"
    try:
        _assign(session, model, alias, _locked(session, model.tenant, alias), _TRAINED, by, _NO_GATE)
    except PreconditionFailed:  # someone made the role at this moment; from now on it is there to be locked
        _assign(session, model, alias, _locked(session, model.tenant, alias), _TRAINED, by, _NO_GATE)


def _owned(session: Session, tenant: str, model_id: str) -> tables.Model:
    model = session.scalar(select(tables.Model).where(tables.Model.tenant == tenant, tables.Model.id == model_id))
    if model is None:
        raise NotFound("no model has this id", hint="GET /api/v1/models lists the models.")
    return model


def _locked(session: Session, tenant: str, alias: Alias) -> tables.ModelAlias | None:
    """Return a role that nobody else changes until the transaction ends."""
    query = select(tables.ModelAlias).where(tables.ModelAlias.tenant == tenant, tables.ModelAlias.alias == alias)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def _check_revision(alias: Alias, role: tables.ModelAlias | None, expected_revision: int | None) -> None:
    found = role.revision if role else 0
    if found != (expected_revision or 0):
        raise PreconditionFailed(
            f"expected revision {expected_revision} of the role {alias}, found {found or 'that no model has it'}",
            hint="Another call changed it: look at it again, then decide.",
        )


def _verdict(
    session: Session, alias: Alias, model: tables.Model, role: tables.ModelAlias | None, margin: float
) -> Verdict:
    if alias != Alias.PRODUCTION:
        return Verdict(passes=True, text=_NO_GATE)
    return judge(session, model, session.get(tables.Model, role.model_id) if role else None, margin=margin)


def _assign(  # noqa: PLR0917 - in the order of the history's columns
    session: Session,
    model: tables.Model,
    alias: Alias,
    role: tables.ModelAlias | None,
    reason: str,
    by: str,
    gate: str,
    *,
    forced: bool = False,
) -> tables.Promotion:
    """Write a change of a role, and its entry in the history."""
    previous_id = role.model_id if role else None
    if role is None:
        role = _new_role(session, model, alias)
    else:
        role.model_id, role.revision, role.since = model.id, role.revision + 1, now()
    entry = tables.Promotion(
        tenant=model.tenant,
        alias=alias,
        revision=role.revision,
        model_id=model.id,
        previous_model_id=previous_id,
        forced=forced,
        reason=reason,
        gate=gate,
        by=by,
    )
    session.add(entry)
    session.flush()
    session.refresh(entry)
    return entry


def _new_role(session: Session, model: tables.Model, alias: Alias) -> tables.ModelAlias:
    role = tables.ModelAlias(tenant=model.tenant, alias=alias, model_id=model.id, revision=1)
    try:
        with session.begin_nested():  # waits for whoever makes the same role
            session.add(role)
    except IntegrityError as error:
        raise PreconditionFailed(
            f"the role {alias} was given to another model at this moment", hint="Look at it again, then decide."
        ) from error
    return role
