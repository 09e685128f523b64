"""`asl dataset`, `asl job` and `asl model` against a gateway's real routes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from remote_server import RemoteServer, Work, store_model
from server_process import free_port

from asl.client import Client
from asl.contracts import JobError, JobState, ProbeRequest
from asl.infra import jobs, keys


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RemoteServer(tmp_path_factory.mktemp("server"), free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with Client(server.url) as client:
        yield client


@pytest.fixture
def asl(asl_main, server, tmp_path, monkeypatch):
    monkeypatch.setenv("ASL_URL", server.url)
    return lambda *words: asl_main(tmp_path, *words)


@pytest.fixture
def photographs(tmp_path, hand_jpeg):
    for signer in ("anna", "ben"):
        for seed, letter in enumerate("AB"):
            path = tmp_path / "photographs" / signer / letter / "1.jpg"
            path.parent.mkdir(parents=True)
            path.write_bytes(hand_jpeg(letter, seed=seed + 10 * len(signer)))
    (tmp_path / "photographs" / "notes.txt").write_text("not to be sent")
    return tmp_path / "photographs"


def test_the_road_of_a_data_set(asl, photographs):
    created = asl("dataset", "create", "letters", "--description", "two signers")
    assert (created.status, created.out) == (0, "")
    assert created.err == "made data set letters   next: asl dataset upload letters PATH\n"

    sent = asl("dataset", "upload", "letters", photographs)
    assert sent.status == 0
    assert sent.out.split() == ["added:", "4", "already", "there:", "0", "left", "out:", "1"]
    assert "left out: notes.txt" in sent.err
    assert sent.err.endswith("next: asl job submit training --dataset letters --watch\n")
    again = json.loads(asl("dataset", "upload", "letters", photographs, "--json").out)
    assert (again["n_added"], again["n_already_there"], again["n_skipped"]) == (0, 4, 1)

    shown = [
        line.strip("│┃ ").replace("┃", "│").split("│") for line in asl("dataset", "show", "letters").out.splitlines()
    ]
    assert [[word.strip() for word in line] for line in shown if len(line) == 4] == [
        ["class", "anna", "ben", "all"],
        ["A", "1", "1", "2"],
        ["B", "1", "1", "2"],
        ["all", "2", "2", "4"],
    ]

    versioned = asl("dataset", "version", "letters")
    assert (versioned.status, versioned.out) == (0, "letters@1\n")
    (sample,) = json.loads(asl("dataset", "samples", "letters", "--label", "B", "--signer", "ben", "--json").out)
    changed = asl("dataset", "change", "letters", sample["id"], "--label", "C", "--exclude")
    assert changed.out == f"{sample['id']}  C ben excluded\n"
    assert asl("dataset", "samples", "letters", "--state", "excluded").out.split()[:3] == [sample["id"], "C", "ben"]
    asl("dataset", "change", "letters", sample["id"], "--include")
    (listed,) = (found for found in json.loads(asl("dataset", "list", "--json").out) if found["name"] == "letters")
    assert (listed["n_samples"], listed["n_excluded"], listed["last_version"]) == (4, 0, 1)
    assert "letters" in asl("dataset", "list").out

    refused = asl("dataset", "delete", "letters")
    assert (refused.status, "4 photographs" in refused.err) == (2, True)
    assert asl("dataset", "delete", "letters", "--yes").status == 0
    assert asl("dataset", "show", "letters").status == 3


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("dataset", "show", "nowhere"), 3, "no data set"),
        (("dataset", "create", "a/b"), 2, "--name"),
        (("dataset", "upload", "nowhere", "nothing.zip"), 3, "nothing at nothing.zip"),
        (("dataset", "change", "nowhere", "0" * 32), 2, "expected something to change"),
        (("job", "show", "0" * 32), 3, "no job"),
        (("job", "watch", "0" * 32), 3, "no job"),
        (("job", "submit", "training"), 2, "expected --dataset or --job"),
        (("job", "submit", "training", "--dataset", "nowhere"), 3, "no data set"),
        (("job", "submit", "training", "--dataset", "x", "--dropout", "2"), 2, "--dropout"),
        (("job", "submit", "probe", "--n-steps", "-1"), 2, "--n-steps"),
        (("job", "submit", "export"), 2, "expected either --model or --training-job"),
        (("job", "submit", "export", "--model", "77"), 3, "no model"),
        (("model", "show", "77"), 3, "no model"),
        (("model", "import", "nothing.pt"), 3, "no file at nothing.pt"),
        (("model", "promote", "1", "--force"), 2, "expected a --reason"),
    ],
)
def test_errors_have_their_status(asl, words, status, message):
    ended = asl(*words)

    assert ended.status == status, ended.err
    assert message in ended.err
    assert ended.out == ""


def test_a_conflict_has_its_status(asl):
    asl("dataset", "create", "twice")

    assert asl("dataset", "create", "twice").status == 5


def test_no_server(asl_main, tmp_path, monkeypatch):
    monkeypatch.setattr("asl.cli.remote._PATIENCE_S", 0.5)

    ended = asl_main(tmp_path, "job", "list", "--url", f"http://127.0.0.1:{free_port()}")

    assert ended.status == 1
    assert "hint:  Check --url or ASL_URL, and that the server runs (asl serve)." in ended.err


def test_a_job_is_submitted_shown_and_cancelled(asl):
    submitted = asl("job", "submit", "probe", "--n-steps", "3", "--name", "try", "--priority", "2")
    job_id = submitted.out.strip()
    assert submitted.err == f"made probe job {job_id}   next: asl job watch {job_id}\n"

    shown = json.loads(asl("job", "show", job_id, "--json").out)
    assert (shown["name"], shown["priority"], shown["request"]["n_steps"]) == ("try", 2, 3)
    assert "priority 2" in asl("job", "show", job_id).out
    assert asl("job", "list", "--name", "try").out.split()[:3] == [job_id, "probe", "queued"]
    assert asl("job", "cancel", job_id).out == f"{job_id}  cancelled\n"
    retried = asl("job", "retry", job_id).out.strip()
    assert json.loads(asl("job", "list", "--name", "try", "--state", "queued", "--json").out)[0]["id"] == retried


def test_watching_a_job_that_succeeds(asl, server, client):
    job = client.jobs.submit(ProbeRequest())
    work = Work(server, job.id)
    work.advance(done=2, total=2, epoch=1, train_loss=0.5, val_accuracy=0.75)
    work.tell("a line [of the] log")
    work.publish(report_txt=b"done", advice=[{"code": "one_signer", "found": "One [signer].", "remedy": "Add others."}])

    watched = asl("job", "watch", job.id)

    assert (watched.status, watched.out) == (0, f"{job.id}  succeeded\n")
    assert watched.err.endswith("advice: One [signer]. Add others.\n")
    title = f"probe {job.id[:8]}"
    for line in ("running", "2 of 2   epoch 1 loss 0.500 accuracy 75.0%", "a line [of the] log", "succeeded"):
        assert f"{title}: {line}\n" in watched.err
    assert " 1 a line [of the] log\n" in asl("job", "log", job.id).out


def test_watching_a_job_that_fails(asl, server, client):
    job = client.jobs.submit(ProbeRequest())
    Work(server, job.id).fail(JobError(code="crashed", message="it fell over", hint="Pick it up."))

    watched = asl("job", "watch", job.id, "--json")

    assert watched.status == 1
    assert json.loads(watched.out)["error"]["message"] == "it fell over"
    assert f"error: job {job.id} failed: it fell over\nhint:  Pick it up.\n" in watched.err


def test_watching_a_job_that_is_cancelled_meanwhile(asl, server, client):
    job = client.jobs.submit(ProbeRequest())
    work = Work(server, job.id)

    def cancel():
        time.sleep(0.5)
        client.jobs.cancel(job.id)
        work.confirm_cancelled()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    watched = asl("job", "watch", job.id)
    canceller.join()

    assert (watched.status, watched.out) == (1, f"{job.id}  cancelled\n")
    assert f"next: asl job retry {job.id}" in watched.err


def test_watching_a_chain_tells_of_all_its_jobs(asl, server, client):
    first, second = client.jobs.submit_chain([ProbeRequest(ref="a"), ProbeRequest(name="last", depends_on=("a",))])

    def work():
        time.sleep(0.5)
        Work(server, first.id).publish()
        Work(server, second.id).publish()

    worker = threading.Thread(target=work)
    worker.start()
    watched = asl("job", "watch", second.id)
    worker.join()

    assert (watched.status, watched.out) == (0, f"{second.id}  succeeded\n")
    assert f"probe {first.id[:8]}: succeeded" in watched.err
    assert f"last {second.id[:8]}: waiting" in watched.err


def test_what_a_job_has_made_is_listed_and_fetched(asl, server, client, tmp_path):
    job = client.jobs.submit(ProbeRequest())
    Work(server, job.id).publish(best_txt=b"best", last_txt=b"last")

    listed = json.loads(asl("job", "artifacts", job.id, "--json").out)
    assert sorted((made["name"], made["size_bytes"]) for made in listed) == [("best.txt", 4), ("last.txt", 4)]
    fetched = asl("job", "download", job.id)
    assert sorted(fetched.out.splitlines()) == [f"{job.id}/best.txt", f"{job.id}/last.txt"]
    assert (tmp_path / job.id / "best.txt").read_bytes() == b"best"
    one = asl("job", "download", job.id, "last.txt", "--output-dir", "here", "--json")
    assert json.loads(one.out) == [str(tmp_path / "here" / "last.txt")]
    assert asl("job", "download", job.id, "none.txt").status == 3
    assert not (tmp_path / "nowhere").exists()
    assert asl("job", "download", client.jobs.submit(ProbeRequest()).id, "--output-dir", "nowhere").status == 3


def test_the_road_of_a_model(asl, server, tmp_path):
    first, second = store_model(server, b"first"), store_model(server, b"second")

    promoted = asl("model", "promote", first)
    assert (promoted.status, promoted.out) == (0, f"production: model {first} (revision 1)\n")
    refused = asl("model", "promote", second)
    assert (refused.status, refused.out) == (5, "")
    assert asl("model", "promote", second, "--force", "--reason", "it must be").status == 0
    assert json.loads(asl("model", "show", "production", "--json").out)["number"] == second
    assert asl("model", "rollback", "--reason", "worse").out == f"production: model {first} (revision 3)\n"
    history = json.loads(asl("model", "history", "--json").out)
    assert [(entry["number"], entry["reason"]) for entry in history] == [
        (first, "worse"),
        (second, "it must be"),
        (first, ""),
    ]
    assert "it must be" in asl("model", "history").out

    assert {found["number"] for found in json.loads(asl("model", "list", "--json").out)} == {first, second}
    assert "production" in asl("model", "list").out
    assert f"number:    {first}\n" in asl("model", "show", first).out
    assert asl("model", "card", first).out.startswith("#")
    fetched = asl("model", "download", "production")
    assert fetched.out == f"model-{first}.pt\n"
    assert (tmp_path / f"model-{first}.pt").read_bytes() == b"first"
    (tmp_path / "mine.pt").write_bytes(b"not looked into here")
    imported = asl("model", "import", "mine.pt")
    assert imported.err.endswith(f"next: asl job watch {imported.out}")


def test_submissions_say_what_the_flags_say(asl, server, photographs, tmp_path):
    asl("dataset", "create", "hands")
    asl("dataset", "upload", "hands", photographs)
    assert asl("dataset", "version", "hands").out == "hands@1\n"
    number = store_model(server, b"third")

    extraction = submit(asl, "extraction", "--dataset", "hands@1", "--augment-images", "2")
    assert (extraction["request"]["version"], extraction["request"]["options"]["augment_images"]) == (1, 2)
    flags = ("--epochs", "7", "--hidden-sizes", "64", "32", "--pretrained", number, "--device", "cpu")
    training = submit(asl, "training", "--dataset", "hands", "--job", extraction["id"], *flags)
    assert training["state"] == "waiting"
    assert (training["request"]["options"]["epochs"], training["request"]["device"]) == (7, "cpu")
    assert training["request"]["options"]["hidden_sizes"] == [64, 32]
    assert extraction["id"] in training["depends_on"]
    searched = ("--sizes", "64-32", "32", "--method", "tpe", "--n-trials", "5", "--no-prune")
    tuning = submit(asl, "tuning", "--dataset", "hands", "--epochs", "3", *searched)
    assert (tuning["queue"], tuning["request"]["options"]["epochs"]) == ("gpu", 3)
    assert tuning["request"]["tuning"]["sizes"] == ["64-32", "32"]
    assert (tuning["request"]["tuning"]["method"], tuning["request"]["tuning"]["prune"]) == ("tpe", False)
    assert extraction["id"] not in tuning["depends_on"]  # that one adds altered copies
    (tmp_path / "best.json").write_text(json.dumps({"dropout": 0.45, "hidden_sizes": [9]}))
    configured = submit(asl, "training", "--dataset", "hands", "--config", tmp_path / "best.json", "--dropout", "0.2")
    options = configured["request"]["options"]
    assert (options["hidden_sizes"], options["dropout"]) == ([9], 0.2)
    evaluation = submit(asl, "evaluation", "--training-job", training["id"], "--job", extraction["id"])
    assert training["id"] in evaluation["depends_on"]
    export = submit(asl, "export", "--model", number)
    assert export["request"]["model"]["id"] == training["request"]["pretrained"]["id"]


def submit(asl, *words):
    ended = asl("job", "submit", *words, "--json")
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def test_the_key_comes_from_the_environment(asl_main, tmp_path, monkeypatch):
    with RemoteServer(tmp_path / "keys", free_port(), require_key=True) as server:
        secret, _ = keys.create(server.database, name="someone")
        without = asl_main(tmp_path, "job", "list", "--url", server.url)
        monkeypatch.setenv("ASL_API_KEY", secret)
        with_key = asl_main(tmp_path, "job", "list", "--url", server.url)

    assert (without.status, "expected an API key" in without.err) == (1, True)
    assert (with_key.status, with_key.err) == (0, "")


def test_ctrl_c_ends_the_watching_and_not_the_job(server, client, tmp_path):
    job = client.jobs.submit(ProbeRequest())
    work = Work(server, job.id)
    work.advance(done=1, total=2)
    watching = subprocess.Popen(
        [Path(sys.executable).with_name("asl"), "job", "watch", job.id],
        cwd=tmp_path,
        env={**os.environ, "ASL_URL": server.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = []
    while not any("1 of 2" in line for line in told):
        told.append(watching.stderr.readline())
        assert told[-1], told

    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)

    assert (watching.returncode, out) == (130, "")
    # A line that is interrupted while it is written may come twice.
    assert err.endswith(f"interrupted; the job goes on: asl job watch {job.id}   stop: asl job cancel {job.id}\n")
    assert "Traceback" not in err
    assert client.jobs.get(job.id).state is JobState.RUNNING
    with server.database.transaction() as session:
        assert jobs.release(session, work.claim)
