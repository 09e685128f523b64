"""The Python client against a gateway's real routes, through a network that fails where a test wants it."""

import hashlib
import shutil
import threading
import time
from pathlib import Path

import pytest
from fault_proxy import Fault, FaultProxy
from hypothesis import given
from hypothesis import strategies as st
from pace import PATIENCE_S
from pydantic import SecretStr
from remote_server import RemoteServer, Work, store_model
from server_process import free_port

from asl.client import Client
from asl.client.event_stream import ServerEvent, parse
from asl.client.watching import watch
from asl.contracts import (
    Alias,
    EventKind,
    FeaturesRef,
    JobError,
    JobKind,
    JobState,
    ProbeRequest,
    SampleChange,
    SampleState,
    Scope,
    TrainingRequest,
)
from asl.errors import (
    AslError,
    Conflict,
    Forbidden,
    GateRefused,
    InvalidInput,
    ModelNotLoaded,
    NotFound,
    OptionsInvalid,
    PreconditionFailed,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
)
from asl.infra import jobs, keys

PROBE = ProbeRequest(n_steps=3)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RemoteServer(tmp_path_factory.mktemp("server"), free_port()) as server:
        yield server


@pytest.fixture
def client(server):
    with Client(server.url) as client:
        yield client


@pytest.fixture
def proxy(server):
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def through_proxy(proxy):
    with Client(proxy.endpoint, patience_s=60) as client:
        yield client


@pytest.fixture(scope="module")
def photographs(tmp_path_factory, hand_jpeg):
    folder = tmp_path_factory.mktemp("photographs")
    for signer in ("anna", "ben"):
        for seed, letter in enumerate("ab"):
            path = folder / signer / letter / "1.jpg"
            path.parent.mkdir(parents=True)
            path.write_bytes(hand_jpeg(letter.upper(), seed=seed + 10 * len(signer)))
    (folder / "anna" / "a" / "broken.jpg").write_bytes(b"no picture")
    (folder / "anna" / "a" / "again.jpg").write_bytes((folder / "anna" / "a" / "1.jpg").read_bytes())
    (folder / "notes.txt").write_text("not to be sent")
    return folder


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CUT_AT_ONCE, Fault.CUT_REQUEST, Fault.CUT_ANSWER])
def test_a_submission_over_a_connection_that_is_cut_makes_one_job(client, through_proxy, proxy, fault):
    proxy.plan(fault, method="POST", times=2)

    job = through_proxy.jobs.submit(ProbeRequest(name=f"cut {fault.name}"))

    assert proxy.n_left == 0
    assert [found.id for found in client.jobs.list(name=f"cut {fault.name}")] == [job.id]


def test_two_submissions_are_two_jobs(client):
    assert client.jobs.submit(PROBE).id != client.jobs.submit(PROBE).id


@pytest.mark.parametrize("fault", [Fault.BROKEN_XML, Fault.NOT_UTF8, Fault.NO_HTTP])
def test_a_server_that_is_ill_for_a_while_is_asked_again(server, proxy, fault):
    told = []
    with Client(proxy.endpoint, patience_s=60, on_retry=lambda why, delay_s: told.append((why, delay_s))) as client:
        proxy.plan(fault, method="GET", times=2)
        assert isinstance(list(client.datasets.list()), list)

    assert len(told) == 2
    assert all(0 < delay_s < 10 for _, delay_s in told)
    assert server.port != 0


def test_an_answer_500_is_told_at_once(through_proxy, proxy):
    proxy.plan(Fault.ANSWER_500, method="GET", times=2)

    with pytest.raises(AslError, match="status 500"):
        through_proxy.datasets.get("letters")
    assert proxy.n_left == 1


def test_another_server_is_told_from_ours(through_proxy, proxy):
    proxy.plan(Fault.PAGE, method="GET")

    with pytest.raises(AslError, match="expected Dataset from") as refused:
        through_proxy.datasets.get("letters")
    assert "--url" in refused.value.hint


def test_a_change_is_not_sent_again_where_it_may_have_been_made(client, through_proxy, proxy):
    client.datasets.create("gone")
    proxy.plan(Fault.LOST_ANSWER, method="DELETE")

    with pytest.raises(Unavailable):
        through_proxy.datasets.delete("gone")
    assert proxy.requests.count("DELETE") == 1
    with pytest.raises(NotFound):
        client.datasets.get("gone")


