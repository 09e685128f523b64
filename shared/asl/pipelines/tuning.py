"""Features to the settings with which a training reads new signers best, from where an earlier attempt stopped."""

import time
from collections.abc import Sequence
from typing import Any, Final

from asl.contracts import Progress, TrainingOptions, TriedState, TuningRequest
from asl.core import cross_validation, tuning, tuning_files
from asl.core.cross_validation import Trial
from asl.core.study import Study, Tried
from asl.errors import Conflict, Stopped
from asl.pipelines.context import Context, Outcome
from asl.pipelines.requests import check_stopping, choose_device, parse
from asl.pipelines.sources import fetch_features, load_features

_N_TOLD: Final = 10
_TELL_EVERY_S: Final = 1.0
"""Trials that go on are told of so often at most; their ends always are."""


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
        self._done = self._total = 0
        self._trial_told_at = 0.0

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
        self._done = tuning.count_epochs_done(self._study, self._folds)
        for tried in self._study.tried:
            self._tell_trial(self._study, tried)
        return self._study

    def tell(self, n_done: int, study: Study) -> None:
        self._done = n_done
        self._context.tell_progress(self._progress(study))
        if self._context.is_stopping():
            if self._study is not None:
                self._context.save_checkpoint(self._study.as_dict())
            raise Stopped(f"the tuning was told to stop, and is saved: {study.note()}")

    def keep(self, study: Study) -> None:
        self._study, self._done = study, tuning.count_epochs_done(study, self._folds)
        self._tell_trial(study, study.tried[-1])
        if time.monotonic() - self._saved_at >= self._context.settings.checkpoint_s:
            self._context.save_checkpoint(study.as_dict())
            self._saved_at = time.monotonic()

    def _tell_trial(self, study: Study, tried: Tried) -> None:
        is_due = time.monotonic() - self._trial_told_at >= _TELL_EVERY_S
        if tried.accuracies and (is_due or tried.state is not TriedState.RUNNING):
            self._trial_told_at = time.monotonic()
            self._context.tell_progress(self._progress(study).model_copy(update={"trial": study.told(tried)}))

    def _progress(self, study: Study) -> Progress:
        return Progress(done=self._done, total=self._total, unit="epochs", note=study.note())


def _result(study: Study, options: TrainingOptions) -> dict[str, Any]:
    best = study.ranked[0]
    return {
        "mean_accuracy": best.mean,
        "best_options": best.apply(options).model_dump(mode="json"),
        "flags": " ".join(best.flags()),
        "n_trials": len(study.tried),
        "n_pruned": study.n_pruned,
        "groups": list(dict.fromkeys(study.groups)),
        "trials": [study.told(tried).model_dump(mode="json") for tried in study.ranked[:_N_TOLD]],
    }
