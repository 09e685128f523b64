"""Features to a model, from the start, from another model, or from where an earlier attempt stopped."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asl.contracts import ModelSource, Progress, TrainingRequest
from asl.core.classifier import load_classifier
from asl.core.fitting import EpochMetrics
from asl.core.training import TrainingResult, train
from asl.core.training_advice import of_files
from asl.core.training_data import TrainingData, prepare
from asl.core.training_run import FINAL_FILE, METRICS_FILE
from asl.pipelines import model_card
from asl.pipelines.checkpoints import Checkpoints
from asl.pipelines.context import Context, Outcome
from asl.pipelines.files import sha256_of
from asl.pipelines.requests import check_stopping, choose_device, parse
from asl.pipelines.sources import (
    MODEL_FILE,
    Features,
    fetch_artifact,
    fetch_features,
    fetch_model,
    lineage_of,
    load_features,
)


def run(context: Context) -> Outcome:
    """Make the files of `asl train-model` and `model_card.md`, and a registered model of the best epoch.

    Raises:
        NotFound: Features, or the model or training to start from, are not there.
        DatasetInvalid, ModelInvalid, OptionsInvalid, Conflict, OutOfMemory: See `asl.core.training.train`.
        Unavailable: The store cannot be reached, or gives other bytes.
        Stopped: The job was told to stop, and is saved.
    """
    request = parse(context, TrainingRequest)
    features, extra = fetch_features(context, request.data), fetch_features(context, request.train_only)
    data = prepare(load_features(features), request.options, load_features(extra) if extra else None)
    device, folder = choose_device(context, request.device), context.folder / "models"
    keeper = Checkpoints(context, folder)
    resume = keeper.restore(data)
    pretrained = None
    if resume is None:
        resume = _fetch_training(context, request.resume) if request.resume else None
        pretrained = fetch_model(context, request.pretrained).path if request.pretrained else None
    check_stopping(context)
    result = train(
        data,
        device=device,
        output_dir=folder,
        pretrained=pretrained,
        resume=resume,
        on_notice=lambda notice: context.tell(f"note: {notice}"),
        on_epoch=_EpochProgress(context, request.options.epochs).tell,
        after_epoch=keeper.after_epoch,
    )
    return _outcome(context, result, data, [*features, *extra])


class _EpochProgress:
    def __init__(self, context: Context, n_epochs: int) -> None:
        self._context, self._n_epochs = context, n_epochs
        self._began, self._n_done = time.monotonic(), 0

    def tell(self, metrics: EpochMetrics) -> None:
        """Tell of an epoch; the pace is that of this attempt, which need not have begun with the first one."""
        self._n_done += 1
        epoch_s = (time.monotonic() - self._began) / self._n_done
        self._context.tell_progress(
            Progress(
                done=metrics.epoch,
                total=self._n_epochs,
                unit="epochs",
                rate_per_s=1 / epoch_s if epoch_s else None,
                eta_s=(self._n_epochs - metrics.epoch) * epoch_s,
                epoch=metrics.epoch,
                train_loss=metrics.train_loss,
                train_accuracy=metrics.train_accuracy,
                val_loss=metrics.val_loss,
                val_accuracy=metrics.val_accuracy,
                learning_rate=metrics.learning_rate,
            )
        )


def _fetch_training(context: Context, job_id: str) -> Path:
    folder = context.folder / "resumed"
    for name in (METRICS_FILE, FINAL_FILE):
        fetch_artifact(context, job_id, name, folder / name)
    return folder / FINAL_FILE


def _outcome(context: Context, result: TrainingResult, data: TrainingData, features: list[Features]) -> Outcome:
    folder, lineage = result.output_dir, lineage_of(context, features)
    figures = {name: value for name, value in asdict(result).items() if name not in {"output_dir", "best_model"}}
    metrics = {**figures, **_metrics_of(folder, result.best_epoch)}
    classifier = load_classifier(folder / MODEL_FILE)
    model_card.write(
        folder,
        version=classifier.version,
        label_names=classifier.label_names,
        options=data.options,
        metrics=metrics,
        lineage=lineage,
        groups=data.train.groups,
    )
    advice = [entry.as_dict() for entry in of_files(folder, data, result.best_epoch)]
    return Outcome(
        {**figures, "version": classifier.version, "sha256": sha256_of(folder / MODEL_FILE), "advice": advice},
        {path.name: path for path in sorted(folder.iterdir())},
        {
            "model": {
                "artifact": MODEL_FILE,
                "source": ModelSource.TRAINING,
                "label_names": classifier.label_names,
                "version": classifier.version,
                "metrics": metrics,
                "lineage": lineage.model_dump(mode="json"),
            }
        },
    )


def _metrics_of(folder: Path, epoch: int) -> dict[str, Any]:
    """Read what an epoch came to."""
    lines = (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    entries = {entry["epoch"]: entry for entry in map(json.loads, lines)}
    wanted = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")
    return {name: entries[epoch][name] for name in wanted} if epoch in entries else {}
