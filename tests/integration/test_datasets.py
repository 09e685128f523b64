"""Data sets on SQLite with a folder, and on Postgres with an S3 store: the same rules hold on both."""

import hashlib
import io
import json
import tarfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import pytest
from databases import fresh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from sqlalchemy import func, insert, select

from asl.contracts import DatasetRequest, JobKind, JobState, Queue, SampleChange, SampleState
from asl.core.dataset import label_of as core_label_of
from asl.errors import Conflict, DatasetInvalid, InvalidInput, NotFound
from asl.infra import datasets, jobs, tables
from asl.infra.archives import Member, Skipped, read_archive
from asl.infra.database import Database
from asl.infra.datasets import Photograph
from asl.infra.datasets.names import label_of
from asl.infra.storage import Storage, open_storage

TENANT = "ours"


class Place(NamedTuple):
    database: Database
    storage: Storage


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    with fresh(request.param, request, folder) as database:
        if request.param == "sqlite":
            yield Place(database, open_storage(str(folder / "store")))
            return
        server = request.getfixturevalue("s3_server")
        url = server.storage_url(server.create_bucket())
        yield Place(database, open_storage(url, server.access_key, server.secret_key))


@pytest.fixture
def dataset(place):
    with place.database.transaction() as session:
        return datasets.add(session, TENANT, DatasetRequest(name=f"letters {tables.new_id()}")).id


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, 80, 120)).save(file, "JPEG", comment=str(number).encode())
    return file.getvalue()


def members(n: int, labels: str = "ABC", signers: tuple[str, ...] = ("ann", "bob")) -> list[Member]:
    """Photographs that have nothing in common with those of other numbers."""
    made = []
    for number in range(n):
        label, signer, content = labels[number % len(labels)], signers[number % len(signers)], picture(number)
        made.append(Member(f"{signer}/{label}/{number}.jpg", signer, label, len(content), content))
    return made


def add_all(place: Place, dataset: str, files: Any) -> Any:
    return datasets.add_archive(*place, dataset, files, lambda _: None)


def describe(place: Place, dataset: str) -> Any:
    with place.database.reading() as session:
        return datasets.describe(session, [datasets.find(session, TENANT, dataset)])[0]


def samples_of(place: Place, dataset: str) -> list[tables.Sample]:
    with place.database.reading() as session:
        return list(session.scalars(select(tables.Sample).where(tables.Sample.dataset_id == dataset)))


def change(place: Place, dataset: str, sample: tables.Sample, **wanted: Any) -> None:
    with place.database.transaction() as session:
        datasets.change(session, dataset, sample.id, SampleChange(**wanted))


def manifest_of(place: Place, version: tables.DatasetVersion) -> list[dict[str, Any]]:
    content = b"".join(place.storage.open(version.manifest_key))
    assert hashlib.sha256(content).hexdigest() == version.digest
    return [json.loads(line) for line in content.splitlines()]


def test_an_archive_of_1200_photographs_is_added_once(place, dataset, tmp_path):
    files = members(1200, "ABCDE", ("ann", "bob", "cem"))
    path = tmp_path / "photographs.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in files:
            info = tarfile.TarInfo(f"hands/{file.name}")
            info.size = file.size_bytes
            archive.addfile(info, io.BytesIO(file.content))
    first = add_all(place, dataset, read_archive(path))
    assert (first.n_added, first.n_already_there, first.n_skipped) == (1200, 0, 0)
    found = describe(place, dataset)
    assert found.n_samples == 1200
    assert {(count.label, count.signer): count.n_samples for count in found.counts} == Counter(
        (file.label, file.signer) for file in files
    )
    row = next(row for row in samples_of(place, dataset) if row.name == "bob/B/1.jpg")
    assert b"".join(place.storage.open(row.key)) == files[1].content
    assert row.key == f"datasets/{dataset}/images/{row.sha256[:2]}/{row.sha256}"

    before = {entry.key: entry.modified_at for entry in place.storage.list(f"datasets/{dataset}/")}
    second = add_all(place, dataset, read_archive(path))
    assert (second.n_added, second.n_already_there, second.n_skipped) == (0, 1200, 0)
    assert {entry.key: entry.modified_at for entry in place.storage.list(f"datasets/{dataset}/")} == before


