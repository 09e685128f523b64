"""An evaluation's report as files: figures for programs, tables for people, pictures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from asl.core.coverage import Coverage
from asl.core.files import replacing
from asl.core.plots import write_plots
from asl.core.report import Report, Scores

JSON_FILE: Final = "report.json"
TEXT_FILE: Final = "results.txt"
ANSWERS_FILE: Final = "answers.jsonl"
"""A line for each row: its photograph's SHA-256, its letter, and what was answered how surely."""

_COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.5)
_TEXT_WIDTH: Final = 160
"""Columns of results.txt: the confusion matrix of 26 letters fits."""


def write_report(report: Report, folder: Path, *, model: str, data: Sequence[str]) -> dict[str, Any]:
    """Write report.json, results.txt, answers.jsonl and the pictures of `asl.core.plots`.

    Args:
        report: What was found.
        folder: Where to write; made where it is not there.
        model: What to call the model.
        data: What to call the data sets.

    Returns:
        What report.json holds.
    """
    entries = {"model_path": model, "data_files": list(data), **report.to_dict()}
    with replacing(folder / JSON_FILE) as path:
        path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    with replacing(folder / TEXT_FILE) as path, path.open("w", encoding="utf-8") as file:
        parts = (*rendered(entries, report), *_matrix(report))
        Console(file=file, width=_TEXT_WIDTH, highlight=False).print(*parts, sep="\n")
    with replacing(folder / ANSWERS_FILE) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in report.rows)
    write_plots(report, folder)
    return entries


def rendered(entries: Mapping[str, Any], report: Report) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a report, part by part.

    Args:
        entries: What `write_report` returned.
        report: What was found.
    """
    yield Text(f"model {entries['model_path']}\ndata  {', '.join(entries['data_files'])}")
    yield from _parts(report)


def _parts(report: Report) -> Iterator[RenderableType]:
    yield _summary(report)
    yield _letters(report.all_rows)
    if report.all_rows.groups:
        yield _groups(report.all_rows)
    if report.confusions:
        yield _confusions(report)
    yield _coverage(report.coverage)
    for notice in report.notices:
        yield Text(f"- {notice}")
    if report.advice:
        yield Text("\nAdvice")
    for entry in report.advice:
        yield Text(f"- {entry}")


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


def _coverage(coverage: Coverage) -> Table:
    table = _table("Where unsure answers are refused", "share answered", "accuracy", "confidence below which refused")
    points = [min(coverage.points, key=lambda point: abs(point.coverage - wanted)) for wanted in _COVERAGES]
    for point in points:
        table.add_row(f"{point.coverage:.1%}", f"{point.accuracy:.4f}", f"{point.unsure_below:.4f}")
    if coverage.as_set is not None:
        table.add_section()
        told = f"{coverage.as_set.unsure_below:.4f}, as the model is set"
        table.add_row(f"{coverage.as_set.coverage:.1%}", f"{coverage.as_set.accuracy:.4f}", told)
    table.caption = f"area under the risk-coverage curve {coverage.aurc:.4f}, at best {coverage.least_aurc:.4f}"
    table.caption_justify = "left"
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
