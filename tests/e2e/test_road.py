"""The whole road as a user goes it, without a restart: photographs, data set, features, model, report, letters."""

import re
import shutil
from pathlib import Path

import pytest
import road
from platforms import FullStack, OneMachine

from asl.client import Client


@pytest.fixture(scope="module", params=["one_machine", "full_stack"])
def platform(request, tmp_path_factory, landmarker_path):  # noqa: ARG001 - skips where there is none
    kind = {"one_machine": OneMachine, "full_stack": FullStack}[request.param]
    with kind(tmp_path_factory.mktemp("road")) as platform:
        yield platform.start()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return road.render_folders(tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="module")
def real(tmp_path_factory, real_data):
    return road.choose_photographs(tmp_path_factory.mktemp("real"), real_data)


@pytest.mark.parametrize("source", ["rendered", "real"])
def test_from_photographs_to_letters_without_a_restart(platform, source, request, tmp_path):
    with Client(platform.url) as client:
        road.go(client, source, request.getfixturevalue(source), tmp_path)


def test_the_readmes_client_runs(platform, rendered, tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (snippet,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "asl.client" in block)
    (tmp_path / "data").mkdir()
    shutil.copytree(rendered / "train", tmp_path / "data" / "demo")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet.replace("http://127.0.0.1:8000", platform.url), "README.md", "exec"), {})  # noqa: S102 - ours
    assert "accuracy" in capsys.readouterr().out
    assert (tmp_path / "best_model.pt").stat().st_size > 0
