"""A tuning's files: the study to go on from, the best settings for `asl train-model`, and a picture."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from asl.contracts import TrainingOptions, TriedState
from asl.core.files import replacing
from asl.core.palette import BLUE, GREY, VERMILION
from asl.core.study import Study, Tried
from asl.errors import Conflict

STUDY_FILE: Final = "study.json"
BEST_FILE: Final = "best_options.json"
PLOT_FILE: Final = "tuning.png"

_MAX_NAMED: Final = 12
"""Values of a setting that are written out below its axis."""


def write_study(study: Study, folder: Path) -> None:
    """Write what a tuning can go on from, atomically."""
    with replacing(folder / STUDY_FILE) as part:
        part.write_text(json.dumps(study.as_dict(), indent=2) + "\n", encoding="utf-8")


def read_study(folder: Path) -> Study | None:
    """Read what a tuning can go on from; None where there is nothing.

    Raises:
        Conflict: The file is something else.
    """
    path = folder / STUDY_FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Conflict(f"{path}: expected the state of a tuning, found no JSON", hint="Remove the file.") from error
    return Study.from_dict(values)


def write_results(study: Study, options: TrainingOptions, folder: Path) -> None:
    """Write the study, the best settings and the picture; an older tuning's are replaced.

    Args:
        study: With at least one trial that was judged on all groups.
        options: What all trials have in common.
        folder: Where to.
    """
    write_study(study, folder)
    best = study.ranked[0].apply(options)
    with replacing(folder / BEST_FILE) as part:
        part.write_text(json.dumps(best.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    with replacing(folder / PLOT_FILE) as part:
        draw(study).savefig(part, dpi=150, format="png")


def draw(study: Study) -> Figure:
    """Draw the trials in their order, and how well each value of a setting did."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    order, *others = figure.subplots(1, 4, sharey=True)
    _draw_order(order, study)
    settings: dict[str, Callable[[Tried], float | str]] = {
        "learning rate": lambda trial: trial.learning_rate,
        "dropout": lambda trial: trial.dropout,
        "hidden sizes": lambda trial: trial.sizes,
    }
    for axes, (name, value_of) in zip(others, settings.items(), strict=True):
        _draw_setting(axes, study, name, value_of)
    for axes in (order, *others):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    order.set_ylabel("mean accuracy on groups never seen")
    order.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _draw_order(axes: Axes, study: Study) -> None:
    complete = [trial for trial in study.tried if trial.state is TriedState.COMPLETE]
    pruned = [trial for trial in study.tried if trial.state is TriedState.PRUNED]
    best = [max(trial.mean for trial in complete[: index + 1]) for index in range(len(complete))]
    axes.step([trial.number + 1 for trial in complete], best, where="post", color=GREY, label="best so far")
    _scatter(axes, [trial.number + 1 for trial in complete], complete)
    axes.scatter(
        [trial.number + 1 for trial in pruned],
        [trial.mean for trial in pruned],
        facecolors="none",
        edgecolors=GREY,
        label="given up (mean so far)",
    )
    axes.set_xlabel("trial")
    axes.set_title("Trials", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)


def _draw_setting(axes: Axes, study: Study, name: str, value_of: Callable[[Tried], float | str]) -> None:
    complete = [trial for trial in study.tried if trial.state is TriedState.COMPLETE]
    values = sorted({value_of(trial) for trial in complete}, key=_in_order)
    if len(values) <= _MAX_NAMED:
        places = [values.index(value_of(trial)) for trial in complete]
        is_long = isinstance(values[0], str)
        labels = [value if isinstance(value, str) else f"{value:g}" for value in values]
        axes.set_xticks(range(len(values)), labels, rotation=30 if is_long or len(values) > 5 else 0)
        axes.set_xlim(-0.5, len(values) - 0.5)
        _scatter(axes, places, complete)
    else:
        _scatter(axes, [float(value_of(trial)) for trial in complete], complete)
        axes.set_xscale("log" if name == "learning rate" else "linear")
    axes.set_xlabel(name)
    axes.set_title(name.capitalize(), loc="left")


def _scatter(axes: Axes, places: Sequence[float], trials: Sequence[Tried]) -> None:
    best = max(trial.mean for trial in trials)
    colours = [VERMILION if trial.mean == best else BLUE for trial in trials]
    axes.scatter(places, [trial.mean for trial in trials], c=colours, alpha=0.8, zorder=3)


def _in_order(value: float | str) -> tuple[float, ...]:
    return tuple(map(float, value.split("-"))) if isinstance(value, str) else (value,)
