"""R15: whatever the order of submissions, claims, silences, ends and cancellations, no job is lost or ends twice."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select, update

from asl.contracts import ENDED, JobError, JobKind, JobState, Progress, Queue
from asl.errors import Conflict
from asl.infra import jobs, tables
from asl.infra.database import Database, now
from asl.infra.jobs import Claim, NewArtifact
from asl.infra.tables import Base, Job

LEASE_S = 1000.0


@dataclass
class Expected:
    """What a job should look like."""

    state: JobState
    needs: set[str] = field(default_factory=set)
    holder: Claim | None = None
    n_claims: int = 0
    n_crashes: int = 0
    n_lost: int = 0


class JobMachine(RuleBasedStateMachine):
    database: Database
    claims = Bundle("claims")
    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.jobs: dict[str, Expected] = {}
        with self.database.transaction() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())

    @rule(target=ids, needs=st.lists(ids, max_size=3, unique=True), priority=st.integers(-2, 2))
    def submit(self, needs, priority):
        row = Job(
            id=tables.new_id(), tenant="t", submitted_by="t", kind=JobKind.PROBE, queue=Queue.CPU, request={},
            priority=priority, max_attempts=2,
        )  # fmt: skip
        dead = [n for n in needs if self.jobs[n].state in (JobState.FAILED, JobState.CANCELLED)]
        if dead:
            with pytest.raises(Conflict), self.database.transaction() as session:
                jobs.add(session, row, needs)
            return needs[0]
        with self.database.transaction() as session:
            jobs.add(session, row, needs)
        unmet = {n for n in needs if self.jobs[n].state != JobState.SUCCEEDED}
        self.jobs[row.id] = Expected(JobState.WAITING if unmet else JobState.QUEUED, unmet)
        return row.id

    @rule(target=claims)
    def claim(self):
        with self.database.transaction() as session:
            claim = jobs.claim(session, [Queue.CPU], "w", LEASE_S)
        queued = [job_id for job_id, job in self.jobs.items() if job.state == JobState.QUEUED]
        if claim is None:
            # Those left wait for their next try.
            assert all(self.jobs[job_id].n_crashes for job_id in queued)
            return Claim("0" * 32, 1, "t", JobKind.PROBE, Queue.CPU, {}, None, None, 0, None, "")
        job = self.jobs[claim.job_id]
        assert job.state == JobState.QUEUED
        job.n_claims += 1
        assert claim.attempt == job.n_claims
        job.state, job.holder = JobState.RUNNING, claim
        return claim

    @rule()
    def let_time_pass(self):
        with self.database.transaction() as session:
            session.execute(update(Job).values(not_before=0))

    @rule(claim=claims)
    def beat(self, claim):
        with self.database.transaction() as session:
            state = jobs.record(session, claim, LEASE_S, Progress(done=1))
        assert state == (self.jobs[claim.job_id].state if self.holds(claim) else None)

    @rule(claim=claims)
    def succeed(self, claim):
        name = f"{claim.job_id}-{claim.attempt}"
        artifact = NewArtifact("a", name, "0" * 64, 1, "text/plain")
        with self.database.transaction() as session:
            done = jobs.succeed(session, claim, {"attempt": claim.attempt}, [artifact])
        assert done == (self.holds(claim) and self.jobs[claim.job_id].state == JobState.RUNNING)
        if done:
            self.end(claim.job_id, JobState.SUCCEEDED)
            for job in self.jobs.values():
                if job.state == JobState.WAITING and claim.job_id in job.needs:
                    job.needs.discard(claim.job_id)
                    job.state = job.state if job.needs else JobState.QUEUED

    @rule(claim=claims, retry=st.booleans())
    def fail(self, claim, retry):
        with self.database.transaction() as session:
            state = jobs.fail(session, claim, JobError(code="crashed", message="x"), retry=retry)
        if not self.holds(claim):
            assert state is None
            return
        job = self.jobs[claim.job_id]
        if job.state == JobState.CANCELLING:
            assert state == JobState.CANCELLED
            self.end_badly(claim.job_id, JobState.CANCELLED)
            return
        job.n_crashes += 1
        if retry and job.n_crashes < 2:
            assert state == JobState.QUEUED
            job.state, job.holder = JobState.QUEUED, None
        else:
            assert state == JobState.FAILED
            self.end_badly(claim.job_id, JobState.FAILED)

    @rule(claim=claims)
    def release(self, claim):
        with self.database.transaction() as session:
            done = jobs.release(session, claim)
        assert done == self.holds(claim)
        if done:
            self.given_back(claim.job_id)

    @rule(job_id=ids)
    def cancel(self, job_id):
        job = self.jobs[job_id]
        with self.database.transaction() as session:
            state = jobs.cancel(session, job_id)
        if job.state == JobState.RUNNING:
            job.state = JobState.CANCELLING
        elif job.state in (JobState.WAITING, JobState.QUEUED):
            self.end_badly(job_id, JobState.CANCELLED)
        assert state == job.state

    @rule(claim=claims)
    def fall_silent(self, claim):
        with self.database.transaction() as session:
            session.execute(
                update(Job).where(Job.id == claim.job_id, Job.attempt == claim.attempt, Job.lease_until.is_not(None))
                .values(lease_until=now() - 1)
            )  # fmt: skip
        with self.database.transaction() as session:
            expired = jobs.take_back_expired(session)
        assert [job.job_id for job in expired] == ([claim.job_id] if self.holds(claim) else [])
        if expired:
            job = self.jobs[claim.job_id]
            job.n_lost += job.state == JobState.RUNNING
            self.given_back(claim.job_id)

    @invariant()
    def stands_as_expected(self):
        with self.database.reading() as session:
            rows = {row.id: row for row in session.scalars(select(Job))}
            counted = select(tables.Artifact.job_id, func.count()).group_by(tables.Artifact.job_id)
            n_artifacts = dict(session.execute(counted).all())
        assert rows.keys() == self.jobs.keys()
        for job_id, job in self.jobs.items():
            row = rows[job_id]
            assert (row.state, row.attempt, row.n_crashes) == (job.state, job.n_claims, job.n_crashes)
            assert (row.lease_until is not None) == (job.state in (JobState.RUNNING, JobState.CANCELLING))
            assert (row.finished_at is not None) == (job.state in ENDED)
            assert row.n_waiting_for == len(job.needs) or job.state != JobState.WAITING
            assert n_artifacts.get(job_id, 0) == (job.state == JobState.SUCCEEDED)

    def holds(self, claim):
        job = self.jobs.get(claim.job_id)
        return job is not None and job.holder == claim

    def given_back(self, job_id):
        job = self.jobs[job_id]
        if job.state == JobState.CANCELLING:
            self.end_badly(job_id, JobState.CANCELLED)
        elif job.n_lost > jobs.MAX_LOST:
            self.end_badly(job_id, JobState.FAILED)
        else:
            job.state, job.holder = JobState.QUEUED, None

    def end(self, job_id, state):
        self.jobs[job_id].state, self.jobs[job_id].holder = state, None

    def end_badly(self, job_id, state):
        self.end(job_id, state)
        for other_id, other in self.jobs.items():
            if other.state == JobState.WAITING and job_id in other.needs:
                self.end_badly(other_id, JobState.FAILED)


def run(database, n_examples):
    Base.metadata.create_all(database.engine)
    machine = type("Machine", (JobMachine,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=50,
            suppress_health_check=list(HealthCheck),
        ),
    )
    database.close()


def test_no_order_of_moves_breaks_a_job_on_sqlite(tmp_path):
    run(Database(f"sqlite:///{tmp_path}/jobs.db"), 40)


def test_no_order_of_moves_breaks_a_job_on_postgres(postgres_server):
    run(Database(postgres_server.create_database()), 40)
