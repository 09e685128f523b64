"""The account itself: it finds what a storm must not do."""

import json
from types import SimpleNamespace

import pytest
from account import account_of
from sqlalchemy import update
from storm import Kill

from asl.contracts import EventKind, JobKind, Queue
from asl.infra import jobs, schema, tables
from asl.infra.database import Database
from asl.infra.storage import FolderStorage
from asl.infra.tables import Job


@pytest.fixture
def storm(tmp_path):
    """Three jobs that were accepted and have succeeded."""
    database, storage = Database(f"sqlite:///{tmp_path}/asl.db"), FolderStorage(tmp_path / "store")
    schema.upgrade(database)
    platform = SimpleNamespace(database=database, storage=storage, workers=[])
    storm = SimpleNamespace(platform=platform, name="R", label="r", n_jobs=3, seconds=1.0, kills=[], hits={})
    storm.complaints, storm.accepted = [], {str(number): _run(platform) for number in range(3)}
    yield storm
    database.close()


def test_all_is_well(storm):
    account = account_of(storm, 0)
    account.check()
    assert (account.n_jobs, account.n_fenced, account.n_takeovers, account.recovery_p95_s) == (3, 0, 0, None)


def test_a_job_that_does_not_exist_is_lost(storm):
    storm.accepted["2"] = "nowhere"
    account = account_of(storm, 0)
    assert account.lost == ["nowhere"]
    assert len(account.double) == 1  # the one that nobody was told of


def test_a_job_that_has_not_ended_is_lost(storm):
    _change(storm, update(Job).where(Job.id == storm.accepted["0"]).values(state="running"))
    assert account_of(storm, 0).lost == [storm.accepted["0"]]


def test_a_second_end_is_double(storm):
    event = tables.JobEvent(job_id=storm.accepted["0"], attempt=2, kind=EventKind.STATE, data={"state": "failed"})
    with storm.platform.database.transaction() as session:
        session.add(event)
    assert account_of(storm, 0).double == [storm.accepted["0"]]


def test_the_file_of_another_attempt_is_told(storm):
    _change(storm, update(tables.Artifact).where(tables.Artifact.job_id == storm.accepted["0"]).values(attempt=2))
    assert len(account_of(storm, 0).complaints) == 1


def test_the_time_from_a_kill_to_the_next_run_is_told(storm):
    job_id = storm.accepted["0"]
    with storm.platform.database.transaction() as session:
        session.execute(update(tables.JobEvent).where(tables.JobEvent.job_id == job_id).values(data={"state": "?"}))
        told = [(10.0, "running", {"worker": "w"}), (15.5, "queued", {"why": "its worker fell silent"})]
        for at, state, more in [*told, (16.0, "running", {"worker": "v"}), (17.0, "succeeded", {})]:
            data = {"state": state, **more}
            session.add(tables.JobEvent(job_id=job_id, attempt=1, kind=EventKind.STATE, data=data, at=at))
    storm.kills = [Kill("w", 11.0), Kill("v", 18.0)]
    account = account_of(storm, 0)
    assert (account.recoveries_s, account.n_takeovers) == ([5.0], 1)


def _run(platform):
    row = Job(tenant="t", submitted_by="t", kind=JobKind.PROBE, queue=Queue.CPU, name="r", request={"kind": "probe"})
    with platform.database.transaction() as session:
        jobs.add(session, row)
    with platform.database.transaction() as session:
        claim = jobs.claim(session, [Queue.CPU], "w", 5)
        content = json.dumps({"job": claim.job_id, "attempt": claim.attempt}).encode()
        stored = platform.storage.put_bytes(f"jobs/{claim.job_id}/probe.json", content)
        found = jobs.NewArtifact("probe.json", stored.key, stored.sha256, stored.size_bytes, "application/json")
        jobs.succeed(session, claim, {}, [found])
    return row.id


def _change(storm, written):
    with storm.platform.database.transaction() as session:
        session.execute(written)
