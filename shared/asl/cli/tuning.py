"""`asl tune`: which learning rate, dropout and network read new signers best."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.table import Table

from asl.cli import console
from asl.cli import device as devices
from asl.cli.flags import DEFAULT_TRAINING, DEFAULT_TUNING, JsonFlag, TrainingFlags, TuningFlags
from asl.cli.folders import ensure_writable
from asl.cli.folds import plan_folds
from asl.cli.training_options import merge
from asl.contracts import Device, TrainingOptions, TuningOptions
from asl.core import tuning, tuning_files
from asl.core.cross_validation import Trial
from asl.core.study import Study
from asl.errors import Conflict

_Files = Annotated[list[Path], Parameter(negative=())]
_DEFAULT_FOLDER: Final = Path("tuning")
_N_SHOWN: Final = 10


def tune(
    *,
    data_file: _Files,
    train_only_file: _Files | None = None,
    options: Annotated[TrainingFlags, Parameter(name="*")] = DEFAULT_TRAINING,
    search: Annotated[TuningFlags, Parameter(name="*")] = DEFAULT_TUNING,
    config: Path | None = None,
    device: Device | None = None,
    output_dir: Path = _DEFAULT_FOLDER,
    resume: Annotated[bool, Parameter(negative=())] = False,
    json: JsonFlag = False,
) -> None:
    """Try learning rates, dropout rates and network sizes, and find those that read new signers best.

    Example: `asl tune --data-file data/asl_features.npz --epochs 30 --output-dir tuning/`

    Each trial is judged by the mean accuracy over the groups (signers or sources), each read by a model that was
    trained on the others. --learning-rate, --dropout, --hidden-sizes, --val-split, --split and --patience are without
    effect.

    Writes best_options.json, which `asl train-model --config` takes, tuning.png, and study.json, from which --resume
    goes on.

    Args:
        data_file: Data sets (.npz) with groups; several are taken together.
        train_only_file: Data sets that only train, and are never tested on.
        options: What all trials have in common.
        search: What is tried.
        config: JSON file with training options by their names; flags win over it.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        output_dir: Folder for the results.
        resume: Go on with the tuning in the folder, which was stopped or killed, or shall have more trials.
        json: Print all trials as JSON.
    """
    place, merged = devices.choose(device), merge(options, config)
    folds = plan_folds(
        data_file,
        train_only_file,
        merged,
        exclude_labels=search.exclude_labels,
        test_rows_per_class=search.test_rows_per_class,
        n_seeds=search.n_seeds,
    )
    ensure_writable(output_dir, "--output-dir")
    before = _read_before(output_dir, resume=resume)
    study = tuning.resume(before, folds, search) if before else tuning.begin(folds, search)
    if before:
        console.err.print(f"note:  going on after {len(before.ranked) + before.n_pruned} trials", markup=False)
    study = _run(study, folds, search, place, output_dir)
    tuning_files.write_results(study, merged, output_dir)
    if json:
        console.print_json(study.as_dict())
    else:
        _print_result(study, merged)
    best = (output_dir / tuning_files.BEST_FILE).resolve()
    console.print_made(
        best, "asl", "train-model", "--data-file", *data_file, *_extra(train_only_file), "--config", best
    )


def _read_before(folder: Path, *, resume: bool) -> Study | None:
    before = tuning_files.read_study(folder)
    if before and not resume:
        raise Conflict(
            f"{folder} holds a tuning already", hint="Go on with it (--resume), or choose another --output-dir."
        )
    return before


def _run(study: Study, folds: Sequence[Trial], search: TuningOptions, place: str, folder: Path) -> Study:
    with console.progress() as progress:
        task = progress.add_task("epochs", total=tuning.count_epochs(study, folds), note=study.note())
        done = tuning.tune(
            study,
            folds,
            search,
            device=place,
            on_epoch=lambda n_done, now: progress.update(task, completed=n_done, note=now.note()),
            after_fold=lambda now: tuning_files.write_study(now, folder),
        )
        progress.update(task, completed=tuning.count_epochs(study, folds), note=done.note())
    return done


def _print_result(study: Study, options: TrainingOptions) -> None:
    console.out.print(_table(study))
    n_complete = len(study.ranked)
    console.out.print(f"{n_complete} trials judged on all groups, {study.n_pruned} given up before")
    console.out.print(
        f"best: asl train-model {' '.join(study.ranked[0].flags())} --epochs {options.epochs}", markup=False
    )
    console.out.print(
        "The best of many trials flatters itself: judge the model on people who were in none of this data."
    )


def _table(study: Study) -> Table:
    table = Table(title="The best settings first, on groups never seen", title_justify="left")
    table.add_column("trial", justify="right")
    for name in ("learning rate", "dropout", "hidden sizes", "mean accuracy", "worst group"):
        table.add_column(name, justify="right")
    for trial in study.ranked[:_N_SHOWN]:
        group, worst = study.worst(trial)
        settings = (f"{trial.learning_rate:.3g}", f"{trial.dropout:.3g}", trial.sizes)
        table.add_row(str(trial.number + 1), *settings, f"{trial.mean:.2%}", f"{worst:.1%} {group}")
    return table


def _extra(files: Sequence[Path] | None) -> tuple[str | Path, ...]:
    return ("--train-only-file", *files) if files else ()
