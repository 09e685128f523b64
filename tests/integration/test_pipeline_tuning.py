"""Tunings as jobs: what they make, and how they go on after their worker is gone."""

import json

import pytest
from job_runs import JobRuns, Killed

from asl.contracts import JobKind
from asl.errors import Stopped

N_EPOCHS = 2 * 3
"""Of a trial: three groups."""


@pytest.fixture
def runs(tmp_path):
    return JobRuns(tmp_path)


@pytest.fixture
def request_(runs, data_file):
    features = runs.give_features(data_file)
    tried = {"learning_rates": [1e-3, 1e-2], "dropouts": [0.2], "sizes": ["8"], "prune": False}
    options = {"epochs": 2, "augment": False}
    return {"kind": "tuning", "data": [{"job": features}], "options": options, "tuning": tried, "device": "cpu"}


def test_a_tuning_tells_the_best_settings_and_goes_on_after_it_was_killed(runs, request_):
    whole = runs.do(JobKind.TUNING, request_)
    assert set(runs.artifacts(whole)) == {"best_options.json", "study.json", "tuning.png"}
    result = runs.result(whole)
    assert json.loads(runs.fetch(whole, "best_options.json").read_text()) == result["best_options"]
    assert result["best_options"]["epochs"] == 2
    assert (result["n_trials"], result["n_pruned"]) == (2, 0)
    assert result["trials"][0]["mean_accuracy"] == result["mean_accuracy"]
    assert result["trials"][0]["worst_group"] in result["groups"] == ["ann", "bob", "cid"]

    claim = runs.claim(runs.add(JobKind.TUNING, request_))
    for epoch in (1, N_EPOCHS - 1, N_EPOCHS + 3):
        with pytest.raises(Killed):
            runs.begin(claim, on_progress=lambda progress, epoch=epoch: _kill(progress, epoch))
        claim = runs.claim_again(claim)
    outcome, told = runs.begin(claim)
    assert runs.finish(claim, outcome) == result
    trials = [progress.trial for progress in told.progress if progress.trial]
    assert [(trial.number, trial.state) for trial in (trials[0], trials[-1])] == [(1, "complete"), (2, "complete")]
    assert {trial.mean_accuracy for trial in trials} >= {trial["mean_accuracy"] for trial in result["trials"]}
    first, *_, last = _epochs(told.progress)
    assert first.done == N_EPOCHS + 3  # in the second group of the second trial
    assert (last.done, last.total, last.unit) == (2 * N_EPOCHS, 2 * N_EPOCHS, "epochs")
    assert last.note.startswith("trial 2 of 2, best ")
    assert any("going on with trial 2 of 2" in line for line in told.lines)


def test_a_tuning_told_to_stop_saves_itself_first(tmp_path, data_file):
    runs = JobRuns(tmp_path, checkpoint_s=3600)
    tried = {"learning_rates": [1e-2], "dropouts": [0.2], "sizes": ["8"]}
    request = {"data": [{"job": runs.give_features(data_file)}], "options": {"epochs": 1}, "tuning": tried}
    claim, seen = runs.claim(runs.add(JobKind.TUNING, request)), []
    with pytest.raises(Stopped):
        runs.begin(claim, on_progress=seen.append, is_stopping=lambda: len(_epochs(seen)) == 3)
    assert len(runs.checkpoint(claim.job_id)["tried"][0]["accuracies"]) == 2
    _, told = runs.begin(runs.claim_again(claim))
    assert [progress.done for progress in _epochs(told.progress)] == [3]


def test_a_checkpoint_of_another_tuning_is_told_of_and_left(runs, request_):
    job_id = runs.add(JobKind.TUNING, request_, checkpoint={"tried": "something else"})
    _, told = runs.begin(runs.claim(job_id))
    assert told.progress[0].done == 1
    assert any("cannot be used" in line for line in told.lines)


def _epochs(told):
    return [progress for progress in told if progress.trial is None]


def _kill(progress, epoch):
    if progress.done == epoch:
        raise Killed