def test_an_upload_that_breaks_off_is_completed_by_another(place, dataset):
    files = members(350)

    def broken():
        yield from files[:300]
        raise DatasetInvalid("cut off")

    with pytest.raises(DatasetInvalid, match="cut off"):
        add_all(place, dataset, broken())
    n_kept = describe(place, dataset).n_samples
    assert 0 < n_kept <= 300
    rest = add_all(place, dataset, files)
    assert (rest.n_added, rest.n_already_there) == (350 - n_kept, n_kept)


def test_uploads_of_the_same_files_at_once_add_each_once(place, dataset):
    files = members(150)
    orders = [files, files[::-1], files[50:] + files[:50], files[::2] + files[1::2]]
    with ThreadPoolExecutor(4) as pool:
        uploads = list(pool.map(lambda order: add_all(place, dataset, order), orders))
    assert sum(upload.n_added for upload in uploads) == 150
    assert all(upload.n_added + upload.n_already_there == 150 for upload in uploads)
    assert describe(place, dataset).n_samples == 150


def test_what_cannot_be_added_is_told(place, dataset):
    def check(content):
        if content == b"no picture":
            raise InvalidInput("expected a picture")

    first, second = members(2)
    files = [
        first,
        Skipped("notes.txt", "expected a photograph"),
        Member("A/x.jpg", "", "A", 10, b"no picture"),
        Member("A/y.jpg", "", "L" * 65, 5, b"fine1"),
        Member("again.jpg", first.signer, first.label, first.size_bytes, first.content),
        Member("other.jpg", first.signer, "Z", first.size_bytes, first.content),
        second,
    ]
    upload = datasets.add_archive(*place, dataset, files, check)
    assert (upload.n_added, upload.n_already_there, upload.n_skipped) == (2, 1, 4)
    reasons = {file.name: file.reason for file in upload.skipped}
    assert reasons.keys() == {"notes.txt", "A/x.jpg", "A/y.jpg", "other.jpg"}
    assert reasons["A/x.jpg"] == "expected a picture"
    assert "labelled 'A' by signer 'ann'" in reasons["other.jpg"]


def test_only_the_first_hundred_skipped_files_are_told(place, dataset):
    upload = add_all(place, dataset, [Skipped(str(number), "no photograph") for number in range(150)])
    assert upload.n_skipped == 150
    assert [file.name for file in upload.skipped] == [str(number) for number in range(100)]


def test_one_photograph_is_added_once_and_never_with_two_labels(place, dataset):
    add = partial(datasets.add_photograph, *place, dataset)
    row, is_new = add(Photograph("x.jpg", "a", "ann", b"one"))
    assert (is_new, row.label, row.size_bytes) == (True, "A", 3)
    again, is_new = add(Photograph("y.jpg", "A", "ann", b"one"))
    assert (is_new, again.id) == (False, row.id)
    for label, signer in (("B", "ann"), ("A", "bob")):
        with pytest.raises(Conflict, match=row.id):
            add(Photograph("x.jpg", label, signer, b"one"))


def test_one_photograph_added_by_many_at_once_is_there_once(place, dataset):
    photograph = Photograph("x.jpg", "A", "", b"wanted by all")
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: datasets.add_photograph(*place, dataset, photograph), range(8)))
    assert sum(is_new for _, is_new in results) == 1
    assert len({row.id for row, _ in results}) == 1


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/x.jpg", "a\\x.jpg", "x\n.jpg", "%2e%2e/x.jpg", "a/%2E%2e/x", "x" * 4096]
)
def test_names_that_lead_elsewhere_are_refused(place, dataset, name):
    with pytest.raises(InvalidInput):
        datasets.add_photograph(*place, dataset, Photograph(name, "A", "", b"one"))
    assert describe(place, dataset).n_samples == 0


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "a%2Fb", " a", "a ", "a/b", "a\x07b", ""])
def test_names_that_an_address_changes_are_refused(name):
    with pytest.raises(ValidationError):
        DatasetRequest(name=name)


def test_a_name_that_looks_like_an_id_is_refused(place):
    with place.database.transaction() as session, pytest.raises(DatasetInvalid):
        datasets.add(session, TENANT, DatasetRequest(name="0123456789abcdef" * 2))


def test_a_data_set_is_found_by_id_and_name_by_its_tenant_alone(place, dataset):
    with place.database.reading() as session:
        row = datasets.find(session, TENANT, dataset)
        assert datasets.find(session, TENANT, row.name).id == dataset
        for wanted in (row.id, row.name):
            with pytest.raises(NotFound):
                datasets.find(session, "theirs", wanted)
    with place.database.transaction() as session, pytest.raises(Conflict, match="there already"):
        datasets.add(session, TENANT, DatasetRequest(name=row.name))
    with place.database.transaction() as session:
        assert datasets.add(session, "theirs", DatasetRequest(name=row.name)).id != dataset


