"""`asl evaluate-model`: how well a model reads hands that it has not seen."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from asl.cli import console
from asl.cli.device import choose
from asl.cli.flags import JsonFlag
from asl.cli.folders import ensure_writable
from asl.contracts import Device
from asl.core import dataset, evaluation
from asl.core.checkpoint import load_model
from asl.core.report_files import rendered, write_report


def evaluate_model(
    *,
    model_path: Path,
    data_file: Annotated[list[Path], Parameter(negative=())],
    batch_size: Annotated[int, Parameter(validator=Number(gte=1))] = 32,
    device: Device | None = None,
    output_dir: Path = Path("evaluation_results"),
    allow_unknown_labels: bool = False,
    json: JsonFlag = False,
) -> None:
    """Compare a model's answers with the letters of a data set, and say what the figures do not tell.

    Example: `asl evaluate-model --model-path models/best_model.pt --data-file data/asl_features.npz`

    Writes results.txt, report.json, answers.jsonl with a line for each row, confusion_matrix.png,
    per_class_f1_scores.png, reliability_diagram.png, coverage_accuracy.png and, where the rows name signers or sources,
    per_group_accuracy.png.

    Args:
        model_path: Trained model (.pt).
        data_file: Data sets (.npz); several are taken together, their letters matched by name.
        batch_size: Rows answered at once.
        device: Where the network computes, cuda or cpu; cuda where there is one if not given.
        output_dir: Folder for the results.
        allow_unknown_labels: Count hands of letters that the model does not know as mistakes instead of refusing them.
        json: Print the report as JSON.
    """
    place = choose(device)
    trained = load_model(model_path, place)
    rows = dataset.concatenate([dataset.load(path) for path in data_file])
    ensure_writable(output_dir, "--output-dir")
    report = evaluation.evaluate(
        trained, rows, batch_size=batch_size, device=place, allow_unknown_labels=allow_unknown_labels
    )
    entries = write_report(report, output_dir, model=str(model_path), data=[str(path) for path in data_file])
    if json:
        console.print_json(entries)
    else:
        console.out.print(*rendered(entries, report), sep="\n")
    if report.n_rows_trained_on or report.n_rows_validated_on:
        console.err.print(f"warning: {report.notices[0]}", style="yellow", markup=False)
    console.print_made(output_dir, "asl", "recognize", "IMAGE", "--model-path", model_path)