def test_nobody_answers():
    with (
        Client(f"http://127.0.0.1:{free_port()}", patience_s=0.5) as client,
        pytest.raises(Unavailable, match="no answer from http://127") as refused,
    ):
        client.jobs.get("0" * 32)
    assert "asl serve" in refused.value.hint


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://example.org", "http://", ""])
def test_addresses_that_are_none(url):
    with pytest.raises(OptionsInvalid, match="expected a server's address"):
        Client(url)


def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client(server.url, patience_s=0) as client:
        assert isinstance(list(client.datasets.list()), list)


def test_problems_become_their_errors_with_message_and_hint(client):
    with pytest.raises(NotFound, match="no data set has this id or name"):
        client.datasets.get("nowhere")
    client.datasets.create("twice")
    with pytest.raises(Conflict):
        client.datasets.create("twice")
    with pytest.raises(NotFound):
        client.jobs.submit(TrainingRequest(data=(FeaturesRef(dataset="nowhere"),)))
    with pytest.raises(InvalidInput):
        client.jobs.get("no id")


def test_a_problem_that_stays_is_told_when_patience_ends(server):
    with Client(server.url, patience_s=0) as client, pytest.raises(ModelNotLoaded) as refused:
        client.recognize(b"any")
    assert "/readyz" in refused.value.hint


def test_photographs_are_sent_once(client, photographs):
    client.datasets.create("folders", "with signers")
    told = []

    first = client.datasets.upload_folder("folders", photographs, told.append)
    second = client.datasets.upload_folder("folders", photographs)

    assert (first.n_added, first.n_already_there, first.n_skipped) == (4, 1, 1)
    assert [skipped.name for skipped in first.skipped] == [str(photographs / "anna" / "a" / "broken.jpg")]
    assert sorted(told) == [1, 2, 3, 4, 5, 6]
    assert (second.n_added, second.n_already_there, second.n_skipped) == (0, 5, 1)
    found = client.datasets.get("folders")
    assert [(count.label, count.signer, count.n_samples) for count in found.counts] == [
        ("A", "anna", 1),
        ("A", "ben", 1),
        ("B", "anna", 1),
        ("B", "ben", 1),
    ]


def test_the_second_upload_sends_no_photograph(client, through_proxy, proxy, photographs):
    client.datasets.create("again")
    files = [(path, "A", "") for path in sorted(photographs.rglob("1.jpg"))]
    client.datasets.upload_files("again", files)

    assert through_proxy.datasets.upload_files("again", iter(files)).n_already_there == len(files)

    assert proxy.requests == ["POST"]  # which hashes are there


def test_an_upload_goes_on_through_faults(client, through_proxy, proxy, photographs):
    client.datasets.create("bad network")
    proxy.plan(Fault.LOST_ANSWER, method="POST", times=3)

    through_proxy.datasets.upload_folder("bad network", photographs)

    assert client.datasets.get("bad network").n_samples == 4


def test_an_archive_is_streamed_and_can_come_again(client, photographs, tmp_path):
    client.datasets.create("archive")
    archive, told = Path(shutil.make_archive(str(tmp_path / "photographs"), "zip", photographs)), []

    first = client.datasets.upload_archive("archive", archive, told.append)
    second = client.datasets.upload_archive("archive", archive)

    assert (first.n_added, second.n_added, second.n_already_there) == (4, 0, 5)
    assert told[-1] == archive.stat().st_size
    archive.write_bytes(b"no archive")
    with pytest.raises(InvalidInput):
        client.datasets.upload_archive("archive", archive)
    with pytest.raises(NotFound):
        client.datasets.upload_archive("archive", tmp_path / "nowhere.zip")


def test_samples_are_listed_changed_and_versions_stay(client, photographs):
    client.datasets.create("changes")
    client.datasets.upload_folder("changes", photographs)
    before = client.datasets.make_version("changes")
    sample = next(client.datasets.samples("changes", label="A", signer="ben"))

    changed = client.datasets.change_sample("changes", sample.id, SampleChange(label="C", excluded=True))

    assert (changed.label, changed.signer, changed.state) == ("C", "ben", SampleState.EXCLUDED)
    assert [found.id for found in client.datasets.samples("changes", state=SampleState.EXCLUDED)] == [sample.id]
    assert client.datasets.make_version("changes").n_samples == before.n_samples - 1
    assert [version.number for version in client.datasets.versions("changes")] == [2, 1]


def test_lists_go_on_over_pages(client):
    ids = {client.jobs.submit(ProbeRequest(name="many")).id for _ in range(7)}

    pages = client.jobs._transport.items("/api/v1/jobs", type(client.jobs.get(next(iter(ids)))), name="many", limit=2)  # noqa: SLF001

    assert {job.id for job in pages} == ids


