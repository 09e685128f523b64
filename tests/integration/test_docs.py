"""What the README says is true: its commands parse, its settings exist, its Python runs."""

import re
import shlex
from pathlib import Path

import pytest

from asl.cli.main import app
from asl.infra.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL_LINES = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
COMMANDS = sorted(
    {line for line in SHELL_LINES if re.match(r"(ASL_\S+ )?asl ", line)}
    | {command for command in re.findall(r"`(asl [^`\n]+)`", README) if "..." not in command}
)
# What needs a server runs in tests/e2e/test_road.py.
SNIPPETS = [block for kind, block in BLOCKS if kind == "python" and "http" not in block and "ws:" not in block]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(line):
    words = [word for word in shlex.split(line) if not word.startswith("ASL_")][1:]
    assert words[0] in app
    if len(words) > 1 and words[-1] != "--help":  # what is left mentions a command by its name
        app.parse_args(words, exit_on_error=False, print_error=False)


def test_there_are_commands_to_test():
    assert len(COMMANDS) >= 10


def test_every_setting_is_in_the_readme_and_the_other_way_round():
    table = set(re.findall(r"\| `(ASL_\w+)` \|", README))
    assert table == {f"ASL_{name.upper()}" for name in Settings.model_fields}


def test_defaults_of_settings_are_as_written():
    rows = dict(re.findall(r"\| `ASL_(\w+)` \| ([\d.]+) \|", README))
    assert rows
    for name, value in rows.items():
        assert Settings.model_fields[name.lower()].default == float(value)


@pytest.mark.usefixtures("landmarker_path")
def test_the_python_snippets_run(tmp_path, monkeypatch, hand_jpeg, capsys):
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "sign.jpg").write_bytes(hand_jpeg("L"))
    monkeypatch.chdir(tmp_path)
    for snippet in SNIPPETS:
        exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102 - our own README
    sequence, recognized = capsys.readouterr().out.splitlines()
    assert recognized == "L"
    assert sequence.startswith("J")
