"""The sweep takes what nothing refers to, and nothing else, also while jobs end and photographs come in."""

import hashlib
import json
import threading
import time
from datetime import timedelta

import pytest
import registered
from databases import KINDS, fresh
from sqlalchemy import event, select, update

from asl.contracts import ENDED, EventKind, JobKind, JobState, Queue
from asl.infra import datasets, jobs, sweep, tables
from asl.infra.datasets import Photograph
from asl.infra.jobs import NewArtifact
from asl.infra.storage import FolderStorage, S3Storage
from asl.infra.tables import Job, JobEvent

AT_ONCE = timedelta(0)
DAY_S = 24 * 3600.0


@pytest.fixture(params=KINDS)
def database(request, tmp_path):
    with fresh(request.param, request, tmp_path) as database:
        yield database


@pytest.fixture
def storage(tmp_path):
    return FolderStorage(tmp_path / "store")


@pytest.fixture
def s3(s3_server):
    keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    return S3Storage(s3_server.create_bucket(), endpoint=s3_server.endpoint, **keys)


def put(storage, key):
    return storage.put_bytes(key, key.encode()).key


def keys_of(storage):
    return {entry.key for entry in storage.list("")}


def sha256_of(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


def add_job(database, kind=JobKind.PROBE, **columns):
    row = Job(tenant="t", submitted_by="t", kind=kind, queue=Queue.CPU, **{"request": {}, **columns})
    with database.transaction() as session:
        jobs.add(session, row)
    return row.id


def claim(database, job_id):
    with database.transaction() as session:
        return jobs.claim(session, [Queue.CPU], "test", 60, job_id)


def succeed(database, storage, held, name="a.txt"):
    """Publish a file as a worker does; returns its key."""
    stored = storage.put_bytes(f"jobs/{held.job_id}/{held.attempt}/{sha256_of(name)}-{name}", name.encode())
    artifact = NewArtifact(name, stored.key, stored.sha256, stored.size_bytes, "text/plain")
    with database.transaction() as session:
        assert jobs.succeed(session, held, {}, [artifact])
    return stored.key


def cancel(database, job_id):
    with database.transaction() as session:
        assert jobs.cancel(session, job_id) == JobState.CANCELLED


def give_checkpoint(database, job_id, key, metrics_key, model_key):
    noted = {
        "checkpoints": [{"key": key, "sha256": "0" * 64, "size_bytes": 1, "epoch": 3, "metrics_key": metrics_key}],
        "files": {"checkpoint_epoch_10.pt": {"key": model_key, "sha256": "0" * 64}},
    }
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(checkpoint=noted))


def add_dataset(database, storage, n_samples=3):
    with database.transaction() as session:
        row = tables.Dataset(tenant="t", name=tables.new_id() + "-hands")
        session.add(row)
    for number in range(n_samples):
        add_photograph(database, storage, row.id, number)
    return row.id


def add_photograph(database, storage, dataset_id, number):
    photograph = Photograph(f"{number}.jpg", "A", "ann", f"{dataset_id} {number}".encode())
    return datasets.add_photograph(database, storage, dataset_id, photograph)[0]


def of_jobs(database, storage):
    """Make jobs in all states; returns what must stay and what must go."""
    ended, running, cancelled = (add_job(database) for _ in range(3))
    held = claim(database, ended)
    lost = put(storage, f"jobs/{ended}/0/{sha256_of('lost')}-a.txt")
    published = succeed(database, storage, held)
    at_work = put(storage, f"jobs/{running}/{claim(database, running).attempt}/{sha256_of('b')}-b.txt")
    left = put(storage, f"jobs/{cancelled}/1/{sha256_of('c')}-c.txt")
    cancel(database, cancelled)
    nobodys = put(storage, f"jobs/{'f' * 32}/1/{sha256_of('d')}-d.txt")
    return {published, at_work}, {lost, left, nobodys}


