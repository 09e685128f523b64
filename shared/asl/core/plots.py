"""An evaluation's report as pictures; drawn without pyplot, whose global state no two threads may share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from asl.core.hand import MOTION_LETTERS
from asl.core.palette import BLUE, GREY, INK, LIGHT, SKY, VERMILION
from asl.core.report import Report

_DPI: Final = 150
_DASHES: Final = (0, (4, 3))
_SMALL: Final[dict[str, Any]] = {"fontsize": 8.5, "color": INK}
_PERCENT: Final = PercentFormatter(1, decimals=0)
_MAX_ANNOTATED: Final = 40
"""Letters up to which a number fits into each cell of the confusion matrix."""


def write_plots(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every picture that the report has something to show for, and remove older ones that it has not.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in _PLOTS.items():
        path = folder / name
        if name == "per_group_accuracy.png" and not report.all_rows.groups:
            path.unlink(missing_ok=True)
            continue
        draw(report).savefig(path, format="png")
        written.append(path)
    return tuple(written)


def draw_confusion_matrix(report: Report) -> Figure:
    """Draw which letter was answered for which, as the share of each true letter's rows."""
    counts = np.array(report.confusion_matrix)
    shown = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts, names = counts[np.ix_(shown, shown)], [_literal(report.label_names[index]) for index in shown]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    side = max(6.0, 0.40 * len(names) + 2)
    figure, axes = _figure(report, "Confusion matrix", side, side)
    image = axes.imshow(shares, cmap=colormaps["Blues"].with_extremes(bad=LIGHT), vmin=0, vmax=1)
    axes.set(xlabel="answer", ylabel="true letter")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(labelsize=9, labeltop=not _turn_long(axes, names))
    # Thin white lines between the cells.
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    if len(names) <= _MAX_ANNOTATED:
        _annotate_cells(axes, shares)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02, format=_PERCENT)
    bar.set_label("share of the true letter's rows", color=INK)
    bar.ax.tick_params(colors=INK, length=0)
    bar.outline.set_visible(False)
    return figure


def draw_f1_scores(report: Report) -> Figure:
    """Draw each letter's F1 score, in the letters' order, and their mean."""
    letters = report.all_rows.letters
    mean = report.all_rows.macro.f1
    figure, axes = _figure(report, "F1 score of each letter", max(7.0, 0.36 * len(letters) + 2), 4.6)
    colours = [SKY if entry.letter in MOTION_LETTERS else BLUE for entry in letters]
    bars = axes.bar(
        [_literal(entry.letter) for entry in letters], [entry.f1 for entry in letters], color=colours, width=0.78
    )
    axes.bar_label(bars, [f"{entry.f1:.2f}".lstrip("0") for entry in letters], padding=2, **_SMALL)
    axes.axhline(mean, color=INK, linewidth=1, linestyle=_DASHES)
    axes.text(1.005, mean, f"macro\n{mean:.3f}", transform=axes.get_yaxis_transform(), va="center", **_SMALL)
    _turn_long(axes, [entry.letter for entry in letters])
    axes.set(ylim=(0, 1.08), ylabel="F1", xlim=(-0.7, len(letters) - 0.3))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.grid(axis="y", color=LIGHT)
    if set(colours) > {BLUE}:
        axes.set_xlabel("light bars: J and Z are movements, of which a still shows only the start")
    return figure


def draw_group_accuracy(report: Report) -> Figure:
    """Draw the accuracy of each signer or source, worst first."""
    groups = sorted(report.all_rows.groups, key=lambda entry: entry.accuracy, reverse=True)
    figure, axes = _figure(report, "Accuracy of each group", 8.0, max(2.8, 0.42 * len(groups) + 1.8))
    # The worst is drawn last, at the top.
    colours = [BLUE] * (len(groups) - 1) + [VERMILION]
    axes.barh(
        [_literal(entry.group) for entry in groups], [entry.accuracy for entry in groups], color=colours, height=0.7
    )
    for row, entry in enumerate(groups):
        axes.text(1.02, row, f"{entry.accuracy:.1%} of {entry.n_rows:,} rows", va="center", **_SMALL)
    mean = report.all_rows.accuracy
    axes.axvline(mean, color=INK, linewidth=1, linestyle=_DASHES)
    axes.text(mean, 1.02, f"all rows {mean:.1%}", transform=axes.get_xaxis_transform(), ha="center", **_SMALL)
    axes.set(xlim=(0, 1), xlabel="accuracy")
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.grid(axis="x", color=LIGHT)
    return figure


