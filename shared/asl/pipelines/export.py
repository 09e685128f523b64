"""A model to ONNX, for runtimes without PyTorch."""

from typing import Final

from asl.contracts import ExportRequest
from asl.core import export as core_export
from asl.core.checkpoint import load_model
from asl.errors import OptionsInvalid, Unavailable
from asl.pipelines.context import Context, Outcome
from asl.pipelines.files import sha256_of
from asl.pipelines.requests import parse
from asl.pipelines.sources import fetch_model

FILE: Final = "model.onnx"


def run(context: Context) -> Outcome:
    """Make `model.onnx`, if it gives the same probabilities.

    Raises:
        NotFound: The model is not there.
        ModelInvalid: It cannot be read, or the two differ.
        OptionsInvalid: This worker has no packages to export with.
        Unavailable: The store cannot be reached, or gives other bytes.
    """
    model = fetch_model(context, parse(context, ExportRequest).model)
    trained, path = load_model(model.path), context.folder / FILE
    try:
        parity = core_export.write_onnx(core_export.to_onnx(trained), trained, path)
    except Unavailable as error:  # trying again would not help
        raise OptionsInvalid(f"this worker cannot export: {error.message}", hint=error.hint) from error
    return Outcome(
        {
            "model_id": model.model_id,
            "sha256": sha256_of(path),
            "size_bytes": path.stat().st_size,
            "rows_compared": parity.n_rows,
            "max_difference": parity.max_difference,
        },
        {FILE: path},
    )
