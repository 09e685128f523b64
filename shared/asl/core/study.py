"""What a tuning has tried so far, and how well each of it reads signers that training never saw."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from asl.contracts import TrainingOptions, TriedState, TuningTrial
from asl.errors import Conflict


@dataclass(frozen=True)
class Tried:
    """Settings, and how well the groups were read with them."""

    number: int
    """From 0."""
    learning_rate: float
    dropout: float
    sizes: str
    """Of the hidden layers, such as 256-128-64."""
    accuracies: tuple[float, ...] = ()
    """Of each fold so far, in the order of `Study.groups`, in [0, 1]."""
    state: TriedState = TriedState.RUNNING

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds so far, each counting the same."""
        return float(np.mean(self.accuracies))

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Sizes of the hidden layers."""
        return tuple(map(int, self.sizes.split("-")))

    def apply(self, options: TrainingOptions) -> TrainingOptions:
        """Return options with these settings."""
        settings = {"learning_rate": self.learning_rate, "dropout": self.dropout, "hidden_sizes": self.hidden_sizes}
        return options.model_copy(update=settings)

    def flags(self) -> tuple[str, ...]:
        """Return the settings as flags of `asl train-model`."""
        sizes = map(str, self.hidden_sizes)
        return (
            "--learning-rate",
            f"{self.learning_rate:g}",
            "--dropout",
            f"{self.dropout:g}",
            "--hidden-sizes",
            *sizes,
        )


@dataclass(frozen=True)
class Study:
    """A tuning as it stands: all that is needed to go on with it."""

    fingerprint: str
    """Of the data and the options; a study of another cannot go on."""
    groups: tuple[str, ...]
    """The group that each fold of a trial is tested on."""
    n_trials: int
    tried: tuple[Tried, ...] = ()

    @property
    def ranked(self) -> tuple[Tried, ...]:
        """The trials that were judged on all groups, best first."""
        complete = [trial for trial in self.tried if trial.state is TriedState.COMPLETE]
        return tuple(sorted(complete, key=lambda trial: -trial.mean))

    @property
    def n_pruned(self) -> int:
        """Trials that were given up."""
        return sum(trial.state is TriedState.PRUNED for trial in self.tried)

    def worst(self, trial: Tried) -> tuple[str, float]:
        """Name the group that a trial reads worst, and how well; several seeds of a group are averaged."""
        means = {
            group: float(np.mean([a for a, name in zip(trial.accuracies, self.groups, strict=False) if name == group]))
            for group in dict.fromkeys(self.groups[: len(trial.accuracies)])
        }
        return min(means.items(), key=lambda item: item[1])

    def told(self, trial: Tried) -> TuningTrial:
        """Return a trial that was judged on one group at least as users are told of it."""
        group, accuracy = self.worst(trial)
        return TuningTrial(
            number=trial.number + 1,
            state=trial.state,
            learning_rate=trial.learning_rate,
            dropout=trial.dropout,
            hidden_sizes=trial.hidden_sizes,
            n_judged=len(trial.accuracies),
            mean_accuracy=trial.mean,
            worst_group=group,
            worst_accuracy=accuracy,
        )

    def note(self) -> str:
        """Say in a few words how far it is."""
        n_begun = min(len(self.tried) + all(trial.state != TriedState.RUNNING for trial in self.tried), self.n_trials)
        best = f", best {self.ranked[0].mean:.1%}" if self.ranked else ""
        return f"trial {n_begun} of {self.n_trials}{best}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as `from_dict` takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take up what `as_dict` returned.

        Raises:
            Conflict: It is something else.
        """
        try:
            tried = tuple(
                Tried(**{**entry, "accuracies": tuple(entry["accuracies"]), "state": TriedState(entry["state"])})
                for entry in values["tried"]
            )
            return cls(**{**values, "groups": tuple(values["groups"]), "tried": tried})
        except (KeyError, TypeError, ValueError) as error:
            raise Conflict(f"expected the state of a tuning, found another ({error})") from error
