"""A trained model to ONNX, for runtimes without PyTorch: features in, calibrated probabilities out."""

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asl.core.checkpoint import TrainedModel
from asl.core.features import SCHEMAS, compute_features
from asl.core.files import replacing
from asl.core.hand import N_LANDMARKS
from asl.errors import ModelInvalid, Unavailable

INPUT: Final = "features"
OUTPUT: Final = "probabilities"
MAX_DIFFERENCE: Final = 1e-4
"""Largest difference between a probability of the ONNX model and of the trained one."""

_N_RANDOM_HANDS: Final = 1_000
_SEED: Final = 42


@dataclass(frozen=True)
class Parity:
    """How closely the ONNX model agrees with the trained one."""

    n_rows: int
    max_difference: float
    """Of any probability."""


def to_onnx(trained: TrainedModel) -> bytes:
    """Convert a model on the CPU.

    The graph reads "features" (n, n_features) float32 and gives "probabilities" (n, n_labels) float32, temperature and
    softmax included. Its metadata holds `label_names` (a JSON list), `feature_schema`, `model_name`, `model_sha256` and
    `temperature`; its producer is this package, with its version.

    Raises:
        Unavailable: The extra `export` is not installed.
    """
    buffer = io.BytesIO()
    with _needing_extra(), warnings.catch_warnings():
        import onnx  # noqa: PLC0415 # an extra

        # The tracing exporter is deprecated, but gives the same for a plain network at a twentieth of the time, and
        # needs no onnxscript. PyTorch is pinned; the check of parity tells should a later version change.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _Calibrated(trained).eval(),
            (torch.zeros(2, trained.model.input_size),),
            buffer,  # type: ignore[arg-type] # declared for paths, but the tracing exporter takes buffers
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            dynamo=False,
        )
        model = onnx.load_model_from_string(buffer.getvalue())
        model.producer_name, model.producer_version = "asl-platform", version("asl-platform")
        onnx.helper.set_model_props(model, _metadata(trained))
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString()
    return data


def write_onnx(data: bytes, trained: TrainedModel, path: Path, features: NDArray[np.float32] | None = None) -> Parity:
    """Write an ONNX model, atomically, if it agrees with the trained one.

    Args:
        data: The model, see `to_onnx`.
        trained: What it was made of, on the CPU.
        path: The file.
        features: (n, n_features) float32 that both shall agree on, beside random hands and random numbers.

    Raises:
        ModelInvalid: They differ by more than `MAX_DIFFERENCE`; no file is written.
        OptionsInvalid: The path is a folder, or stands below a file.
        Unavailable: The extra `export` is not installed.
    """
    parity = compare(data, trained, features)
    # Written so that NaN is refused too.
    if not parity.max_difference <= MAX_DIFFERENCE:
        raise ModelInvalid(
            f"expected the ONNX model to agree with {trained.name} within {MAX_DIFFERENCE:g}, found a difference of"
            f" {parity.max_difference:.2g} in {parity.n_rows:,} rows; nothing was written",
            hint="Use the versions of torch, onnx and onnxruntime that constraints.txt names.",
        )
    with replacing(path) as part:
        part.write_bytes(data)
    return parity


def compare(data: bytes, trained: TrainedModel, features: NDArray[np.float32] | None = None) -> Parity:
    """Measure how far an ONNX model's probabilities are from a trained one's.

    Args:
        data: The ONNX model.
        trained: The model on the CPU.
        features: (n, n_features) float32, beside random hands and random numbers.

    Raises:
        Unavailable: The extra `export` is not installed.
    """
    with _needing_extra():
        import onnxruntime  # noqa: PLC0415 # an extra
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    random = _random_rows(trained.feature_schema)
    rows = random if features is None else np.concatenate([random, features])
    with torch.inference_mode():
        expected = _Calibrated(trained).eval()(torch.from_numpy(rows)).numpy()
    # One row alone as well: the batch must have been left open.
    found = np.concatenate([session.run([OUTPUT], {INPUT: part})[0] for part in (rows[:1], rows[1:])])
    return Parity(len(rows), float(np.abs(found - expected).max()))


class _Calibrated(nn.Module):
    def __init__(self, trained: TrainedModel) -> None:
        super().__init__()
        self.model = trained.model
        self.temperature = trained.temperature

    def forward(self, features: Tensor) -> Tensor:
        return torch.softmax(self.model(features) / self.temperature, dim=1)


def _metadata(trained: TrainedModel) -> dict[str, Any]:
    return {
        "label_names": json.dumps(trained.label_names),
        "feature_schema": trained.feature_schema,
        "model_name": trained.name,
        "model_sha256": trained.sha256,
        "temperature": str(trained.temperature),
    }


def _random_rows(schema: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(_SEED)
    hands = rng.random((_N_RANDOM_HANDS, N_LANDMARKS, 3), np.float32)
    numbers = rng.standard_normal((_N_RANDOM_HANDS, SCHEMAS[schema]), np.float32)
    return np.concatenate([compute_features(hands, np.zeros(_N_RANDOM_HANDS, np.bool_), schema=schema), numbers])


@contextmanager
def _needing_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"expected the packages of the extra 'export', found no {error.name}",
            hint="Install them: pip install 'asl-platform[export]'",
        ) from error
