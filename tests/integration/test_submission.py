"""Requests to rows: references, extractions by themselves, shards, quotas, retries; on SQLite and on Postgres."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from databases import KINDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_service import new_tenant, stored
from registered import add_model
from sqlalchemy import update

from asl.contracts import (
    REQUESTS,
    SHARD_SIZE,
    Alias,
    EvaluationRequest,
    ExportRequest,
    ExtractionRequest,
    FeaturesRef,
    JobKind,
    JobState,
    ModelRef,
    PreparationOptions,
    ProbeRequest,
    Queue,
    TrainingRequest,
)
from asl.errors import Conflict, InvalidInput, NotFound, QuotaExceeded
from asl.infra import job_views, jobs, pages, submission, tables
from asl.infra.jobs.rows import of_id
from asl.infra.submission import Submitter

BIG = 2 * SHARD_SIZE + 7


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory):
    with stored(request.param, request, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def tenant():
    return new_tenant()


def _training(*refs, **options):
    return TrainingRequest(data=refs, **options)


def _retry(store, tenant, job_id, limit=1000):
    with store.database.transaction() as session:
        return submission.retry(session, Submitter(tenant, "test", limit), job_id)


def _show(store, tenant, job_id):
    with store.database.reading() as session:
        return job_views.show(session, job_views.find(session, tenant, job_id))


def test_a_training_that_names_a_data_set_gets_its_extraction_by_itself(store, tenant):
    dataset_id = store.add_dataset(tenant)
    [training_id] = store.submit(tenant, _training(FeaturesRef(dataset="hands", version=1), priority=3))
    [extraction] = store.rows(tenant, tables.Job.kind == JobKind.EXTRACTION)
    training = store.row(training_id)
    assert (extraction.request["dataset"], extraction.request["version"]) == (dataset_id, 1)
    assert (extraction.queue, extraction.state, extraction.priority) == (Queue.CPU, JobState.QUEUED, 3)
    assert (training.queue, training.state) == (Queue.GPU, JobState.WAITING)
    assert training.request["data"] == [{"job": extraction.id}]
    assert store.needs(training_id) == {extraction.id}
    assert REQUESTS.validate_python(training.request).data == (FeaturesRef(job=extraction.id),)


def test_an_equal_extraction_is_used_again_until_it_is_lost(store, tenant):
    store.add_dataset(tenant)
    ref = FeaturesRef(dataset="hands", version=1)
    [first] = store.submit(tenant, _training(ref))
    [second] = store.submit(tenant, _training(ref, ref))
    [extraction_id] = store.needs(first)
    assert store.needs(second) == {extraction_id}
    store.succeed(extraction_id)
    [third] = store.submit(tenant, _training(ref))
    assert store.needs(third) == {extraction_id}
    assert store.row(third).state == JobState.QUEUED
    other = FeaturesRef(dataset="hands", version=1, preparation=PreparationOptions(augment_images=2))
    [fourth] = store.submit(tenant, _training(other))
    [other_id] = store.needs(fourth)
    assert other_id != extraction_id
    store.fail(other_id)
    [fifth] = store.submit(tenant, _training(other))
    assert store.needs(fifth).isdisjoint({other_id, extraction_id})


def test_another_tenants_extraction_is_not_used(store, tenant):
    store.add_dataset(tenant)
    [job_id] = store.submit(tenant, _training(FeaturesRef(dataset="hands", version=1)))
    other = new_tenant()
    store.add_dataset(other)
    [other_id] = store.submit(other, _training(FeaturesRef(dataset="hands", version=1)))
    assert store.needs(job_id).isdisjoint(store.needs(other_id))


def test_a_data_set_as_it_is_now_becomes_a_version(store, tenant):
    dataset_id = store.add_dataset(tenant)
    extraction_id, training_id = store.submit(
        tenant, ExtractionRequest(dataset="hands"), _training(FeaturesRef(dataset=dataset_id))
    )
    # The version that add_dataset wrote has another digest than the samples have.
    assert store.row(extraction_id).request["version"] == 2
    assert store.needs(training_id) == {extraction_id}


def test_a_chain_may_be_written_in_any_order(store, tenant):
    store.add_dataset(tenant)
    requests = [
        EvaluationRequest(model=ModelRef(job="train"), data=(FeaturesRef(job="hands"),), ref="judge"),
        ExportRequest(model=ModelRef(job="train"), depends_on=("judge",)),
        _training(FeaturesRef(job="hands"), ref="train"),
        ExtractionRequest(dataset="hands", version=1, ref="hands"),
    ]
    evaluation, export, training, extraction = store.submit(tenant, *requests)
    assert store.needs(evaluation) == {training, extraction}
    assert store.needs(export) == {training, evaluation}
    assert store.needs(training) == {extraction}
    assert [store.row(job_id).queue for job_id in (evaluation, export, training, extraction)] == [
        Queue.CPU,
        Queue.CPU,
        Queue.GPU,
        Queue.CPU,
    ]
    assert _show(store, tenant, export).depends_on == (evaluation, training)
    for job_id in (extraction, training, evaluation, export):
        assert store.row(job_id).state == JobState.QUEUED
        store.succeed(job_id)


@pytest.mark.parametrize(
    ("requests", "error", "place"),
    [
        ([ProbeRequest(ref="a"), ProbeRequest(ref="a")], InvalidInput, "jobs.1.ref"),
        ([ProbeRequest(depends_on=("nobody",))], InvalidInput, "depends_on.0: expected the ref"),
        ([ProbeRequest(depends_on=("a",), ref="a")], InvalidInput, "wait for each other"),
        (
            [ProbeRequest(depends_on=("b",), ref="a"), ProbeRequest(depends_on=("a",), ref="b"), ProbeRequest()],
            InvalidInput,
            "jobs.0, jobs.1",
        ),
        ([ProbeRequest(depends_on=("0" * 32,))], NotFound, "depends_on.0: no job"),
        (
            [ProbeRequest(ref="p"), _training(FeaturesRef(job="p"))],
            InvalidInput,
            "jobs.1.data.0.job: expected a job of",
        ),
        ([ProbeRequest(ref="p"), ExportRequest(model=ModelRef(job="p"))], InvalidInput, "jobs.1.model.job: expected"),
        ([ExportRequest(model=ModelRef(id="0" * 32))], NotFound, "no model"),
        ([ExportRequest(model=ModelRef(alias="production"))], NotFound, "role"),
        ([_training(FeaturesRef(dataset="nothing", version=1))], NotFound, "data set"),
        ([ExtractionRequest(dataset="nothing")], NotFound, "data set"),
    ],
)
def test_references_that_lead_nowhere_are_refused_and_nothing_is_written(store, tenant, requests, error, place):
    with pytest.raises(error, match=place):
        store.submit(tenant, *requests)
    assert store.rows(tenant) == []


def test_a_version_that_is_not_there_is_refused(store, tenant):
    store.add_dataset(tenant)
    with pytest.raises(NotFound, match="version"):
        store.submit(tenant, ProbeRequest(), ExtractionRequest(dataset="hands", version=7))
    assert store.rows(tenant) == []


def test_another_tenants_jobs_data_sets_and_models_are_not_there(store, tenant):
    other = new_tenant()
    store.add_dataset(other)
    [probe] = store.submit(other, ProbeRequest())
    with store.database.transaction() as session:
        model = add_model(session, tenant=other)
    for request in (
        ProbeRequest(depends_on=(probe,)),
        ExtractionRequest(dataset="hands", version=1),
        ExportRequest(model=ModelRef(id=model.id)),
        ExportRequest(model=ModelRef(job=model.job_id)),
    ):
        with pytest.raises(NotFound):
            store.submit(tenant, request)
    with pytest.raises(NotFound):
        _retry(store, tenant, probe)


def test_roles_and_models_are_pinned(store, tenant):
    with store.database.transaction() as session:
        model = add_model(session, tenant=tenant)
    by_role, by_id, by_job = store.submit(
        tenant,
        ExportRequest(model=ModelRef(alias=Alias.CANDIDATE)),
        ExportRequest(model=ModelRef(id=model.id)),
        ExportRequest(model=ModelRef(job=model.job_id)),
    )
    assert store.row(by_role).request["model"] == store.row(by_id).request["model"] == {"id": model.id}
    assert store.row(by_job).request["model"] == {"job": model.job_id}
    assert store.needs(by_job) == {model.job_id}


def test_a_job_that_has_failed_cannot_be_waited_for(store, tenant):
    [probe] = store.submit(tenant, ProbeRequest())
    store.fail(probe)
    with pytest.raises(Conflict, match="has failed"):
        store.submit(tenant, ProbeRequest(), ProbeRequest(depends_on=(probe,)))
    assert len(store.rows(tenant)) == 1


def test_an_extraction_is_divided_and_its_parts_come_first(store, tenant):
    store.add_dataset(tenant, n_samples=BIG)
    [job_id] = store.submit(tenant, ExtractionRequest(dataset="hands", version=1, priority=2))
    parent, parts = store.row(job_id), store.rows(tenant, tables.Job.parent_id == job_id)
    assert (parent.state, parent.n_shards, parent.n_waiting_for) == (JobState.WAITING, 3, 3)
    assert [(part.kind, part.shard, part.state, part.priority) for part in parts] == [
        (JobKind.EXTRACTION_SHARD, n, JobState.QUEUED, 2) for n in range(3)
    ]
    assert all(part.request == parent.request and part.queued_at for part in parts)
    assert store.needs(job_id) == {part.id for part in parts}
    assert _show(store, tenant, job_id).state is JobState.WAITING

    claim = store.move(jobs.claim, [Queue.CPU], "worker", 30, parts[0].id)
    store.record(claim, 123, 500)
    shown = _show(store, tenant, job_id)
    assert (shown.state, shown.progress.done, shown.progress.total) == (JobState.RUNNING, 123, BIG)
    assert shown.shards.model_dump() == {"total": 3, "succeeded": 0, "running": 1}
    assert shown.progress.rate_per_s > 0
    assert shown.progress.eta_s > 0

    store.move(jobs.succeed, claim, {})
    store.succeed(parts[2].id)
    shown = _show(store, tenant, job_id)
    assert (shown.progress.done, shown.shards.succeeded) == (BIG - 336, 2)  # 1,007 in three parts of at most 336
    store.succeed(parts[1].id)
    assert store.row(job_id).state == JobState.QUEUED
    store.succeed(job_id)
    shown = _show(store, tenant, job_id)
    assert (shown.state, shown.progress.done, shown.shards.succeeded) == (JobState.SUCCEEDED, BIG, 3)
    assert shown.progress.eta_s is None
    assert shown.depends_on == ()


def test_exactly_one_shard_of_samples_is_not_divided(store, tenant):
    store.add_dataset(tenant, n_samples=SHARD_SIZE)
    [job_id] = store.submit(tenant, ExtractionRequest(dataset="hands", version=1))
    assert len(store.rows(tenant)) == 1
    assert store.row(job_id).state == JobState.QUEUED


def test_parts_wait_for_what_their_job_waits_for(store, tenant):
    store.add_dataset(tenant, n_samples=BIG)
    probe, job_id = store.submit(
        tenant, ProbeRequest(ref="p"), ExtractionRequest(dataset="hands", version=1, depends_on=("p",))
    )
    parts = store.rows(tenant, tables.Job.parent_id == job_id)
    assert {part.state for part in parts} == {JobState.WAITING}
    store.succeed(probe)
    assert {part.state for part in store.rows(tenant, tables.Job.parent_id == job_id)} == {JobState.QUEUED}


def test_a_job_that_cannot_begin_fails_with_its_parts(store, tenant):
    store.add_dataset(tenant, n_samples=BIG)
    probe, job_id = store.submit(
        tenant, ProbeRequest(ref="p"), ExtractionRequest(dataset="hands", version=1, depends_on=("p",))
    )
    store.fail(probe)
    assert {row.state for row in store.rows(tenant)} == {JobState.FAILED}
    assert store.row(job_id).error["code"] == "dependency_failed"


def test_a_tenant_with_many_parts_does_not_hold_up_another(store, tenant):
    store.add_dataset(tenant, n_samples=50 * SHARD_SIZE)
    store.submit(tenant, ExtractionRequest(dataset="hands", version=1, priority=9))
    other = new_tenant()
    [probe] = store.submit(other, ProbeRequest(priority=9))
    claimed = [store.move(jobs.claim, [Queue.CPU], "worker", 30) for _ in range(3)]
    assert probe in [claim.job_id for claim in claimed]
    with store.database.transaction() as session:
        for row in store.rows(tenant):
            session.execute(of_id(row.id).values(state=JobState.CANCELLED))


def test_a_million_photographs_are_accepted_in_seconds(store, tenant):
    store.add_dataset(tenant, n_samples=1_000_000)
    start = time.perf_counter()
    [job_id] = store.submit(tenant, ExtractionRequest(dataset="hands", version=1))
    print(f"2,000 shards in {time.perf_counter() - start:.2f} s")  # noqa: T201 - a figure to look at, never asserted
    parts = store.rows(tenant, tables.Job.parent_id == job_id)
    assert [part.shard for part in parts] == list(range(2000))
    assert [part.turn for part in parts] == list(range(parts[0].turn, parts[0].turn + 2000))
    assert len(store.needs(job_id)) == 2000
    with store.database.reading() as session:
        assert job_views.events(session, parts[-1].id, 0, ["state"], 10)[0].data == {"state": "queued"}
        shown = job_views.page(session, tenant, job_views.Filters(), limit=50, cursor=None)
    assert [job.id for job in shown.items] == [job_id]
    with store.database.transaction() as session:
        session.execute(update(tables.Job).where(tables.Job.tenant == tenant).values(state=JobState.CANCELLED))


def test_a_quota_counts_what_is_added_besides_and_no_parts(store, tenant):
    store.add_dataset(tenant, n_samples=BIG)
    training = _training(FeaturesRef(dataset="hands", version=1))
    with pytest.raises(QuotaExceeded, match="at most 1 unfinished"):
        store.submit(tenant, training, limit=1)
    assert store.rows(tenant) == []
    [job_id] = store.submit(tenant, training, limit=2)
    with pytest.raises(QuotaExceeded):
        store.submit(tenant, ProbeRequest(), limit=2)
    store.move(jobs.cancel, job_id)
    store.submit(tenant, ProbeRequest(), limit=2)


def test_a_quota_holds_against_calls_at_the_same_time(store, tenant):
    def ask(_):
        try:
            return len(store.submit(tenant, ProbeRequest(), limit=5))
        except QuotaExceeded:
            return 0

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(40))) == 5


def test_a_retry_is_a_new_job_that_goes_on_from_the_checkpoint(store, tenant):
    [job_id] = store.submit(tenant, ProbeRequest(name="again", n_steps=3, max_attempts=5, priority=1))
    with pytest.raises(Conflict, match="queued"):
        _retry(store, tenant, job_id)
    claim = store.claim(job_id)
    store.move(jobs.save_checkpoint, claim, {"step": 2})
    store.move(jobs.cancel, job_id)
    store.move(jobs.confirm_cancelled, claim)
    again = store.row(_retry(store, tenant, job_id))
    assert (again.name, again.max_attempts, again.priority, again.state) == ("again", 5, 1, JobState.QUEUED)
    assert again.checkpoint == {"step": 2}
    assert again.request == store.row(job_id).request
    assert store.row(job_id).state == JobState.CANCELLED


def test_a_retried_extraction_gets_parts_anew(store, tenant):
    store.add_dataset(tenant, n_samples=BIG)
    [job_id] = store.submit(tenant, ExtractionRequest(dataset="hands", version=1))
    part = store.rows(tenant, tables.Job.parent_id == job_id)[1]
    store.fail(part.id)
    assert store.row(job_id).state == JobState.FAILED
    with pytest.raises(Conflict, match="part of"):
        _retry(store, tenant, part.id)
    new_id = _retry(store, tenant, job_id)
    parts = store.rows(tenant, tables.Job.parent_id == new_id)
    assert [(row.shard, row.state) for row in parts] == [(n, JobState.QUEUED) for n in range(3)]


def test_a_retry_takes_what_failed_before_along(store, tenant):
    store.add_dataset(tenant)
    extraction, training, evaluation = store.submit(
        tenant,
        ExtractionRequest(dataset="hands", version=1, ref="e"),
        _training(FeaturesRef(job="e"), ref="t"),
        EvaluationRequest(model=ModelRef(job="t"), data=(FeaturesRef(job="e"),)),
    )
    store.fail(extraction)
    with pytest.raises(QuotaExceeded):
        _retry(store, tenant, evaluation, limit=2)
    new = store.row(_retry(store, tenant, evaluation))
    assert len(store.rows(tenant)) == 6
    new_training = new.request["model"]["job"]
    new_extraction = new.request["data"][0]["job"]
    assert {new_training, new_extraction}.isdisjoint({training, extraction})
    assert store.needs(new_training) == {new_extraction}
    assert store.needs(new.id) == {new_training, new_extraction}
    # The extraction is there again by now: a second retry of the training uses it.
    assert store.needs(_retry(store, tenant, training)) == {new_extraction}


def test_an_import_is_a_job_of_the_cpu_queue(store, tenant):
    asked = {"key": "imports/a", "sha256": "0" * 64, "size_bytes": 5, "name": "mine"}
    with store.database.transaction() as session:
        job_id = submission.submit_model_import(session, Submitter(tenant, "test", 1), **asked)
    row = store.row(job_id)
    assert (row.kind, row.queue, row.request) == (JobKind.MODEL_IMPORT, Queue.CPU, asked)
    assert _show(store, tenant, job_id).kind is JobKind.MODEL_IMPORT
    with pytest.raises(QuotaExceeded), store.database.transaction() as session:
        submission.submit_model_import(session, Submitter(tenant, "test", 1), **asked)


def test_a_cancel_that_races_the_end_leaves_one_end(store, tenant):
    job_ids = store.submit(tenant, *[ProbeRequest()] * 200)
    with store.database.transaction() as session:
        claims = [jobs.claim(session, [Queue.CPU], "worker", 30, job_id) for job_id in job_ids]
    ends = []

    def finish():
        for claim in claims:
            if not store.move(jobs.succeed, claim, {"by": "worker"}):
                store.move(jobs.confirm_cancelled, claim)

    def cancel():
        for job_id in job_ids:
            ends.append(store.move(jobs.cancel, job_id))  # noqa: PERF401 - one at a time is the point

    threads = [threading.Thread(target=finish), threading.Thread(target=cancel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.database.transaction() as session:
        for claim in claims:
            jobs.confirm_cancelled(session, claim)
    final = ("succeeded", "cancelled", "failed")
    with store.database.reading() as session:
        for job_id in job_ids:
            events = job_views.events(session, job_id, 0, ["state"], 100)
            told = [event.data["state"] for event in events if event.data["state"] in final]
            assert told == [session.get_one(tables.Job, job_id).state]
    assert len(ends) == 200


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(links=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_a_chain_is_accepted_where_it_has_an_order_and_only_there(store, links):
    needs = {n: sorted({f"r{other}" for one, other in links if one == n}) for n in range(8)}
    requests = [ProbeRequest(ref=f"r{n}", depends_on=tuple(needs[n])) for n in range(8)]
    tenant = new_tenant()
    if _has_circle(links):
        with pytest.raises(InvalidInput, match="wait for each other"):
            store.submit(tenant, *requests)
        assert store.rows(tenant) == []
        return
    ids = store.submit(tenant, *requests)
    for n, job_id in enumerate(ids):
        assert store.needs(job_id) == {ids[int(name[1:])] for name in needs[n]}


def _has_circle(links):
    left = set(range(8))
    while free := {n for n in left if not any(one == n and other in left for one, other in links)}:
        left -= free
    return bool(left)


@given(created_at=st.floats(allow_nan=False, allow_infinity=False), job_id=st.uuids())
def test_a_cursor_comes_back_as_it_was(created_at, job_id):
    assert pages.decode(pages.encode(created_at, job_id.hex)) == (created_at, job_id.hex)


@given(text=st.text(max_size=40) | st.text("ABCabc123-_=/+", min_size=30, max_size=34))
def test_any_other_text_is_no_cursor_or_a_whole_one(text):
    try:
        created_at, job_id = pages.decode(text)
    except InvalidInput:
        return
    assert pages.encode(created_at, job_id) == text
    json.dumps(created_at, allow_nan=False)