def test_corrections_change_the_next_version_and_not_the_last(place, dataset):
    add_all(place, dataset, members(12))
    first = datasets.make_version(*place, TENANT, dataset)
    old = manifest_of(place, first)
    assert [(line["label"], line["signer"], line["sha256"]) for line in old] == sorted(
        (row.label, row.signer, row.sha256) for row in samples_of(place, dataset)
    )
    assert old[0].keys() == {"id", "key", "label", "name", "sha256", "signer", "size_bytes"}
    assert datasets.make_version(*place, TENANT, dataset).id == first.id

    relabelled, excluded, *_ = samples_of(place, dataset)
    change(place, dataset, relabelled, label="z", signer="dana")
    change(place, dataset, excluded, excluded=True)
    second = datasets.make_version(*place, TENANT, dataset)
    assert (second.number, second.n_samples) == (first.number + 1, 11)
    new = {line["id"]: line for line in manifest_of(place, second)}
    assert (new[relabelled.id]["label"], new[relabelled.id]["signer"]) == ("Z", "dana")
    assert excluded.id not in new
    assert {"label": "Z", "signer": "dana", "n_samples": 1} in second.counts
    assert manifest_of(place, first) == old
    found = describe(place, dataset)
    assert (found.n_samples, found.n_excluded, found.last_version) == (11, 1, second.number)

    change(place, dataset, excluded, excluded=False)
    change(place, dataset, relabelled, label=relabelled.label, signer=relabelled.signer)
    third = datasets.make_version(*place, TENANT, dataset)
    assert (third.number, third.digest) == (3, first.digest)
    with place.database.reading() as session:
        assert datasets.find_version(session, dataset, 2).id == second.id
        with pytest.raises(NotFound):
            datasets.find_version(session, dataset, 4)


def test_the_same_samples_have_the_same_order_on_every_database(place, dataset):
    labels = ["a b", "Z", "Ä", "_", "éé", "aa", "B", "😀"]
    for number, label in enumerate(labels):
        datasets.add_photograph(*place, dataset, Photograph("x.jpg", label, "", str(number).encode()))
    version = datasets.make_version(*place, TENANT, dataset)
    assert [line["label"] for line in manifest_of(place, version)] == sorted(labels)


def test_an_empty_data_set_has_no_version(place, dataset):
    with pytest.raises(DatasetInvalid, match="found none"):
        datasets.make_version(*place, TENANT, dataset)
    row, _ = datasets.add_photograph(*place, dataset, Photograph("x.jpg", "A", "", b"one"))
    change(place, dataset, row, excluded=True)
    with pytest.raises(DatasetInvalid, match="found none"):
        datasets.make_version(*place, TENANT, dataset)


def test_versions_made_at_once_while_photographs_come_are_whole_and_in_order(place, dataset):
    files = members(400)
    add_all(place, dataset, files[:10])
    with ThreadPoolExecutor(6) as pool:
        uploads = [pool.submit(add_all, place, dataset, files[start : start + 50]) for start in range(0, 400, 50)]
        made = [pool.submit(datasets.make_version, *place, TENANT, dataset) for _ in range(12)]
        for upload in uploads:
            upload.result()
        versions = {version.number: version for version in (future.result() for future in made)}
    last = datasets.make_version(*place, TENANT, dataset)
    versions[last.number] = last
    assert sorted(versions) == list(range(1, last.number + 1))
    assert last.n_samples == 400
    sizes = [versions[number].n_samples for number in sorted(versions)]
    assert sizes == sorted(set(sizes))
    for version in versions.values():
        assert len(manifest_of(place, version)) == version.n_samples == sum(c["n_samples"] for c in version.counts)


def test_pages_show_every_sample_once_and_keep_to_their_filters(place, dataset):
    add_all(place, dataset, members(25))
    excluded = samples_of(place, dataset)[0]
    change(place, dataset, excluded, excluded=True)
    show = partial(_all_samples, place, dataset)
    everything = show()
    assert len({sample.id for sample in everything}) == len(everything) == 25
    assert everything == sorted(everything, key=lambda sample: (sample.created_at, sample.id), reverse=True)
    assert {sample.label for sample in show(label="a")} == {"A"}
    assert {sample.signer for sample in show(signer="bob")} == {"bob"}
    assert show(signer="") == []
    assert [sample.id for sample in show(state=SampleState.EXCLUDED)] == [excluded.id]
    assert len(show(state=SampleState.NEW)) == 24
    some = [everything[3].sha256, everything[9].sha256]
    assert [sample.sha256 for sample in show(sha256=[*some, "0" * 64])] == some


