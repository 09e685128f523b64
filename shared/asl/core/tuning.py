"""Training options to better ones: settings tried in turn, each judged on groups that its models never saw."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from asl.contracts import TriedState, TuningMethod, TuningOptions
from asl.core import cross_validation
from asl.core.cross_validation import Trial
from asl.core.search import Search, shuffled_grid
from asl.core.study import Study, Tried
from asl.errors import Conflict

_MAY_CHANGE: Final = {"n_trials"}
"""Options with which a tuning may go on otherwise than it began."""


def begin(folds: Sequence[Trial], options: TuningOptions) -> Study:
    """Return a study of nothing yet.

    Args:
        folds: See `asl.core.cross_validation.plan`, with the options that all trials have in common.
        options: What is tried.
    """
    n_trials = options.n_trials
    if options.method is TuningMethod.GRID:
        n_trials = min(n_trials, len(shuffled_grid(options, 0)))
    return Study(_fingerprint(folds, options), tuple(fold.fold.group for fold in folds), n_trials)


def resume(study: Study, folds: Sequence[Trial], options: TuningOptions) -> Study:
    """Return a study to go on with, with as many trials as are wanted now.

    Raises:
        Conflict: It is of other data or options.
    """
    new = begin(folds, options)
    if (study.fingerprint, study.groups) != (new.fingerprint, new.groups):
        raise Conflict(
            "expected a tuning of the same data with the same options, found one of others",
            hint="Give the same files and options (only the number of trials may change), or another folder.",
        )
    return replace(study, n_trials=new.n_trials)


def tune(
    study: Study,
    folds: Sequence[Trial],
    options: TuningOptions,
    *,
    device: str,
    on_epoch: Callable[[int, Study], None] = lambda _done, _study: None,
    after_fold: Callable[[Study], None] = lambda _: None,
) -> Study:
    """Try settings until there are as many trials as wanted.

    A study that was interrupted goes on with the fold that it had not ended, and on a CPU comes to the same.

    Args:
        study: See `begin` and `resume`.
        folds: As given to them.
        options: As given to them.
        device: 'cpu' or 'cuda'.
        on_epoch: Told how many of `count_epochs` are done, those that a trial given up has skipped among them.
        after_fold: Given the study after each fold and each trial, to keep it; what it raises ends the tuning.

    Raises:
        OutOfMemory: The device ran out of memory.
    """
    return _Tuner(study, folds, options, device, (on_epoch, after_fold)).run()


def count_epochs(study: Study, folds: Sequence[Trial]) -> int:
    """Count the epochs of all trials, if none is given up."""
    return study.n_trials * sum(fold.options.epochs for fold in folds)


def count_epochs_done(study: Study, folds: Sequence[Trial]) -> int:
    """Count the epochs of the trials so far, those that a trial given up has skipped among them."""
    epochs = [fold.options.epochs for fold in folds]
    n_judged = (len(folds) if tried.state is not TriedState.RUNNING else len(tried.accuracies) for tried in study.tried)
    return sum(sum(epochs[:n]) for n in n_judged)


class _Tuner:
    def __init__(
        self,
        study: Study,
        folds: Sequence[Trial],
        options: TuningOptions,
        device: str,
        listeners: tuple[Callable[[int, Study], None], Callable[[Study], None]],
    ) -> None:
        self._study, self._folds, self._device = study, folds, device
        self._on_epoch, self._after_fold = listeners
        self._search = Search(study, options, folds[0].options.seed)

    def run(self) -> Study:
        n_ended = sum(tried.state is not TriedState.RUNNING for tried in self._study.tried)
        for number in range(n_ended, self._study.n_trials):
            begun = self._study.tried[number] if number < len(self._study.tried) else None
            trial, tried = self._search.ask(number, begun)
            self._note(tried)
            for step in range(len(self._folds)):
                if step == len(tried.accuracies):
                    tried = replace(tried, accuracies=(*tried.accuracies, self._judge(tried, step)))
                    self._note(tried)
                    self._after_fold(self._study)
                is_last = step + 1 == len(self._folds)
                if self._search.is_hopeless(trial, tried.accuracies[: step + 1]) and not is_last:
                    tried = replace(tried, state=TriedState.PRUNED)
                    break
            else:
                tried = replace(tried, state=TriedState.COMPLETE)
            self._search.tell(trial, tried)
            self._note(tried)
            self._after_fold(self._study)
        return self._study

    def _note(self, tried: Tried) -> None:
        self._study = replace(self._study, tried=(*self._study.tried[: tried.number], tried))

    def _judge(self, tried: Tried, step: int) -> float:
        fold = self._folds[step]
        epochs = [each.options.epochs for each in self._folds]
        done = itertools.count(tried.number * sum(epochs) + sum(epochs[:step]) + 1)
        with_settings = replace(fold, options=tried.apply(fold.options))
        answers = cross_validation.run(
            with_settings, self._device, on_epoch=lambda: self._on_epoch(next(done), self._study)
        )
        return float((answers.logits.argmax(dim=1) == answers.labels).float().mean())


def _fingerprint(folds: Sequence[Trial], options: TuningOptions) -> str:
    digest = hashlib.sha256(options.model_dump_json(exclude=_MAY_CHANGE).encode())
    data = folds[0].data
    for values in (data.features, data.letters, data.group, data.is_left):
        digest.update(values.tobytes())
    for fold in folds:
        digest.update(fold.options.model_dump_json().encode())
        digest.update(fold.fold.train_rows.tobytes() + fold.fold.test_rows.tobytes())
    return digest.hexdigest()
