"""`asl export`: a trained model for runtimes without PyTorch."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.folders import ensure_writable
from asl.core import dataset
from asl.core import export as core_export
from asl.core.checkpoint import load_model
from asl.errors import ModelInvalid, OptionsInvalid


def export(
    *,
    model_path: Path,
    output_file: Path | None = None,
    format_: Annotated[Literal["onnx"], Parameter(name="--format")] = "onnx",
    data_file: Path | None = None,
    json: JsonFlag = False,
) -> None:
    """Write a trained model as ONNX, if it gives the same probabilities.

    Example: `asl export --model-path models/best_model.pt --format onnx`

    The file reads "features" (n, 84) and gives "probabilities" (n, letters), calibrated; its metadata names the letters
    and the feature schema. Where it differs from the trained model by more than 0.0001, no file is written.

    Args:
        model_path: Trained model (.pt).
        output_file: File to write (.onnx); beside the model where not given.
        format_: The file's format.
        data_file: Data set (.npz) whose rows both must agree on, beside random ones.
        json: Print the result as JSON.
    """
    output_file = output_file or model_path.with_suffix(f".{format_}")
    if output_file.suffix != f".{format_}":
        raise OptionsInvalid(f"expected an --output-file that ends in .{format_}, found {output_file.name}")
    ensure_writable(output_file.parent, "--output-file")
    trained = load_model(model_path)
    rows = dataset.load(data_file) if data_file else None
    if rows is not None and rows.feature_schema != trained.feature_schema:
        raise ModelInvalid(
            f"expected a data set with features {trained.feature_schema}, found {rows.feature_schema} in {data_file}"
        )
    parity = core_export.write_onnx(
        core_export.to_onnx(trained), trained, output_file, None if rows is None else rows.features
    )
    if json:
        console.print_json(
            {
                "output_file": str(output_file.resolve()),
                "size_bytes": output_file.stat().st_size,
                "rows_compared": parity.n_rows,
                "max_difference": parity.max_difference,
            }
        )
    else:
        console.out.print(
            f"{output_file}: {output_file.stat().st_size:,} bytes, {len(trained.label_names)} letters; differs from"
            f" {model_path.name} by at most {parity.max_difference:.1e} in {parity.n_rows:,} rows",
            markup=False,
        )
    check = f"import onnxruntime; onnxruntime.InferenceSession({str(output_file)!r})"
    console.print_made(output_file, "python", "-c", check)
