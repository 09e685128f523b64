"""Which settings a tuning tries next, and which it gives up: Optuna, told of each trial as it is judged."""

import itertools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.samplers import TPESampler
from optuna.trial import Trial, TrialState, create_trial

from asl.contracts import TriedState, TuningMethod, TuningOptions
from asl.core.study import Study, Tried

_P_THRESHOLD: Final = 0.1
_STATES: Final = {TriedState.COMPLETE: TrialState.COMPLETE, TriedState.PRUNED: TrialState.PRUNED}


class Search:
    """Chooses settings; what it chooses depends on the seed and on the trials before, not on when it was made.

    The trials are kept in `asl.core.study.Study`, which is written whole after each fold: a process that is killed may
    leave half a line and a lock in Optuna's own journal, and its other file is a database.
    """

    def __init__(self, study: Study, options: TuningOptions, seed: int) -> None:
        """Take up what was tried before.

        Args:
            study: Trials that have not ended count for nothing here.
            options: What is tried.
            seed: Of the order of a grid, and of what is chosen between.
        """
        self._options, self._seed, self._n_folds = options, seed, len(study.groups)
        self._grid = shuffled_grid(options, seed) if options.method is TuningMethod.GRID else []
        self._distributions = _distributions(options)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize", pruner=_pruner(options))
        for tried in study.tried:
            if tried.state in _STATES:
                self._study.add_trial(self._frozen(tried))

    def ask(self, number: int, begun: Tried | None) -> tuple[Trial, Tried]:
        """Choose the settings of a trial.

        Args:
            number: The trial's, from 0.
            begun: The trial where it was begun before, with its settings.
        """
        if begun is not None:
            self._study.enqueue_trial({name: getattr(begun, name) for name in self._distributions})
        elif self._grid:
            self._study.enqueue_trial(self._grid[number])
        # Anew for each trial, so that a tuning that was interrupted chooses as one that was not.
        self._study.sampler = TPESampler(seed=(self._seed + number) % 2**32)
        trial = self._study.ask(self._distributions)
        return trial, begun or Tried(number, **trial.params)

    def is_hopeless(self, trial: Trial, accuracies: Sequence[float]) -> bool:
        """Take up how the last fold was read, and tell whether the trial is to be given up.

        It is where it would not be the best if all other groups were read without a mistake, however few there are, or
        where Wilcoxon's test finds its groups read worse than the best trial's, which takes four or more.

        Args:
            trial: The trial.
            accuracies: Of all folds so far, in [0, 1].
        """
        trial.report(accuracies[-1], len(accuracies) - 1)
        if not self._options.prune:
            return False
        with _quiet():  # SciPy speaks of few folds
            return self._is_behind(accuracies) or trial.should_prune()

    def tell(self, trial: Trial, tried: Tried) -> None:
        """Tell how a trial has ended."""
        self._study.tell(trial, tried.mean if tried.state is TriedState.COMPLETE else None, _STATES[tried.state])

    def _is_behind(self, accuracies: Sequence[float]) -> bool:
        at_best = (sum(accuracies) + self._n_folds - len(accuracies)) / self._n_folds
        complete = [trial.value for trial in self._study.get_trials(deepcopy=False) if trial.value is not None]
        return at_best < max(complete, default=0)

    def _frozen(self, tried: Tried) -> optuna.trial.FrozenTrial:
        return create_trial(
            params={name: getattr(tried, name) for name in self._distributions},
            distributions=self._distributions,
            intermediate_values=dict(enumerate(tried.accuracies)),
            value=tried.mean if tried.state is TriedState.COMPLETE else None,
            state=_STATES[tried.state],
        )


def shuffled_grid(options: TuningOptions, seed: int) -> list[dict[str, Any]]:
    """Return every combination of the values to try, in random order, each once."""
    rates, dropouts, sizes = (dict.fromkeys(v) for v in (options.learning_rates, options.dropouts, options.sizes))
    grid = [
        {"learning_rate": rate, "dropout": dropout, "sizes": size}
        for rate, dropout, size in itertools.product(rates, dropouts, sizes)
    ]
    return [grid[index] for index in np.random.default_rng(seed).permutation(len(grid))]


def _distributions(options: TuningOptions) -> dict[str, BaseDistribution]:
    rates, dropouts = sorted(set(options.learning_rates)), sorted(set(options.dropouts))
    sizes = CategoricalDistribution(list(dict.fromkeys(options.sizes)))
    if options.method is TuningMethod.GRID:
        return {
            "learning_rate": CategoricalDistribution(rates),
            "dropout": CategoricalDistribution(dropouts),
            "sizes": sizes,
        }
    return {
        "learning_rate": FloatDistribution(rates[0], rates[-1], log=True),
        "dropout": FloatDistribution(dropouts[0], dropouts[-1]),
        "sizes": sizes,
    }


def _pruner(options: TuningOptions) -> BasePruner:
    if not options.prune:
        return NopPruner()
    with _quiet():  # it is called experimental, for its interface
        return WilcoxonPruner(p_threshold=_P_THRESHOLD)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
