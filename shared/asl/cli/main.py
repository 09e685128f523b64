"""The `asl` command: its list of commands, and how each of them ends."""

import ast
import sys
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
    "asl.cli.training:train_model",
    "asl.cli.evaluation:evaluate_model",
    "asl.cli.export:export",
    "asl.cli.recognition:recognize",
    "asl.cli.serve:serve",
    "asl.cli.landmarker:landmarker",
)


def _description(target: str) -> str:
    """Read a command's docstring, without the part on its arguments, from its source.

    Importing the modules instead would make `asl --help` wait for PyTorch and MediaPipe.
    """
    module, _, name = target.partition(":")
    source = Path(__file__).with_name(f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8")
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)
    return (ast.get_docstring(next(functions)) or "").partition("\n\nArgs:")[0]


for _target in _COMMANDS:
    app.command(_target, help=_description(_target))


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