def _all_samples(place, dataset, **filters):
    found, cursor = [], None
    with place.database.reading() as session:
        while True:
            page = datasets.page_samples(session, dataset, limit=7, cursor=cursor, **filters)
            found += page.items
            if (cursor := page.next_cursor) is None:
                return found


def test_known_hashes_are_those_of_this_data_set(place, dataset):
    add_all(place, dataset, members(3))
    known = {hashlib.sha256(picture(number)).hexdigest() for number in range(3)}
    with place.database.reading() as session:
        assert datasets.known_hashes(session, dataset, [*known, "0" * 64]) == known
        assert datasets.known_hashes(session, "0" * 32, known) == set()


def test_outcomes_of_extractions_that_end_at_once_are_all_noted(place, dataset):
    with place.database.transaction() as session:
        # Rows alone: the store has no part in this.
        common = {"dataset_id": dataset, "name": "x.jpg", "label": "A", "signer": "", "key": "k", "size_bytes": 1}
        session.execute(insert(tables.Sample), [{**common, "sha256": f"{number:064x}"} for number in range(1500)])
    ids = [row.id for row in samples_of(place, dataset)]

    def note(order):
        with place.database.transaction() as session:
            outcomes = {SampleState.FOUND: order[:1000], SampleState.NO_HAND: [*order[1000:], "0" * 32]}
            datasets.note_outcomes(session, outcomes)

    change(place, dataset, samples_of(place, dataset)[0], excluded=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(note, [ids, ids[::-1]] * 3))
    with place.database.reading() as session:
        states = select(tables.Sample.state, func.count()).where(tables.Sample.dataset_id == dataset)
        counted = dict(session.execute(states.group_by(tables.Sample.state)).all())
        n_excluded = len(
            datasets.page_samples(session, dataset, state=SampleState.EXCLUDED, limit=5, cursor=None).items
        )
    assert counted == {SampleState.FOUND: 1000, SampleState.NO_HAND: 500}
    assert n_excluded == 1


def test_a_data_set_that_is_needed_is_not_deleted(place, dataset):
    add_all(place, dataset, members(2))
    version = datasets.make_version(*place, TENANT, dataset)
    with place.database.transaction() as session:
        request = {"dataset": dataset, "version": 1}
        job = tables.Job(tenant=TENANT, submitted_by="test", kind=JobKind.EXTRACTION, queue=Queue.CPU, request=request)
        jobs.add(session, job)
    _refuse_to_delete(place, dataset, job.id)
    with place.database.transaction() as session:
        jobs.cancel(session, job.id)
        assert session.get(tables.Job, job.id).state == JobState.CANCELLED
        session.add(
            tables.Model(
                tenant=TENANT,
                number=7,
                version="7-0",
                source="training",
                job_id=job.id,
                key="jobs/1/1/best_model.pt",
                sha256="0" * 64,
                size_bytes=1,
                label_names=["A"],
                metrics={},
                lineage={"dataset_versions": [version.digest], "features": [], "job_id": job.id, "code_version": ""},
            )
        )
    _refuse_to_delete(place, dataset, "model version 7")


def _refuse_to_delete(place, dataset, why):
    with place.database.transaction() as session, pytest.raises(Conflict, match=why):
        datasets.delete(session, TENANT, dataset)
    assert describe(place, dataset).n_samples == 2


def test_a_deleted_data_set_is_gone_with_its_samples_and_versions(place, dataset):
    add_all(place, dataset, members(5))
    datasets.make_version(*place, TENANT, dataset)
    with place.database.transaction() as session:
        datasets.delete(session, TENANT, dataset)
    assert samples_of(place, dataset) == []
    with place.database.reading() as session:
        assert datasets.page_versions(session, dataset, limit=5, cursor=None).items == ()
        with pytest.raises(NotFound):
            datasets.find(session, TENANT, dataset)
    with pytest.raises(NotFound, match="deleted meanwhile"):
        add_all(place, dataset, members(1))


@given(st.text(min_size=1, max_size=3))
def test_labels_are_known_by_the_same_rule_everywhere(text):
    assert label_of(text) == core_label_of(text)
