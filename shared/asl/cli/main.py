"""The `asl` command: its list of commands, and how each of them ends."""

import ast
import sys
from functools import cache
from pathlib import Path

from cyclopts import App, Parameter

from asl.cli import console
from asl.errors import AslError

app = App(
    name="asl",
    help="""Read the American Sign Language alphabet: photographs to landmarks, to a model, to letters.

    The road: `asl prepare-dataset` -> `asl train-model` -> `asl evaluate-model` -> `asl recognize` or `asl serve`.
    `asl COMMAND --help` explains each step.
    """,
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # told below
)

_COMMANDS = (
    "asl.cli.demo:demo_data",
    "asl.cli.preparation:prepare_dataset",
    "asl.cli.preparation:import_landmarks",
    "asl.cli.cross_validation:cross_validate",
    "asl.cli.tuning:tune",
    "asl.cli.training:train_model",
    "asl.cli.evaluation:evaluate_model",
    "asl.cli.export:export",
    "asl.cli.recognition:recognize",
    "asl.cli.serve:serve",
    "asl.cli.status:status",
    "asl.cli.landmarker:landmarker",
    "asl.cli.page:page",
    "asl.cli.bench:bench",
)

_GROUPS = {
    "key": {"create": "asl.cli.keys:create", "list": "asl.cli.keys:list_", "revoke": "asl.cli.keys:revoke"},
    "db": {"upgrade": "asl.cli.database:upgrade"},
    "dataset": {
        "create": "asl.cli.datasets:create",
        "list": "asl.cli.datasets:list_",
        "show": "asl.cli.datasets:show",
        "upload": "asl.cli.datasets:upload",
        "samples": "asl.cli.datasets:samples",
        "change": "asl.cli.datasets:change",
        "version": "asl.cli.datasets:version",
        "delete": "asl.cli.datasets:delete",
    },
    "job": {
        "list": "asl.cli.jobs:list_",
        "show": "asl.cli.jobs:show",
        "watch": "asl.cli.jobs:watch",
        "log": "asl.cli.jobs:log",
        "cancel": "asl.cli.jobs:cancel",
        "retry": "asl.cli.jobs:retry",
        "artifacts": "asl.cli.jobs:artifacts",
        "download": "asl.cli.jobs:download",
    },
    "job submit": {
        "extraction": "asl.cli.submission:extraction",
        "training": "asl.cli.submission:training",
        "tuning": "asl.cli.tuning_submission:tuning",
        "evaluation": "asl.cli.submission:evaluation",
        "export": "asl.cli.submission:export",
        "probe": "asl.cli.submission:probe",
    },
    "model": {
        "list": "asl.cli.models:list_",
        "show": "asl.cli.models:show",
        "card": "asl.cli.models:card",
        "download": "asl.cli.models:download",
        "import": "asl.cli.models:import_",
        "promote": "asl.cli.models:promote",
        "rollback": "asl.cli.models:rollback",
        "history": "asl.cli.models:history",
    },
}
"""Commands of two words, or three; the module of a group's first command says what the group is for."""


def _purpose(target: str) -> str:
    """Read what a module's docstring says after its command's name, from its source."""
    text = (ast.get_docstring(_source(target)) or "").partition(": ")[2]
    return f"{text[:1].upper()}{text[1:]}"


def _description(target: str) -> str:
    """Read a command's docstring, without the part on its arguments, from its source.

    Importing the modules instead would make `asl --help` wait for PyTorch and MediaPipe.
    """
    name = target.partition(":")[2]
    functions = (node for node in _source(target).body if isinstance(node, ast.FunctionDef) and node.name == name)
    return (ast.get_docstring(next(functions)) or "").partition("\n\nArgs:")[0]


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _source(target: str) -> ast.Module:
    module = target.partition(":")[0]
    return _parse(Path(__file__).with_name(f"{module.rpartition('.')[2]}.py"))


for _target in _COMMANDS:
    app.command(_target, help=_description(_target))
for _name, _members in _GROUPS.items():
    *_above, _word = _name.split()
    _group = App(name=_word, help=_purpose(next(iter(_members.values()))))
    for _word, _target in _members.items():
        _group.command(_target, name=_word, help=_description(_target))
    (app[_above[0]] if _above else app).command(_group)


def main() -> None:
    """Run a command; errors become one line and an exit code."""
    try:
        app()
    except AslError as error:
        console.print_error(error)
        sys.exit(console.exit_code(error))
    except OSError as error:  # a disk that is full, a folder that may not be written, ...
        console.err.print(f"error: {error}", style="red", markup=False)
        sys.exit(console.EXIT_FAILED)
    except KeyboardInterrupt:
        console.err.print("interrupted; commands that take --resume go on where they were")
        sys.exit(console.EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
