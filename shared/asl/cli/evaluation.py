"""`asl evaluate-model`: how well a model reads hands that it has not seen."""

import json as jsonlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from asl.cli import console
from asl.cli.device import choose
from asl.cli.flags import JsonFlag
from asl.cli.folders import ensure_writable
from asl.contracts import Device
from asl.core import dataset, evaluation
from asl.core.checkpoint import load_model
from asl.core.files import replacing
from asl.core.plots import write_plots
from asl.core.report import Report, Scores

_TEXT_WIDTH: Final = 160
"""Columns of results.txt: the confusion matrix of 26 letters fits."""


def evaluate_model(
    *,
    model_path: Path,
    data_file: Annotated[list[Path], Parameter(negative=())],
    batch_size: Annotated[int, Parameter(validator=Number(gte=1))] = 32,
    device: Device | None = None,
    output_dir: Path = Path("evaluation_results"),
    allow_unknown_labels: bool = False,
    json: JsonFlag = False,
) -> None:
    """Compare a model's answers with the letters of a data set, and say what the figures do not tell.

    Example: `asl evaluate-model --model-path models/best_model.pt --data-file data/asl_features.npz`

    Writes results.txt, report.json, confusion_matrix.png, per_class_f1_scores.png, reliability_diagram.png and, where
    the rows name signers or sources, per_group_accuracy.png.

    Args:
        model_path: Trained model (.pt).
        data_file: Data sets (.npz); several are taken together, their letters matched by name.
        batch_size: Rows answered at once.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        output_dir: Folder for the results.
        allow_unknown_labels: Count hands of letters that the model does not know as mistakes instead of refusing them.
        json: Print the report as JSON.
    """
    place = choose(device)
    trained = load_model(model_path, place)
    rows = dataset.concatenate([dataset.load(path) for path in data_file])
    ensure_writable(output_dir, "--output-dir")
    report = evaluation.evaluate(
        trained, rows, batch_size=batch_size, device=place, allow_unknown_labels=allow_unknown_labels
    )
    entries = {"model_path": str(model_path), "data_files": [str(path) for path in data_file], **report.to_dict()}
    with replacing(output_dir / "report.json") as path:
        path.write_text(jsonlib.dumps(entries, indent=2) + "\n", encoding="utf-8")
    parts = [Text(f"model {model_path}\ndata  {', '.join(entries['data_files'])}"), *_parts(report)]
    with replacing(output_dir / "results.txt") as path, path.open("w", encoding="utf-8") as file:
        Console(file=file, width=_TEXT_WIDTH, highlight=False).print(*parts, *_matrix(report), sep="\n")
    write_plots(report, output_dir)
    if json:
        console.print_json(entries)
    else:
        console.out.print(*parts, sep="\n")
    if report.n_rows_trained_on or report.n_rows_validated_on:
        console.err.print(f"warning: {report.notices[0]}", style="yellow", markup=False)
    console.print_made(output_dir, "asl", "recognize", "IMAGE", "--model-path", model_path)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield _summary(report)
    yield _letters(report.all_rows)
    if report.all_rows.groups:
        yield _groups(report.all_rows)
    if report.confusions:
        yield _confusions(report)
    for notice in report.notices:
        yield Text(f"- {notice}")


def _summary(report: Report) -> Table:
    table = _table("Overall", "selection", "rows", "accuracy", "top 3", "macro F1", "calibration error")
    selections = {
        "all": report.all_rows,
        "without J and Z": report.without_motion,
        "not trained on": report.not_trained_on,
        "neither trained nor validated on": report.unseen if report.n_rows_validated_on else None,
    }
    for name, scores in selections.items():
        if scores is not None and (scores is report.all_rows or scores.n_rows < report.all_rows.n_rows):
            table.add_row(
                name,
                f"{scores.n_rows:,}",
                f"{scores.accuracy:.4f}",
                f"{scores.top3_accuracy:.4f}",
                f"{scores.macro.f1:.4f}",
                f"{scores.calibration_error:.4f}",
            )
    return table


def _letters(scores: Scores) -> Table:
    table = _table("Letters", "letter", "precision", "recall", "F1", "rows")
    for entry in scores.letters:
        table.add_row(Text(entry.letter), *_decimals(entry.precision, entry.recall, entry.f1), f"{entry.support:,}")
    table.add_section()
    for name, mean in {"macro average": scores.macro, "weighted average": scores.weighted}.items():
        table.add_row(name, *_decimals(mean.precision, mean.recall, mean.f1), f"{scores.n_rows:,}")
    return table


def _decimals(*values: float) -> Iterator[str]:
    return (f"{value:.4f}" for value in values)


def _groups(scores: Scores) -> Table:
    table = _table("Groups (signers or sources)", "group", "accuracy", "rows", "trained on", "validated on", "")
    for entry in scores.groups:
        worst = "worst" if entry == scores.worst_group else ""
        counts = (f"{count:,}" for count in (entry.n_rows, entry.n_rows_trained_on, entry.n_rows_validated_on))
        table.add_row(Text(entry.group), f"{entry.accuracy:.4f}", *counts, worst)
    return table


def _confusions(report: Report) -> Table:
    table = _table("Most frequent mistakes", "letter", "answered", "rows", "of the letter's rows")
    for entry in report.confusions:
        table.add_row(Text(entry.letter), Text(entry.answer), f"{entry.n_rows:,}", f"{entry.share:.1%}")
    return table


def _matrix(report: Report) -> Iterator[RenderableType]:
    width = max(len(f"{count}") for row in report.confusion_matrix for count in row) + 1
    width = max(width, *(len(name) + 1 for name in report.label_names))
    yield Text("\nConfusion matrix (a row for each true letter, a column for each answer)")
    lines = [" " * width + "".join(f"{name:>{width}}" for name in report.label_names)]
    for name, row in zip(report.label_names, report.confusion_matrix, strict=True):
        lines.append(f"{name:>{width}}" + "".join(f"{count or '.':>{width}}" for count in row))
    yield Text("\n".join(lines), no_wrap=True, overflow="ignore")


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(first, title=title, title_justify="left", title_style="bold")
    for name in others:
        table.add_column(name, justify="right")
    return table