def of_checkpoints(database, storage):
    """Make trainings with checkpoints, of which one goes on from another's that has failed."""
    failed, forgotten, again, own = (add_job(database, JobKind.TRAINING) for _ in range(4))
    needed = [put(storage, f"jobs/{failed}/1/{sha256_of(name)}-{name}") for name in ("c.pt", "m.jsonl", "e.pt")]
    dropped = put(storage, f"jobs/{failed}/1/{sha256_of('old')}-c.pt")
    lost = [put(storage, f"jobs/{forgotten}/1/{sha256_of(name)}-{name}") for name in ("c.pt", "m.jsonl", "e.pt")]
    kept = [put(storage, f"jobs/{own}/1/{sha256_of(name)}-{name}") for name in ("c.pt", "m.jsonl", "e.pt")]
    for job_id, keys in ((failed, needed), (again, needed), (forgotten, lost), (own, kept)):
        give_checkpoint(database, job_id, *keys)
    cancel(database, failed)
    cancel(database, forgotten)
    return {*needed, *kept}, {dropped, *lost}


def of_imports(database, storage):
    waiting, done, nobodys = (put(storage, f"imports/{sha256_of(name)}.pt") for name in ("a", "b", "c"))
    for key in (waiting, done):
        job_id = add_job(database, JobKind.MODEL_IMPORT, request={"key": key, "sha256": "0" * 64, "size_bytes": 1})
    cancel(database, job_id)
    return {waiting}, {done, nobodys}


def of_datasets(database, storage):
    kept, deleted = add_dataset(database, storage), add_dataset(database, storage)
    put(storage, f"datasets/{deleted}/versions/{sha256_of('x')}.jsonl")
    version = datasets.make_version(database, storage, "t", kept)
    with database.transaction() as session:
        photographs = set(session.scalars(select(tables.Sample.key).where(tables.Sample.dataset_id == kept)))
        datasets.delete(session, "t", deleted)
    assert len(photographs) == 3
    never = sha256_of("never written down")
    stray = put(storage, f"datasets/{kept}/images/{never[:2]}/{never}")
    # The hash is one that the data set has, the place is not.
    misplaced = put(storage, f"datasets/{kept}/images/zz/{next(iter(photographs)).rpartition('/')[2]}")
    old_version = put(storage, f"datasets/{kept}/versions/{sha256_of('y')}.jsonl")
    gone = {key for key in keys_of(storage) if key.startswith(f"datasets/{deleted}/")}
    assert len(gone) == 4
    return {*photographs, version.manifest_key}, {stray, misplaced, old_version, *gone}


def of_models(database, storage):
    with database.transaction() as session:
        job = registered.add_job(session)
        stored = storage.put_bytes(f"jobs/{job.id}/1/{sha256_of('m')}-best_model.pt", b"model")
        registered.add_model(session, stored=stored, job=job)
    return {stored.key}, {put(storage, f"jobs/{job.id}/2/{sha256_of('m')}-best_model.pt")}


@pytest.mark.parametrize("of_what", [of_jobs, of_checkpoints, of_imports, of_datasets, of_models])
def test_all_orphans_go_and_what_is_referred_to_stays(database, storage, of_what):
    kept, orphans = of_what(database, storage)
    foreign = put(storage, "other/thing.txt")
    assert keys_of(storage) == {*kept, *orphans, foreign}
    assert sweep.remove_orphans(database, storage, AT_ONCE) == len(orphans)
    assert keys_of(storage) == {*kept, foreign}
    assert sweep.remove_orphans(database, storage, AT_ONCE) == 0


def test_a_bucket_is_swept_as_a_folder_is(database, s3):
    kept, orphans = set(), set()
    for of_what in (of_jobs, of_datasets):
        some_kept, some_orphans = of_what(database, s3)
        kept, orphans = kept | some_kept, orphans | some_orphans
    assert sweep.remove_orphans(database, s3, AT_ONCE) == len(orphans)
    assert keys_of(s3) == kept


def test_young_objects_stay(database, storage):
    put(storage, f"jobs/{'f' * 32}/1/a")
    assert sweep.remove_orphans(database, storage) == 0
    assert len(keys_of(storage)) == 1


def test_more_than_a_batch_is_swept(database, storage, tmp_path):
    dataset_id = add_dataset(database, storage, n_samples=2)
    folder = tmp_path / "store" / "datasets" / dataset_id / "images" / "00"
    folder.mkdir(exist_ok=True)
    for number in range(1200):  # not through the store, which waits for the disk each time
        (folder / sha256_of(number)).touch()
    assert sweep.remove_orphans(database, storage, AT_ONCE) == 1200
    assert len(keys_of(storage)) == 2