def test_a_job_is_watched_over_cut_connections_and_each_event_comes_once(server, client, through_proxy, proxy):
    job = client.jobs.submit(PROBE)
    work = Work(server, job.id)
    for done in range(20):
        work.advance(done=done, total=20)
    work.tell("a line\u2028that goes on")
    work.publish(report_txt=b"done")
    plain = [event.id for event in client.jobs.events(job.id)]
    asked = []

    def connect(last):
        asked.append(last)
        if len(asked) <= 3:
            proxy.plan(Fault.CUT_ANSWER, method="GET")
        return through_proxy.jobs.events(job.id, last)

    watched = list(watch(connect, lambda: client.jobs.get(job.id), 0))

    assert asked[0] == 0 < asked[1] < asked[2] < asked[3]
    assert [event.id for event in watched] == plain
    assert [event.data["done"] for event in watched if event.kind is EventKind.PROGRESS] == list(range(20))
    assert [event.data["text"] for event in watched if event.kind is EventKind.LOG] == ["a line\u2028that goes on"]
    assert watched[-1].data["state"] == JobState.SUCCEEDED


@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), max_size=5),
    size=st.integers(1, 20),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_events_are_read_however_the_stream_is_cut(texts, size, end):
    lines = [": a comment", ""]
    for number, text in enumerate(texts):
        lines += ["event: log", f"data: {text}", "data:more", f"id: {number}", ""]
    stream = (end.join([*lines, "data: cut off"])).encode()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]

    events = [ServerEvent(str(number), "log", f"{text}\nmore") for number, text in enumerate(texts)]
    assert list(parse(pieces)) == events


def test_events_come_as_they_happen_and_after_an_id(server, client):
    job = client.jobs.submit(PROBE)
    work, seen = Work(server, job.id), []
    watcher = threading.Thread(target=lambda: seen.extend(client.jobs.watch(job.id)))
    watcher.start()
    work.advance(done=1, total=3)
    give_up_at = time.monotonic() + PATIENCE_S
    while not seen and watcher.is_alive() and time.monotonic() < give_up_at:
        time.sleep(0.02)

    work.fail(JobError(code="crashed", message="it fell over"))
    watcher.join(PATIENCE_S)

    assert [event.data.get("state") or event.data["done"] for event in seen] == ["queued", "running", 1, "failed"]
    assert [event.id for event in client.jobs.watch(job.id, after=seen[1].id)] == [event.id for event in seen[2:]]
    assert list(client.jobs.watch(job.id, after=seen[-1].id)) == []


def test_a_job_is_looked_at_where_no_events_can_be_had(server, client):
    job = client.jobs.submit(PROBE)
    work = Work(server, job.id)
    work.advance(done=2, total=3)

    def refuse(_):
        raise Unavailable("too many watch jobs already")

    seen = []
    for event in watch(refuse, lambda: client.jobs.get(job.id), 0):
        seen.append(event.data.get("state") or event.data["done"])
        if seen[-1] == "running":
            work.fail(JobError(code="crashed", message="it fell over"))
    assert seen == [2, "running", "failed"]
    assert event.data["error"]["message"] == "it fell over"


def test_a_key_tells_who_calls_and_what_they_may(tmp_path):
    with RemoteServer(tmp_path, free_port(), require_key=True) as server:
        reader, _ = keys.create(server.database, name="reader", scopes=[Scope.READ])
        writer, _ = keys.create(server.database, name="writer", max_unfinished_jobs=1)
        for key, error in ((None, Unauthenticated), ("asl_wrong", Unauthenticated), (reader, Forbidden)):
            with Client(server.url, key) as client, pytest.raises(error):
                client.jobs.submit(PROBE)
        with Client(server.url, SecretStr(writer), patience_s=0) as client:
            first = client.jobs.submit(PROBE)
            with pytest.raises(QuotaExceeded):
                client.jobs.submit(PROBE)
        # A call that is over its quota waits for a while, and then there is room.
        end_first = []
        with Client(server.url, writer, on_retry=lambda *_: end_first.append(cancel(server, first.id))) as client:
            assert client.jobs.submit(PROBE).state is JobState.QUEUED
        assert end_first[0] is JobState.CANCELLED


def cancel(server, job_id):
    with server.database.transaction() as session:
        return jobs.cancel(session, job_id)


