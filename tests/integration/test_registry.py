"""Models are numbered, judged and given roles, on both databases and by many at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from databases import KINDS, fresh
from registered import TENANT, add_evaluation, add_job, add_model, sha256_of

from asl.contracts import Alias, JobKind, JobState, ModelRef, ModelSource
from asl.errors import (
    AslError,
    Conflict,
    GateRefused,
    InvalidInput,
    NotFound,
    OptionsInvalid,
    PreconditionFailed,
    PreconditionRequired,
)
from asl.infra import registry, tables

_MARGIN = 0.01
PRODUCTION, CANDIDATE = Alias.PRODUCTION, Alias.CANDIDATE


@pytest.fixture(params=KINDS, scope="module")
def shared_database(request, tmp_path_factory):
    with fresh(request.param, request, tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def database(shared_database):
    with shared_database.transaction() as session:
        for table in reversed(tables.Base.metadata.sorted_tables):
            session.execute(table.delete())
    return shared_database


def _promote(session, model, expected=None, *, alias=PRODUCTION, force=False, reason=""):
    return registry.promote(
        session,
        tenant=TENANT,
        alias=alias,
        model_id=model.id,
        expected_revision=expected,
        force=force,
        reason=reason,
        by="ann",
        margin=_MARGIN,
    )


def _force(session, model, expected=None):
    return _promote(session, model, expected, force=True, reason="because")


def _rollback(session, expected, alias=PRODUCTION):
    return registry.rollback(session, tenant=TENANT, alias=alias, expected_revision=expected, reason="worse", by="bob")


def _models(session, n_models):
    return [add_model(session) for _ in range(n_models)]


def _name_in(session, alias):
    row = registry.model_in_role(session, TENANT, alias)
    return row and row.number


def test_numbers_count_up_for_each_tenant(database):
    with database.transaction() as session:
        assert [model.number for model in _models(session, 3)] == [1, 2, 3]
        assert add_model(session, tenant="other").number == 1
        assert add_model(session).number == 4


def test_many_that_end_at_once_get_numbers_without_gaps_and_lose_nothing_else(database):
    n_threads, n_each = 8, 5
    start = Barrier(n_threads)

    def end_jobs(_):
        start.wait(60)
        for _ in range(n_each):
            with database.transaction() as session:
                job = add_job(session)  # in the same transaction: a number that was taken must not undo it
                add_model(session, job=job)

    with ThreadPoolExecutor(n_threads) as threads:
        list(threads.map(end_jobs, range(n_threads)))
    with database.reading() as session:
        page = registry.list_models(session, TENANT, limit=500)
        assert [model.number for model in page.items] == list(range(n_threads * n_each, 0, -1))
        assert session.query(tables.Job).count() == n_threads * n_each
        state = registry.state(session, TENANT, CANDIDATE)
        assert (state.number, state.revision) == (40, 40)
        entries = registry.history(session, TENANT, CANDIDATE, limit=500).items
        assert [entry.revision for entry in entries] == list(range(40, 0, -1))
        assert [one.previous_model_id for one in entries[:-1]] == [one.model_id for one in entries[1:]]


def test_a_number_that_is_held_by_a_transaction_rolled_back_is_given_again(database):
    with pytest.raises(NotFound), database.transaction() as session:
        registry.find(session, TENANT, str(add_model(session).number + 1))
    with database.transaction() as session:
        assert add_model(session).number == 1


def test_a_trained_model_is_the_candidate_and_an_imported_one_is_not(database):
    with database.transaction() as session:
        trained = add_model(session)
        add_model(session, source=ModelSource.IMPORT)
        assert _name_in(session, CANDIDATE) == trained.number
        newer = add_model(session)
        state = registry.state(session, TENANT, CANDIDATE)
        assert (state.model_id, state.revision) == (newer.id, 2)
        latest = registry.history(session, TENANT, CANDIDATE, limit=5).items[0]
        assert (latest.reason, latest.previous_model_id, latest.forced) == ("trained", trained.id, False)
        assert latest.by == f"job {newer.job_id}"


def test_a_model_is_found_by_id_and_number_and_only_by_its_tenant(database):
    with database.transaction() as session:
        model = add_model(session)
        add_model(session, tenant="other")
        assert registry.find(session, TENANT, model.id) is model
        assert registry.find(session, TENANT, "1") is model
        for tenant, name in (("other", model.id), (TENANT, "2"), (TENANT, "x"), (TENANT, "9" * 40), (TENANT, "²")):
            with pytest.raises(NotFound):
                registry.find(session, tenant, name)


def test_a_reference_is_resolved(database):
    with database.transaction() as session:
        model = add_model(session)
        for ref in (ModelRef(id=model.id), ModelRef(alias="candidate"), ModelRef(job=model.job_id)):
            assert registry.resolve(session, TENANT, ref) is model
            with pytest.raises(NotFound):
                registry.resolve(session, "other", ref)
        for ref in (ModelRef(alias="production"), ModelRef(alias="no such"), ModelRef(job="0" * 32)):
            with pytest.raises(NotFound):
                registry.resolve(session, TENANT, ref)
        running = add_job(session, state=JobState.RUNNING)
        with pytest.raises(Conflict, match="running"):
            registry.resolve(session, TENANT, ModelRef(job=running.id))
        with pytest.raises(NotFound, match="extraction"):
            registry.resolve(session, TENANT, ModelRef(job=add_job(session, JobKind.EXTRACTION).id))


def test_pages_hold_every_model_once_the_newest_first(database):
    with database.transaction() as session:
        models = _models(session, 5)
        add_model(session, tenant="other")
        add_evaluation(session, models[4], 0.5)
        _promote(session, models[4])
        first = registry.list_models(session, TENANT, limit=2)
        second = registry.list_models(session, TENANT, limit=2, cursor=first.next_cursor)
        last = registry.list_models(session, TENANT, limit=2, cursor=second.next_cursor)
        assert [[model.number for model in page.items] for page in (first, second, last)] == [[5, 4], [3, 2], [1]]
        assert last.next_cursor is None
        newest = first.items[0]
        assert newest == registry.to_contract(session, models[4])
        assert newest.aliases == (CANDIDATE, PRODUCTION)
        assert [found.accuracy for found in newest.evaluations] == [0.5]
        assert (newest.version, newest.label_names) == ("best-01234567", ("A", "B", "C"))
        with pytest.raises(InvalidInput):
            registry.list_models(session, TENANT, limit=2, cursor="no cursor")


def test_the_first_model_in_production_has_nothing_to_be_compared_with(database):
    with database.transaction() as session:
        [model] = _models(session, 1)
        entry = _promote(session, model)
        assert (entry.revision, entry.previous_model_id, entry.forced, entry.by) == (1, None, False, "ann")
        assert entry.gate == "no production model to compare with"
        with pytest.raises(Conflict, match="already"):
            _promote(session, model, 1)


@pytest.mark.parametrize(
    ("production", "candidate", "passes"),
    [
        ({"accuracy": 0.90}, {"accuracy": 0.89}, True),
        ({"accuracy": 0.90}, {"accuracy": 0.8899}, False),
        ({"accuracy": 0.5, "unseen": 0.9}, {"accuracy": 0.9, "unseen": 0.8}, False),
        ({"accuracy": 0.9, "unseen": 0.5}, {"accuracy": 0.5, "unseen": 0.6}, True),
        ({"accuracy": 0.9, "unseen": 0.5}, {"accuracy": 0.5}, False),
        ({"accuracy": 0.5}, {"accuracy": 0.6, "unseen": 0.1}, True),
    ],
)
def test_the_gate_compares_unseen_rows_where_both_know_them(database, production, candidate, passes):
    with database.transaction() as session:
        old, new = _models(session, 2)
        add_evaluation(session, old, **production)
        add_evaluation(session, new, **candidate)
        verdict = registry.judge(session, new, old, margin=_MARGIN)
        assert verdict.passes is passes
        assert ("unseen rows" in verdict.text) == ("unseen" in production and "unseen" in candidate)
        assert sha256_of("data")[:12] in verdict.text


def test_the_gate_looks_at_the_data_that_were_compared_last_and_at_the_newest_evaluation(database):
    with database.transaction() as session:
        old, new = _models(session, 2)
        for model, accuracy, data, day in (
            (old, 0.9, "first", 1),
            (new, 0.1, "first", 2),
            (new, 0.9, "only ours", 9),
            (old, 0.8, "last", 3),
            (new, 0.1, "last", 4),
            (new, 0.85, "last", 5),
        ):
            add_evaluation(session, model, accuracy, data=data, at=day)
        verdict = registry.judge(session, new, old, margin=_MARGIN)
        assert verdict.passes
        assert sha256_of("last")[:12] in verdict.text
        assert "0.8500" in verdict.text


def test_the_gate_refuses_what_was_not_compared_and_says_which_evaluation_is_missing(database):
    with database.transaction() as session:
        old, new = _models(session, 2)
        _promote(session, old)
        with pytest.raises(GateRefused) as refused:
            _promote(session, new, 1)
        assert old.id in refused.value.hint
        assert new.id in refused.value.hint
        extraction = add_job(session, JobKind.EXTRACTION)
        add_evaluation(session, new, 0.9, extraction=extraction.id)
        with pytest.raises(GateRefused) as refused:
            _promote(session, new, 1)
        assert f"asl job submit evaluation --model {old.id} --job {extraction.id}" in refused.value.hint
        assert new.id not in refused.value.hint
        add_evaluation(session, old, 0.95)
        with pytest.raises(GateRefused, match=r"0\.9000.*0\.9500"):
            _promote(session, new, 1)
        assert _name_in(session, PRODUCTION) == 1
        assert len(registry.history(session, TENANT, PRODUCTION, limit=5).items) == 1


def test_force_needs_a_reason_and_is_written_down_with_what_the_gate_said(database):
    with database.transaction() as session:
        old, new, third = _models(session, 3)
        _promote(session, old)
        with pytest.raises(OptionsInvalid):
            _promote(session, new, 1, force=True, reason=" ")
        entry = _force(session, new, 1)
        assert (entry.forced, entry.reason, entry.revision) == (True, "because", 2)
        assert "never evaluated" in entry.gate
        for model in (new, third):
            add_evaluation(session, model, 0.9)
        assert not _force(session, third, 2).forced  # the gate had nothing against it
        assert registry.history(session, TENANT, PRODUCTION, limit=5).items[1] == entry


def test_the_candidate_has_no_gate(database):
    with database.transaction() as session:
        old, _ = _models(session, 2)
        assert "only production" in _promote(session, old, 2, alias=CANDIDATE).gate


def test_a_change_must_name_the_revision_that_it_means(database):
    with database.transaction() as session:
        old, new = _models(session, 2)
        with pytest.raises(PreconditionFailed):
            _promote(session, old, 1)
        _promote(session, old, 0)
        with pytest.raises(PreconditionFailed):
            _force(session, new, 0)
        with pytest.raises(PreconditionRequired) as missing:
            _force(session, new)
        assert '"1"' in missing.value.hint
        with pytest.raises(PreconditionFailed):
            _force(session, new, 2)
        _force(session, new, 1)
        for expected in (0, 1, 3):
            with pytest.raises(PreconditionFailed):
                _rollback(session, expected)
        assert _rollback(session, None).revision == 3


@pytest.mark.parametrize("n_before", [0, 1])
def test_of_many_promotions_at_once_one_is_made(database, n_before):
    n_threads = 8
    with database.transaction() as session:
        models = _models(session, n_threads + 1)
        if n_before:
            _promote(session, models[-1])
    start = Barrier(n_threads)

    def promote(model):
        start.wait(60)
        try:
            with database.transaction() as session:
                _force(session, model, 1 if n_before else None)
        except AslError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(n_threads) as threads:
        ends = list(threads.map(promote, models[:n_threads]))
    assert ends.count(None) == 1
    assert set(ends) <= {None, PreconditionFailed, PreconditionRequired}
    with database.reading() as session:
        assert registry.state(session, TENANT, PRODUCTION).number == ends.index(None) + 1
        assert len(registry.history(session, TENANT, PRODUCTION, limit=50).items) == n_before + 1


def test_rollbacks_go_back_further_and_further_through_what_was_promoted(database):
    with database.transaction() as session:
        first, second, third = _models(session, 3)
        with pytest.raises(NotFound):
            _rollback(session, None)
        for revision, model in enumerate((first, second, first, third)):
            _force(session, model, revision or None)
        entry = _rollback(session, 4)
        assert (entry.number, entry.revision, entry.previous_model_id) == (1, 5, third.id)
        assert (entry.reason, entry.by, entry.forced) == ("worse", "bob", False)
        assert _rollback(session, 5).number == 2
        _force(session, third, 6)
        assert [_rollback(session, revision).number for revision in (7, 8)] == [2, 1]
        with pytest.raises(Conflict, match="before"):
            _rollback(session, 9)
        assert registry.state(session, TENANT, PRODUCTION).revision == 9
        page = registry.history(session, TENANT, PRODUCTION, limit=5)
        rest = registry.history(session, TENANT, PRODUCTION, limit=5, cursor=page.next_cursor)
        numbers = [entry.number for entry in (*page.items, *rest.items)]
        assert numbers == [1, 2, 3, 2, 1, 3, 1, 2, 1]
        assert rest.next_cursor is None


def test_roles_are_of_a_tenant(database):
    with database.transaction() as session:
        model = add_model(session)
        _promote(session, model)
        foreign = add_model(session, tenant="other")
        assert [state.alias for state in registry.states(session, TENANT)] == [CANDIDATE, PRODUCTION]
        assert [state.number for state in registry.states(session, "other")] == [1]
        with pytest.raises(NotFound):
            registry.state(session, "other", PRODUCTION)
        with pytest.raises(NotFound):
            _promote(session, foreign, 1)
