"""Features to the settings with which a training reads new signers best, from where an earlier attempt stopped."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from asl.contracts import Progress, TrainingOptions, TuningRequest
from asl.core import cross_validation, tuning, tuning_files
from asl.core.cross_validation import Trial
from asl.core.study import Study, Tried
from asl.errors import Conflict, Stopped
from asl.pipelines.context import Context, Outcome
from asl.pipelines.requests import check_stopping, choose_device, parse
from asl.pipelines.sources import fetch_features, load_features

_N_TOLD: Final = 10


def run(context: Context) -> Outcome:
    """Make the files of `asl tune`.

    Raises:
        NotFound: Features are not there.
        DatasetInvalid: See `asl.core.cross_validation.plan`.
        OutOfMemory: The device ran out of memory.
        Unavailable: The store cannot be reached, or gives other bytes.
        Stopped: The job was told to stop, and is saved.
    """
    request = parse(context, TuningRequest)
    features, extra = fetch_features(context, request.data), fetch_features(context, request.train_only)
    options = request.tuning
    folds = cross_validation.plan(
        load_features(features),
        request.options,
        extra=load_features(extra) if extra else None,
        exclude_labels=options.exclude_labels,
        test_rows_per_class=options.test_rows_per_class,
        n_seeds=options.n_seeds,
    )
    device = choose_device(context, request.device)
    check_stopping(context)
    keeper = _Keeper(context, folds)
    study = tuning.tune(
        keeper.restore(request), folds, options, device=device, on_epoch=keeper.tell, after_fold=keeper.keep
    )
    folder = context.folder / "tuning"
    tuning_files.write_results(study, request.options, folder)
    return Outcome(_result(study, request.options), {path.name: path for path in sorted(folder.iterdir())})


class _Keeper:
    """Notes the study with the job from time to time, and tells how far it is."""

    def __init__(self, context: Context, folds: Sequence[Trial]) -> None:
        self._context, self._folds = context, folds
        self._saved_at = time.monotonic()
        self._study: Study | None = None
        self._total = 0

    def restore(self, request: TuningRequest) -> Study:
        new = tuning.begin(self._folds, request.tuning)
        self._study, noted = new, self._context.claim.checkpoint
        if noted:
            try:
                self._study = tuning.resume(Study.from_dict(noted), self._folds, request.tuning)
            except Conflict as error:
                self._context.tell(f"note: what was saved cannot be used: {error.message}")
            else:
                self._context.tell(f"note: going on with {self._study.note()}")
        self._total = tuning.count_epochs(self._study, self._folds)
        return self._study

    def tell(self, n_done: int, study: Study) -> None:
        self._context.tell_progress(Progress(done=n_done, total=self._total, unit="epochs", note=study.note()))
        if self._context.is_stopping():
            if self._study is not None:
                self._context.save_checkpoint(self._study.as_dict())
            raise Stopped(f"the tuning was told to stop, and is saved: {study.note()}")

    def keep(self, study: Study) -> None:
        self._study = study
        if time.monotonic() - self._saved_at >= self._context.settings.checkpoint_s:
            self._context.save_checkpoint(study.as_dict())
            self._saved_at = time.monotonic()


def _result(study: Study, options: TrainingOptions) -> dict[str, Any]:
    best = study.ranked[0]
    return {
        "mean_accuracy": best.mean,
        "best_options": best.apply(options).model_dump(mode="json"),
        "flags": " ".join(best.flags()),
        "n_trials": len(study.tried),
        "n_pruned": study.n_pruned,
        "groups": list(dict.fromkeys(study.groups)),
        "trials": [_told(study, tried) for tried in study.ranked[:_N_TOLD]],
    }


def _told(study: Study, tried: Tried) -> Mapping[str, Any]:
    group, accuracy = study.worst(tried)
    return {
        "number": tried.number + 1,
        "learning_rate": tried.learning_rate,
        "dropout": tried.dropout,
        "hidden_sizes": list(tried.hidden_sizes),
        "mean_accuracy": tried.mean,
        "worst_group": group,
        "worst_accuracy": accuracy,
    }