def test_photographs_are_found_by_an_index(database, storage):
    add_dataset(database, storage)
    plans = []

    def explain(connection, _, statement, parameters, *__):
        if "FROM sample" in statement:
            cursor = connection.connection.cursor()
            if not database.is_sqlite:
                cursor.execute("SET enable_seqscan = off")  # which it prefers for small tables
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' * database.is_sqlite}{statement}", parameters)
            plans.append(str(cursor.fetchall()))

    event.listen(database.engine, "before_cursor_execute", explain)
    assert sweep.remove_orphans(database, storage, AT_ONCE) == 0
    (plan,) = plans
    by_index = "(dataset_id=? AND sha256=?)" if database.is_sqlite else "uq_sample_dataset_sha256"
    assert by_index in plan


class Slow:
    """A store in which deleting takes so long that others get on meanwhile."""

    def __init__(self, storage, meanwhile):
        self._storage, self._meanwhile = storage, meanwhile

    def list(self, prefix):
        return self._storage.list(prefix)

    def delete(self, key):
        self._storage.delete(key)
        self._meanwhile()


def test_what_is_written_down_while_others_are_deleted_stays(database, storage):
    dataset_id = add_dataset(database, storage, n_samples=1)
    with database.transaction() as session:
        again = session.scalars(select(tables.Sample)).one()
        session.delete(again)
    around = ("--", "zz")  # before and after any hash
    stray = [put(storage, f"datasets/{dataset_id}/images/{name}/{sha256_of(name)}") for name in around]
    slow = Slow(storage, lambda: add_photograph(database, storage, dataset_id, 0))
    assert again.key not in stray
    assert sweep.remove_orphans(database, slow, AT_ONCE) == 2
    assert keys_of(storage) == {again.key}


def test_published_files_outlive_sweeps_that_never_pause(database, storage):
    """Jobs end while the sweep looks: it must not find them neither at work nor ended."""
    ended = threading.Event()
    n_removed = []

    def sweep_on():
        while not ended.is_set():
            n_removed.append(sweep.remove_orphans(database, storage, AT_ONCE))

    sweeper = threading.Thread(target=sweep_on)
    sweeper.start()
    published, lost = set(), 0
    until = time.monotonic() + 1.5
    while time.monotonic() < until or len(n_removed) < 3:
        held = claim(database, add_job(database))
        if lost % 2:
            put(storage, f"jobs/{held.job_id}/0/{sha256_of('lost')}-a.txt")
        lost += 1
        published.add(succeed(database, storage, held))
    ended.set()
    sweeper.join()
    n_removed.append(sweep.remove_orphans(database, storage, AT_ONCE))
    assert keys_of(storage) == published
    assert sum(n_removed) == lost // 2
    assert len(n_removed) > 2


def test_steps_of_progress_are_trimmed_a_day_after_the_end_and_epochs_stay(database):
    old, fresh_one, running = (add_job(database) for _ in range(3))
    for job_id in (old, fresh_one, running):
        with database.transaction() as session:
            for data in ({"done": 1, "epoch": None}, {"done": 2}, {"done": 3, "epoch": 3}):
                session.add(JobEvent(job_id=job_id, attempt=1, kind=EventKind.PROGRESS, data=data))
            session.add(JobEvent(job_id=job_id, attempt=1, kind=EventKind.LOG, data={"text": "a"}))
    for job_id in (old, fresh_one):
        cancel(database, job_id)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == old).values(finished_at=Job.finished_at - DAY_S - 60))
        sweep.trim_events(session)
    with database.reading() as session:
        found = {
            job_id: [json.dumps(data) for data in session.scalars(_progress_of(job_id))]
            for job_id in (old, fresh_one, running)
        }
        n_others = len(session.scalars(select(JobEvent.id).where(JobEvent.kind != EventKind.PROGRESS)).all())
        assert session.scalar(select(Job.state).where(Job.id == old)) in ENDED
    assert {job_id: len(data) for job_id, data in found.items()} == {old: 1, fresh_one: 3, running: 3}
    assert n_others == 3 + 3 + 2  # queued, log lines, cancelled


def _progress_of(job_id):
    return select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.kind == EventKind.PROGRESS)
