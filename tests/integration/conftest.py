"""What tests of commands share."""

import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
from charts import ChartTools, ToolsMissing
from factories import make_dataset
from trainings import GROUPS

from asl.cli.main import main
from asl.core import dataset


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def asl_main(monkeypatch, capsys):
    """Run `asl` in this process and in a folder: for errors that come before any work, where a process is slow."""

    def run(folder, *arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["asl", *map(str, arguments)])
        with warnings.catch_warnings():
            # It suspects that a test forgot to pass arguments; here they are in sys.argv, as main() takes them.
            warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens", UserWarning)
            with pytest.raises(SystemExit) as ended:
                main()
        return Ended(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def hands():
    return make_dataset(groups=GROUPS, noise=0.12)


@pytest.fixture
def data_file(tmp_path, hands):
    path = tmp_path / "hands.npz"
    dataset.save(hands, path)
    return path


@pytest.fixture(scope="session")
def chart_tools():
    try:
        return ChartTools()
    except ToolsMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def prometheus():
    """The folder of the programs prometheus and promtool."""
    if program := shutil.which("prometheus"):
        return Path(program).parent
    why = "no prometheus (Debian's package of this name): rules and dashboard were not tried"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
