"""`asl train-model`: a data set to a model."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.progress import Progress, TaskID

from asl.cli import console
from asl.cli import device as devices
from asl.cli.flags import DEFAULT_TRAINING, JsonFlag, TrainingFlags
from asl.cli.folders import ensure_writable
from asl.cli.training_options import merge
from asl.contracts import Device
from asl.core import dataset
from asl.core.fitting import EpochMetrics
from asl.core.training import TrainingResult, train
from asl.core.training_advice import of_files
from asl.core.training_data import prepare

_DEFAULT_FOLDER: Final = Path("models")


def train_model(
    *,
    data_file: Annotated[list[Path], Parameter(negative=())],
    train_only_file: Annotated[list[Path] | None, Parameter(negative=())] = None,
    options: Annotated[TrainingFlags, Parameter(name="*")] = DEFAULT_TRAINING,
    config: Path | None = None,
    device: Device | None = None,
    output_dir: Path | None = None,
    pretrained_path: Path | None = None,
    resume: Path | None = None,
    json: JsonFlag = False,
) -> None:
    """Train a classifier on hands, and keep the one that reads validation best.

    Example: `asl train-model --data-file data/asl_features.npz --output-dir models/`

    Training stops when validation no longer improves, and says so. Writes best_model.pt, final_model.pt,
    checkpoint_epoch_N.pt every ten epochs, metrics.jsonl, config.json and training_curves.png.

    Args:
        data_file: Data sets (.npz) of `asl prepare-dataset`; several are taken together.
        train_only_file: Data sets that only train, and never validate.
        options: How to train.
        config: JSON file with training options by their names, such as {"hidden_sizes": [512, 256]}; flags win over it.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        output_dir: Folder for the models; models, or the folder of --resume, if not given. A new training removes older
            checkpoint_epoch_N.pt there.
        pretrained_path: Model (.pt) to start from: layers whose names and shapes fit are taken over.
        resume: Checkpoint (.pt) to go on from, with the options that it began with.
        json: Print the result as JSON.
    """
    place, merged = devices.choose(device), merge(options, config, resume)
    rows = dataset.concatenate([dataset.load(path) for path in data_file])
    extra = dataset.concatenate([dataset.load(path) for path in train_only_file]) if train_only_file else None
    data = prepare(rows, merged, extra)
    folder = output_dir or (resume.parent if resume else _DEFAULT_FOLDER)
    ensure_writable(folder, "--output-dir")
    with console.progress() as progress:
        bar = _EpochBar(progress, data.options.epochs)
        result = train(
            data,
            device=place,
            output_dir=folder,
            pretrained=pretrained_path,
            resume=resume,
            on_notice=lambda notice: console.err.print(f"note:  {notice}", markup=False),
            on_epoch=bar.advance,
        )
    advice = of_files(result.output_dir, data, result.best_epoch)
    if json:
        places = {"output_dir": str(result.output_dir), "best_model": str(result.best_model)}
        console.print_json({**asdict(result), **places, "advice": [entry.as_dict() for entry in advice]})
    else:
        _print_result(result)
        console.print_advice(advice)
    evaluate = ("asl", "evaluate-model", "--model-path", result.best_model, "--data-file", "TEST.npz")
    console.print_made(result.best_model, *evaluate)


class _EpochBar:
    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("epoch", total=epochs, note="")

    def advance(self, metrics: EpochMetrics) -> None:
        note = f"loss {metrics.train_loss:.3f}, accuracy {metrics.train_accuracy:.1%}"
        if metrics.val_accuracy is not None:
            note += f" | validation loss {metrics.val_loss:.3f}, accuracy {metrics.val_accuracy:.1%}"
        self._progress.update(self._task, completed=metrics.epoch, note=note)


def _print_result(result: TrainingResult) -> None:
    judged_by = f"groups {', '.join(result.val_groups)}" if result.val_groups else f"{result.split_by} at random"
    console.out.print(
        f"rows:        {result.n_train:,} to train, {result.n_val:,} to validate ({judged_by})", markup=False
    )
    if result.val_accuracy is not None:
        console.out.print(f"validation:  {result.val_accuracy:.1%} right in epoch {result.best_epoch}, the best")
    console.out.print(f"temperature: {result.temperature:.2f}")
    if result.stopped_early:
        ending = f"stopped early: validation has not improved since epoch {result.best_epoch}"
    else:
        ending = "all epochs done"
    if result.resumed_epoch == result.epochs_done:
        ending = "nothing was left to do: the training had already ended"
    console.out.print(f"epochs:      {result.epochs_done:,} in {result.seconds:.1f} s; {ending}")
