"""What runs code out of a file, or writes where a file wants, is refused by the project's own ruff configuration."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BANNED = {
    "pickle.loads(data)": "S301",
    "marshal.loads(data)": "S302",
    "shelve.open(path)": "S301",
    "import dill": "TID251",
    "import cloudpickle": "TID251",
    "import joblib": "TID251",
    "torch.load(path)": "TID251",
    "torch.load(path, weights_only=True)": "TID251",
    "torch.hub.load(path, 'model')": "TID251",
    "np.load(path, allow_pickle=True)": "TID251",
    "yaml.load(data)": "S506",
    "yaml.load(data, Loader=yaml.Loader)": "S506",
    "tarfile.open(path).extractall()": "S202",
    "zipfile.ZipFile(path).extractall()": "S202",
    "shutil.unpack_archive(path)": "TID251",
    "subprocess.run('ls ' + path, shell=True)": "S602",
    "os.system(path)": "S605",
    "os.popen(path)": "S605",
    "eval(data)": "S307",
    "exec(data)": "S102",
    "xml.etree.ElementTree.parse(path)": "S314",
    "ssl._create_unverified_context()": "S323",
    "httpx.get(path, verify=False)": "S501",
    "hashlib.md5(data)": "S324",
}
"""A line, and the rule that refuses it."""
MODULES = [
    "hashlib", "httpx", "marshal", "numpy as np", "os", "shelve", "shutil", "ssl", "subprocess", "tarfile", "torch",
    "torch.hub", "pickle", "xml.etree.ElementTree", "yaml", "zipfile",
]  # fmt: skip
FOLDERS = ("shared/asl/core", "services/gateway", "deploy")


@pytest.fixture(scope="module", params=FOLDERS)
def refused(request):
    """Tell by its line which rules refuse what, were it written in a folder of the project."""
    imports = [f"import {module}" for module in MODULES]
    source = "\n".join([*imports, "", "", "def f(path, data):", *(f"    {line}" for line in BANNED)])
    ruff = [Path(sys.executable).with_name("ruff"), "check", "--output-format", "json", "-"]
    found = subprocess.run(
        [*ruff, "--stdin-filename", f"{request.param}/example.py"],
        cwd=REPOSITORY,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = source.splitlines()
    return {(lines[fault["location"]["row"] - 1].strip(), fault["code"]) for fault in json.loads(found.stdout)}


def test_each_ban_bites_in_each_part(refused):
    assert set(BANNED.items()) - refused == set()


def test_bans_are_lifted_only_where_they_are_kept_by_hand():
    codes = set(BANNED.values()) - {"S102"}
    lifted = set()
    for folder in ("shared", "services", "deploy"):
        for file in (REPOSITORY / folder).rglob("*.py"):
            for line in file.read_text(encoding="utf-8").splitlines():
                if (noqa := re.search(r"# (?:noqa|ruff)\b:?\s*(.*)", line)) and (
                    not noqa[1] or any(code in noqa[1] for code in codes)
                ):
                    lifted.add((str(file.relative_to(REPOSITORY)), line.partition("  # noqa")[0].strip()))
    assert lifted == {
        ("shared/asl/core/files.py", "with np.load(path, allow_pickle=False) as archive:"),
        (
            "shared/asl/core/weights.py",
            'payload = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)',
        ),
    }