def test_waiting(server, client):
    job = client.jobs.submit(PROBE)
    with pytest.raises(Unavailable, match="is queued after"):
        client.jobs.wait(job.id, timeout_s=0.2)
    work = Work(server, job.id)
    assert client.jobs.cancel(job.id).state is JobState.CANCELLING
    work.confirm_cancelled()

    assert client.jobs.wait(job.id, timeout_s=PATIENCE_S).state is JobState.CANCELLED
    again = client.jobs.retry(job.id)
    assert (again.kind, again.state) == (JobKind.PROBE, JobState.QUEUED)
    assert again.id != job.id


def test_a_chain_is_accepted_whole(client):
    first, second = client.jobs.submit_chain([ProbeRequest(ref="one"), ProbeRequest(depends_on=("one",))])

    assert (first.state, second.state) == (JobState.QUEUED, JobState.WAITING)
    assert second.depends_on == (first.id,)


def test_a_download_goes_on_where_it_was_cut_off(server, client, tmp_path):
    content = bytes(range(256)) * 4096
    job = client.jobs.submit(PROBE)
    Work(server, job.id).publish(model_bin=content)
    part = tmp_path / f".model.bin.{hashlib.sha256(content).hexdigest()[:16]}.part"
    part.write_bytes(content[:1000])
    told = []

    made = client.jobs.download(job.id, "model.bin", tmp_path, told.append)

    assert made == tmp_path / "model.bin"
    assert made.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin"]
    assert told[-1] == len(content)


@pytest.mark.parametrize("damaged", [b"x" * 1000, b"x" * 2_000_000, b"x" * (256 * 4096)])
def test_a_damaged_part_is_fetched_anew(server, client, tmp_path, damaged):
    content = bytes(range(256)) * 4096
    job = client.jobs.submit(PROBE)
    Work(server, job.id).publish(model_bin=content)
    (tmp_path / f".model.bin.{hashlib.sha256(content).hexdigest()[:16]}.part").write_bytes(damaged)

    client.jobs.download(job.id, "model.bin", tmp_path / "model.bin")

    assert (tmp_path / "model.bin").read_bytes() == content


def test_a_download_over_a_connection_that_is_cut(server, client, through_proxy, proxy, tmp_path):
    content = bytes(range(256)) * 4096
    job = client.jobs.submit(PROBE)
    Work(server, job.id).publish(model_bin=content)
    list(through_proxy.jobs.artifacts(job.id))
    proxy.plan(Fault.CUT_ANSWER, method="GET", times=2)  # the list of artifacts, and the file

    through_proxy.jobs.download(job.id, "model.bin", tmp_path)

    assert (tmp_path / "model.bin").read_bytes() == content
    assert proxy.n_left == 0


def test_models_and_their_roles(server, client, tmp_path):
    numbers = [store_model(server, b"first"), store_model(server, b"second")]

    assert [model.number for model in client.models.list()][:2] == numbers[::-1]
    assert client.models.promote(numbers[0], reason="the first").revision == 1
    assert client.models.get("production").number == client.models.alias(Alias.PRODUCTION).number == numbers[0]
    assert client.models.download("production", tmp_path).read_bytes() == b"first"
    assert client.models.card(numbers[1]).startswith("#")
    with pytest.raises(GateRefused):
        client.models.promote(numbers[1])
    with pytest.raises(PreconditionFailed):
        client.models.promote(numbers[1], force=True, reason="of old", revision=7)
    assert client.models.promote(numbers[1], force=True, reason="it must be").number == numbers[1]
    assert client.models.rollback().number == numbers[0]
    assert [(entry.number, entry.forced) for entry in client.models.history()] == [
        (numbers[0], False),
        (numbers[1], True),
        (numbers[0], False),
    ]
    assert Alias.PRODUCTION in {state.alias for state in client.models.aliases()}


def test_a_model_is_imported_by_one_job(client, through_proxy, proxy, tmp_path):
    (tmp_path / "mine.pt").write_bytes(b"not looked into here")
    proxy.plan(Fault.LOST_ANSWER, method="POST")

    job = through_proxy.models.import_file(tmp_path / "mine.pt")

    assert [found.id for found in client.jobs.list(kind=JobKind.MODEL_IMPORT)] == [job.id]


def test_a_file_that_was_not_made(client, tmp_path):
    job = client.jobs.submit(PROBE)
    with pytest.raises(NotFound, match=r"has made no model\.bin"):
        client.jobs.download(job.id, "model.bin", tmp_path)
    assert list(tmp_path.iterdir()) == []
