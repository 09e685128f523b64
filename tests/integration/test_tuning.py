import json

import pytest
from factories import make_dataset
from pydantic import ValidationError
from trainings import command

from asl.contracts import TrainingOptions, TriedState, TuningMethod, TuningOptions
from asl.core import cross_validation, dataset, tuning
from asl.core.search import shuffled_grid
from asl.core.study import Study
from asl.core.tuning_files import STUDY_FILE
from asl.errors import Conflict

GROUPS = ("ann", "bob", "cid", "dan", "eve")
BASE = TrainingOptions(epochs=2, batch_size=16, augment=False)
SMALL = TuningOptions(learning_rates=(1e-5, 1e-2), dropouts=(0.2,), sizes=("8", "16-8"))


@pytest.fixture(scope="module")
def folds():
    return cross_validation.plan(make_dataset(groups=GROUPS, noise=0.1), BASE)


def _tune(folds, options, **listeners):
    return tuning.tune(tuning.begin(folds, options), folds, options, device="cpu", **listeners)


class _Killed(Exception):
    pass


@pytest.mark.parametrize("method", TuningMethod)
def test_a_tuning_that_is_killed_ends_as_an_unbroken_one(folds, method):
    options = SMALL.model_copy(update={"method": method, "n_trials": 4})
    whole = _tune(folds, options)
    assert {trial.state for trial in whole.tried} <= {TriedState.COMPLETE, TriedState.PRUNED}
    study = tuning.begin(folds, options)
    for n_folds in (1, 3, 6):  # within a trial, and between two
        kept = [study]

        def keep(now, kept=kept, n_folds=n_folds):
            kept.append(now)
            if len(kept) > n_folds:
                raise _Killed

        with pytest.raises(_Killed):
            tuning.tune(study, folds, options, device="cpu", after_fold=keep)
        written = json.loads(json.dumps(kept[-1].as_dict()))
        study = tuning.resume(Study.from_dict(written), folds, options)
    assert tuning.tune(study, folds, options, device="cpu") == whole


def test_a_grid_tries_each_combination_once_and_gives_hopeless_ones_up(folds):
    study = _tune(folds, SMALL)
    assert study.n_trials == 4
    assert len({(trial.learning_rate, trial.sizes) for trial in study.tried}) == 4
    best = study.ranked[0]
    assert best.learning_rate == 1e-2
    assert best.mean > 0.6
    assert len(best.accuracies) == len(GROUPS)
    assert study.n_pruned >= 1
    given_up = [trial for trial in study.tried if trial.state is TriedState.PRUNED]
    assert all(trial.learning_rate == 1e-5 and len(trial.accuracies) < len(GROUPS) for trial in given_up)
    assert any(len(trial.accuracies) == 1 for trial in given_up)  # the other four groups could not make up for it
    unpruned = _tune(folds, SMALL.model_copy(update={"prune": False}))
    assert unpruned.n_pruned == 0
    assert unpruned.ranked[0] == best


def test_more_trials_begin_with_those_of_before(folds):
    options = SMALL.model_copy(update={"n_trials": 1})
    first = _tune(folds, options)
    more = tuning.resume(first, folds, SMALL)
    assert tuning.tune(more, folds, SMALL, device="cpu").tried[0] == first.tried[0]
    grid = shuffled_grid(TuningOptions(), 1)
    assert len(grid) == 36
    assert grid != shuffled_grid(TuningOptions(), 2)


def test_rates_are_chosen_between_the_least_and_the_greatest(folds):
    options = TuningOptions(learning_rates=(1e-3, 1e-2), sizes=("8",), method="tpe", n_trials=3, prune=False)
    tried = _tune(folds, options).tried
    assert len({trial.learning_rate for trial in tried}) == 3
    assert all(1e-3 <= trial.learning_rate <= 1e-2 and 0.2 <= trial.dropout <= 0.5 for trial in tried)


def test_epochs_are_counted_to_the_end_and_never_backwards(folds):
    done = []
    options = SMALL.model_copy(update={"prune": False})
    study = _tune(folds, options, on_epoch=lambda n, _: done.append(n))
    assert done == list(range(1, 4 * 5 * 2 + 1))
    assert tuning.count_epochs(study, folds) == done[-1]


@pytest.mark.parametrize(
    "options",
    [
        {"sizes": ["0"]},
        {"sizes": ["64--32"]},
        {"sizes": ["6\u0664"]},
        {"learning_rates": [0]},
        {"dropouts": [1]},
        {"sizes": []},
    ],
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ValidationError):
        TuningOptions(**options)


def test_a_rate_that_breaks_the_network_is_only_a_bad_one(folds):
    options = SMALL.model_copy(update={"learning_rates": (10.0, 1e-2), "sizes": ("8",), "prune": False})
    assert _tune(folds, options).ranked[0].learning_rate == 1e-2


def test_a_tuning_of_other_data_or_options_does_not_go_on(folds):
    study = tuning.begin(folds, SMALL)
    with pytest.raises(Conflict):
        tuning.resume(study, folds, SMALL.model_copy(update={"dropouts": (0.3,)}))
    others = cross_validation.plan(make_dataset(groups=GROUPS, noise=0.1, seed=1), BASE)
    with pytest.raises(Conflict):
        tuning.resume(study, others, SMALL)
    with pytest.raises(Conflict):
        Study.from_dict({"tried": [{"number": 0}]})


def test_the_command_finds_settings_that_a_training_takes(tmp_path, capsys):
    path, folder = tmp_path / "hands.npz", tmp_path / "tuning"
    dataset.save(make_dataset(groups=GROUPS[:3], noise=0.1), path)
    common = ["--data-file", path, "--epochs", 1, "--no-augment", "--output-dir"]
    words = ["tune", *common, folder, "--learning-rates", 0.01, "--dropouts", 0.2, 0.3, "--sizes", "8"]
    assert command(*words) == 0
    told = capsys.readouterr()
    assert "2 trials judged on all groups, 0 given up" in told.out
    assert "--hidden-sizes 8" in told.out
    assert {file.name for file in folder.iterdir()} == {"best_options.json", STUDY_FILE, "tuning.png"}
    best = json.loads((folder / "best_options.json").read_text())
    assert (best["hidden_sizes"], best["learning_rate"], best["augment"]) == ([8], 0.01, False)
    assert (
        command("train-model", "--config", folder / "best_options.json", "--data-file", path, "--output-dir", tmp_path)
        == 0
    )
    assert json.loads((tmp_path / "config.json").read_text())["options"] == best

    capsys.readouterr()
    assert command(*words) == 5
    assert "--resume" in capsys.readouterr().err
    assert command(*words, "--resume", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["tried"]) == 2
    (folder / STUDY_FILE).write_text("no JSON")
    assert command(*words, "--resume") == 5
