"""The whole road as a user goes it, without a restart: photographs, data set, features, model, report, letters.

All of it is traced, as an operator may have it.
"""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import road
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from platforms import FullStack, OneMachine
from span_receiver import SpanReceiver, values

from asl.client import Client
from asl.contracts import JobKind, Queue
from asl.infra import jobs
from asl.infra.tables import Job


@contextmanager
def _traced(kind, folder):
    with SpanReceiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with kind(folder, **settings) as platform:
            platform.receiver = receiver
            yield platform.start()
        receiver.shutdown()


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    with _traced(OneMachine, tmp_path_factory.mktemp("road")) as platform:
        yield platform


@pytest.fixture
def full_stack(tmp_path, landmarker_path):  # noqa: ARG001 - skips where there is none
    with _traced(FullStack, tmp_path / "road") as platform:
        yield platform


def test_on_one_machine_with_rendered_hands(one_machine, rendered_folders, tmp_path):
    with Client(one_machine.url) as client:
        road.go(client, "rendered", rendered_folders, tmp_path)


def test_on_the_full_stack_with_photographs(full_stack, real_data, tmp_path):
    with Client(full_stack.url) as client:
        road.go(client, "real", road.choose_photographs(tmp_path, real_data), tmp_path)

    ((_, _, work),) = full_stack.receiver.wait_for(None, "job training")
    (call, *_) = full_stack.receiver.wait_for(work.trace_id.hex(), "POST /api/v1/jobs/chain", "run", "store")
    assert (call[1], call[2].span_id) == ("asl-gateway", work.parent_span_id)


def test_the_readmes_client_runs(one_machine, rendered_folders, tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (snippet,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "asl.client" in block)
    (tmp_path / "data").mkdir()
    shutil.copytree(rendered_folders / "train", tmp_path / "data" / "demo")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet.replace("http://127.0.0.1:8000", one_machine.url), "README.md", "exec"), {})  # noqa: S102 - ours
    assert "accuracy" in capsys.readouterr().out
    assert (tmp_path / "best_model.pt").stat().st_size > 0


def test_one_trace_leads_from_the_call_to_the_end_of_the_jobs_process(one_machine):
    trace_id, client_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    header = {"traceparent": f"00-{trace_id}-{client_id}-01"}
    with one_machine.client() as client:
        assert client.get("/healthz").status_code == 200
        job = client.post("/api/v1/jobs", json={"kind": "probe", "n_steps": 2}, headers=header).json()
    assert one_machine.wait_until_ended(job["id"])["state"] == "succeeded"

    found = one_machine.receiver.wait_for(trace_id, "POST /api/v1/jobs", "job probe", "run", "store")

    assert [service for _, service, _ in found] == ["asl-gateway", "asl-worker", "asl-worker", "asl-worker"]
    call, work, run, store = (span for _, _, span in found)
    assert call.parent_span_id.hex() == client_id
    assert work.parent_span_id == call.span_id
    assert run.parent_span_id == store.parent_span_id == work.span_id
    assert call.start_time_unix_nano < work.start_time_unix_nano <= run.start_time_unix_nano
    assert run.end_time_unix_nano <= store.start_time_unix_nano <= store.end_time_unix_nano <= work.end_time_unix_nano
    assert values(work.attributes)["asl.job"] == job["id"]
    assert not [name for name, _, _ in one_machine.receiver.spans if "healthz" in name]


def test_a_job_that_fails_is_marked_in_its_trace(one_machine):
    with one_machine.database.transaction() as session:
        row = Job(tenant="local", submitted_by="", kind=JobKind.EXPORT, queue=Queue.CPU, max_attempts=1)
        row.request = {"kind": "export", "model": {"job": "0" * 32}}
        jobs.add(session, row)
    ended = one_machine.wait_until_ended(row.id)
    assert ended["state"] == "failed"

    work = one_machine.receiver.wait_for_job(row.id)
    assert work.status.code == Status.STATUS_CODE_ERROR
    assert work.status.message == ended["error"]["code"]
    assert not work.parent_span_id, "a job that nobody traced begins a trace"
