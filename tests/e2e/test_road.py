"""The whole road as a user goes it, without a restart: photographs, data set, features, model, report, letters."""

import re
import shutil
from pathlib import Path

import pytest
import road
from platforms import FullStack, OneMachine

from asl.client import Client


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    with OneMachine(tmp_path_factory.mktemp("road")) as platform:
        yield platform.start()


@pytest.fixture
def full_stack(tmp_path, landmarker_path):  # noqa: ARG001 - skips where there is none
    with FullStack(tmp_path / "road") as platform:
        yield platform.start()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return road.render_folders(tmp_path_factory.mktemp("rendered"))


def test_on_one_machine_with_rendered_hands(one_machine, rendered, tmp_path):
    with Client(one_machine.url) as client:
        road.go(client, "rendered", rendered, tmp_path)


def test_on_the_full_stack_with_photographs(full_stack, real_data, tmp_path):
    with Client(full_stack.url) as client:
        road.go(client, "real", road.choose_photographs(tmp_path, real_data), tmp_path)


def test_the_readmes_client_runs(one_machine, rendered, tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (snippet,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "asl.client" in block)
    (tmp_path / "data").mkdir()
    shutil.copytree(rendered / "train", tmp_path / "data" / "demo")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet.replace("http://127.0.0.1:8000", one_machine.url), "README.md", "exec"), {})  # noqa: S102 - ours
    assert "accuracy" in capsys.readouterr().out
    assert (tmp_path / "best_model.pt").stat().st_size > 0
