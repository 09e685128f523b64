"""`asl cross-validate`: how well new signers or sources are read."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from asl.cli import console
from asl.cli import device as devices
from asl.cli.flags import DEFAULT_TRAINING, JsonFlag, TrainingFlags
from asl.cli.folders import ensure_writable
from asl.cli.folds import plan_folds
from asl.cli.training_options import merge
from asl.contracts import Device
from asl.core import cross_validation as validation
from asl.core.cross_validation import Trial
from asl.core.files import replacing
from asl.core.held_out import CrossValidation, HeldOut, summarise
from asl.errors import OptionsInvalid

_AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
_Files = Annotated[list[Path], Parameter(negative=())]


def cross_validate(
    *,
    data_file: _Files,
    by: Literal["group"] = "group",
    options: Annotated[TrainingFlags, Parameter(name="*")] = DEFAULT_TRAINING,
    config: Path | None = None,
    train_only_file: _Files | None = None,
    exclude_labels: Annotated[list[str] | None, Parameter(negative=())] = None,
    test_rows_per_class: _AtLeastOne | None = None,
    seeds: _AtLeastOne = 1,
    device: Device | None = None,
    output_file: Path | None = None,
    json: JsonFlag = False,
) -> None:
    """Train on all groups but one and test on that one, for each group: the figure for new signers.

    Example: `asl cross-validate --data-file a.npz b.npz --by group --exclude-labels J Z`

    Every fold does all its epochs: a test that decides when to stop is none. --val-split, --split and --patience are
    therefore without effect.

    Args:
        data_file: Data sets (.npz) with groups; several are taken together.
        by: What is left out in turn.
        options: How to train.
        config: JSON file with training options by their names; flags win over it.
        train_only_file: Data sets that only train, and are never tested on.
        exclude_labels: Letters to leave out, such as J Z, which are movements.
        test_rows_per_class: At most so many rows of a letter and group are tested.
        seeds: Train each fold so often, with other seeds, and average.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        output_file: JSON file for the report.
        json: Print the report as JSON.
    """
    del by  # groups are all that there is to leave out
    if output_file:
        _ensure_file(output_file)
    place, merged = devices.choose(device), merge(options, config)
    trials = plan_folds(
        data_file,
        train_only_file,
        merged,
        exclude_labels=exclude_labels or (),
        test_rows_per_class=test_rows_per_class,
        n_seeds=seeds,
    )
    report = summarise(_run(trials, place), seeds)
    if json:
        console.print_json(report.as_dict())
    else:
        console.out.print(_table(report))
        console.out.print(
            f"temperature fitted to all of these answers: {report.temperature:.2f}; a model trained on all groups "
            f"(--val-split 0) takes it with --temperature"
        )
        console.out.print(
            f"confidence below which 5 % of letters are: {report.thresholds.unsure_below:.2f}, 2 %: "
            f"{report.thresholds.not_a_letter_below:.2f}; it takes them with --unsure-below and --not-a-letter-below"
        )
    if output_file:
        with replacing(output_file) as part:
            part.write_text(jsonlib.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
        console.print_made(output_file, "asl", "train-model", "--data-file", *data_file)


def _ensure_file(path: Path) -> None:
    if path.is_dir():
        raise OptionsInvalid(
            f"--output-file: expected a file, found the folder {path}", hint=f"Name a file, such as {path}/report.json."
        )
    ensure_writable(path.parent, "--output-file")


def _run(trials: Sequence[Trial], place: str) -> list[HeldOut]:
    answers = []
    with console.progress() as progress:
        task = progress.add_task("epochs", total=sum(trial.options.epochs for trial in trials), note="")
        for trial in trials:
            progress.update(task, note=f"without {trial.fold.group}")
            answers.append(validation.run(trial, place, on_epoch=lambda: progress.advance(task)))
    return answers


def _table(report: CrossValidation) -> Table:
    table = Table(title="Each group read by models that never saw it, worst first", title_justify="left")
    table.add_column("group")
    for name in ("rows trained on", "rows tested", "accuracy", "without J, Z", "macro F1", "ECE", "ECE tempered"):
        table.add_column(name, justify="right")
    for score in report.groups:
        table.add_row(
            score.group,
            f"{score.n_train:,}",
            f"{score.n_test:,}",
            f"{score.accuracy:.1%}",
            _percentage(score.still_accuracy),
            f"{score.macro_f1:.3f}",
            f"{score.calibration_error:.3f}",
            f"{score.tempered_calibration_error:.3f}",
        )
    table.add_section()
    means = (f"{report.mean_accuracy:.1%}", _percentage(report.mean_still_accuracy), f"{report.mean_macro_f1:.3f}")
    table.add_row("mean", "", "", *means)
    return table


def _percentage(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
