"""The `asl` command: its list of commands, and how each of them ends."""

import sys

from cyclopts import App, Parameter

from asl.cli import console
from asl.errors import AslError

app = App(
    name="asl",
    help="""Read the American Sign Language alphabet: photographs to landmarks, to a model, to letters.

    The road: `asl prepare-dataset` -> `asl train-model` -> `asl evaluate-model` -> `asl recognize` or `asl serve`.
    """,
    default_parameter=Parameter(consume_multiple=True, negative_iterable=()),
    version_flags=["--version"],
)

# By name, so that `asl --help` need not import PyTorch and MediaPipe.
app.command("asl.cli.preparation:prepare_dataset")
app.command("asl.cli.preparation:import_landmarks")
app.command("asl.cli.training:train_model")
app.command("asl.cli.training:cross_validate")
app.command("asl.cli.evaluation:evaluate_model")
app.command("asl.cli.recognition:recognize")
app.command("asl.cli.export:export")
app.command("asl.cli.serve:serve")
app.command("asl.cli.demo:demo_data")
app.command("asl.cli.landmarker:landmarker")


def main() -> None:
    """Run a command; errors become one line and an exit code."""
    try:
        app()
    except AslError as error:
        console.print_error(error)
        sys.exit(console.exit_code(error))
    except KeyboardInterrupt:
        console.err.print("interrupted")
        sys.exit(console.EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
