"""`asl model ...`: models on a server, and which one answers."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.folders import ensure_writable
from asl.cli.remote import UrlFlag, build, bytes_bar, connect, print_items, print_made
from asl.contracts import Alias, AliasState, Evaluation, Model, PromotionRequest, RollbackRequest
from asl.errors import OptionsInvalid


def list_(*, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """List the models, newest first.

    Example: `asl model list`

    Args:
        url: Server; ASL_URL where not given.
        json: Print a JSON list.
    """
    with connect(url) as client:
        if json:
            print_items(client.models.list())
            return
        table = Table("no.", "version", "from", "letters", "accuracy", "roles", "created")
        table.columns[1].no_wrap = table.columns[5].no_wrap = True
        for model in client.models.list():
            evaluated = f"{model.evaluations[-1].accuracy:.1%}" if model.evaluations else "-"
            roles, letters = ", ".join(model.aliases), str(len(model.label_names))
            created = f"{model.created_at:%Y-%m-%d %H:%M}"
            table.add_row(str(model.number), model.version, model.source, letters, evaluated, roles, created)
        console.out.print(table)


def show(model: str, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Show a model: what it was made of, and how it did.

    Example: `asl model show production`

    Args:
        model: Its id or number, production or candidate.
        url: Server; ASL_URL where not given.
        json: Print the model as JSON.
    """
    with connect(url) as client:
        found = client.models.get(model)
    if json:
        console.print_json(found.model_dump(mode="json"))
    else:
        _print(found)


def card(model: str, *, url: UrlFlag = None) -> None:
    """Print a model's card, in Markdown.

    Example: `asl model card 3`

    Args:
        model: Its id or number, production or candidate.
        url: Server; ASL_URL where not given.
    """
    with connect(url) as client:
        console.out.print(client.models.card(model), markup=False)


def download(model: str, *, output_file: Path | None = None, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Fetch a model's file (.pt); it is checked by its hash.

    Example: `asl model download production --output-file models/production.pt`

    A download that was cut off goes on where it was.

    Args:
        model: Its id or number, production or candidate.
        output_file: File to write; model-NUMBER.pt if not given.
        url: Server; ASL_URL where not given.
        json: Print the path as JSON.
    """
    with connect(url) as client:
        found = client.models.get(model)
        target = output_file or Path(f"model-{found.number}.pt")
        ensure_writable(target.parent, "--output-file")
        with bytes_bar(target.name, found.size_bytes) as on_bytes:
            client.models.download(found.id, target, on_bytes)
    if json:
        console.print_json({"path": str(target.resolve()), "model": found.model_dump(mode="json")})
    else:
        console.out.print(str(target), markup=False)
    console.print_made(target, "asl", "recognize", "--model-path", target, "IMAGE")


def import_(file: Path, *, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Send a model's file (.pt): a job checks it, and makes a model of it.

    Example: `asl model import models/best_model.pt`

    Args:
        file: The model.
        url: Server; ASL_URL where not given.
        json: Print the job as JSON.
    """
    with connect(url) as client:
        job = client.models.import_file(file)
    if json:
        console.print_json(job.model_dump(mode="json"))
    else:
        console.out.print(job.id)
    print_made(f"{job.kind} job {job.id}", "asl", "job", "watch", job.id)


def promote(
    model: str,
    *,
    alias: Alias = Alias.PRODUCTION,
    force: Annotated[bool, Parameter(negative=())] = False,
    reason: str = "",
    url: UrlFlag = None,
    json: JsonFlag = False,
) -> None:
    """Give a model a role: production answers recognition calls.

    Example: `asl model promote 3`

    A quality gate compares it with the model that has the role, on the same evaluation.

    Args:
        model: Its id or number, or candidate.
        alias: The role.
        force: Although the quality gate refuses; needs --reason.
        reason: Why, for the history.
        url: Server; ASL_URL where not given.
        json: Print the role as JSON.
    """
    if force and not reason.strip():
        raise OptionsInvalid("expected a --reason with --force, found none", hint="The history keeps it.")
    with connect(url) as client:
        chosen = build(PromotionRequest, model=client.models.get(model).id, force=force, reason=reason)
        state = client.models.promote(chosen.model, alias, force=chosen.force, reason=chosen.reason)
    _print_state(state, json=json)


def rollback(*, alias: Alias = Alias.PRODUCTION, reason: str = "", url: UrlFlag = None, json: JsonFlag = False) -> None:
    """Give a role back to the model that had it before.

    Example: `asl model rollback --reason "worse on left hands"`

    Args:
        alias: The role.
        reason: Why, for the history.
        url: Server; ASL_URL where not given.
        json: Print the role as JSON.
    """
    request = build(RollbackRequest, reason=reason)
    with connect(url) as client:
        state = client.models.rollback(alias, request.reason)
    _print_state(state, json=json)


def history(*, alias: Alias = Alias.PRODUCTION, url: UrlFlag = None, json: JsonFlag = False) -> None:
    """List which models had a role, newest first, and why.

    Example: `asl model history`

    Args:
        alias: The role.
        url: Server; ASL_URL where not given.
        json: Print a JSON list.
    """
    with connect(url) as client:
        if json:
            print_items(client.models.history(alias))
            return
        table = Table("revision", "model", "at", "by", "forced", "gate", "reason")
        for entry in client.models.history(alias):
            forced, at = "yes" if entry.forced else "", f"{entry.at:%Y-%m-%d %H:%M}"
            table.add_row(str(entry.revision), str(entry.number), at, entry.by, forced, entry.gate, entry.reason)
        console.out.print(table)


def _print_state(state: AliasState, *, json: bool) -> None:
    if json:
        console.print_json(state.model_dump(mode="json"))
    else:
        console.out.print(f"{state.alias}: model {state.number} (revision {state.revision})")
    print_made(f"model {state.number} {state.alias}", "asl", "model", "history", "--alias", state.alias)


def _print(model: Model) -> None:
    facts = {
        "number": model.number,
        "id": model.id,
        "version": model.version,
        "source": model.source,
        "roles": ", ".join(model.aliases) or "none",
        "letters": " ".join(model.label_names),
        "SHA-256": model.sha256,
        "job": model.lineage.job_id or "none",
        "code": model.lineage.code_version or "unknown",
        "features": ", ".join(model.lineage.features) or "unknown",
        "data sets": ", ".join(model.lineage.dataset_versions) or "unknown",
        "created": model.created_at,
    }
    for name, value in facts.items():
        console.out.print(f"{name + ':':<10} {value}", markup=False)
    if model.evaluations:
        console.out.print(_evaluations(model.evaluations))


def _evaluations(evaluations: tuple[Evaluation, ...]) -> Table:
    table = Table("evaluation", "rows", "accuracy", "macro F1", "unseen", "worst group")
    for found in evaluations:
        unseen = f"{found.unseen_accuracy:.1%}" if found.unseen_accuracy is not None else "-"
        worst = "-"
        if found.worst_group is not None and found.worst_group_accuracy is not None:
            worst = f"{found.worst_group} {found.worst_group_accuracy:.1%}"
        figures = (f"{found.n_rows:,}", f"{found.accuracy:.1%}", f"{found.macro_f1:.3f}", unseen, worst)
        table.add_row(found.job_id, *figures)
    return table