def draw_reliability(report: Report) -> Figure:
    """Draw how often answers of each confidence are right; on the diagonal confidence can be taken at its word."""
    bins = report.reliability
    n_rows = np.array([entry.n_rows for entry in bins])
    figure, axes = _figure(report, "Reliability of the confidence", 6.4, 6.4)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=_DASHES, label="perfectly calibrated")
    axes.bar(
        [(entry.lower + entry.upper) / 2 for entry in bins],
        n_rows / n_rows.sum(),
        width=[0.92 * (entry.upper - entry.lower) for entry in bins],
        color=LIGHT,
        label="share of the rows",
    )
    axes.plot(
        [entry.confidence for entry in bins],
        [entry.accuracy for entry in bins],
        color=BLUE,
        marker="o",
        markersize=6,
        label=f"accuracy of each bin (calibration error {report.all_rows.calibration_error:.3f})",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence of the answer", ylabel="accuracy", aspect="equal")
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.yaxis.set_major_formatter(_PERCENT)
    axes.grid(color=LIGHT)
    axes.legend(
        edgecolor="none", framealpha=0.9, loc="upper left", bbox_to_anchor=(0, 0.97), fontsize=9, labelcolor=INK
    )
    return figure


def draw_coverage(report: Report) -> Figure:
    """Draw how right the answers are that are kept, against the share that is answered."""
    figure, axes = _figure(report, "Accuracy of the answers kept", 7.0, 5.0)
    points, coverage = report.coverage.points, report.coverage
    accuracies = [point.accuracy for point in points]
    label = f"least confident refused first (AURC {coverage.aurc:.3f}, at best {coverage.least_aurc:.3f})"
    axes.plot([point.coverage for point in points], accuracies, color=BLUE, linewidth=2, label=label)
    if (point := coverage.as_set) is not None:
        told = f"as the model is set: {point.coverage:.1%} answered, {point.accuracy:.1%} of these right"
        axes.plot([point.coverage], [point.accuracy], "o", color=VERMILION, markersize=8, clip_on=False, label=told)
    axes.set(ylim=(max(0.0, min(accuracies) - 0.05), 1.005))
    accuracy = report.all_rows.accuracy
    axes.axhline(accuracy, color=GREY, linestyle=_DASHES, label=f"refused at random: {accuracy:.1%}")
    axes.set(xlim=(0, 1), xlabel="share of the rows answered", ylabel="accuracy of these answers")
    axes.xaxis.set_major_formatter(_PERCENT)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(color=LIGHT)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(-0.02, -0.14), fontsize=9, labelcolor=INK)
    return figure


_PLOTS: Final[dict[str, Callable[[Report], Figure]]] = {
    "confusion_matrix.png": draw_confusion_matrix,
    "per_class_f1_scores.png": draw_f1_scores,
    "per_group_accuracy.png": draw_group_accuracy,
    "reliability_diagram.png": draw_reliability,
    "coverage_accuracy.png": draw_coverage,
}


def _figure(report: Report, title: str, width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15))
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    scores = report.all_rows
    model = f"{_literal(report.model_name)} ({report.model_sha256[:8]})"
    subtitle = f"{model} on {scores.n_rows:,} rows: accuracy {scores.accuracy:.1%}"
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", color=INK, pad=46)
    axes.annotate(subtitle, (0, 1), (0, 30), "axes fraction", "offset points", fontsize=10, color=GREY)
    return figure, axes


def _turn_long(axes: Axes, names: Sequence[str]) -> bool:
    # Names of whole words would run into one another.
    is_long = max(map(len, names)) > 2
    axes.tick_params(axis="x", labelrotation=90 if is_long else 0)
    return is_long


def _annotate_cells(axes: Axes, shares: NDArray[np.float64]) -> None:
    for (row, column), share in np.ndenumerate(shares):
        # Below half a percent a number would only be noise.
        if share >= 0.005:
            colour = "white" if share > 0.55 else INK
            axes.text(column, row, f"{share * 100:.0f}", ha="center", va="center", fontsize=7.5, color=colour)


def _literal(text: str) -> str:
    # Names come from files, and what stands between two dollars would be set as a formula.
    return text.replace("$", r"\$")
