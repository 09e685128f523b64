"""Trained networks as files: what training writes, resumes from, and what everything else reads.

A file is PyTorch's zip of one plain dict, and is read with `weights_only=True`: no code in it is ever run. Its keys are
those of `Checkpoint`, with `model_config` (see `asl.core.model`) and `label_mapping`, {0: "A", ...}. Files that hold
only `SEED_KEYS` are read too.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asl.core import weights
from asl.core.features import SCHEMA, SCHEMAS
from asl.core.files import replacing
from asl.core.model import ASLClassifier, build_model, infer_hidden_sizes
from asl.core.weights import MAX_FILE_BYTES, State
from asl.errors import ModelInvalid, NotFound

SEED_KEYS: Final = (
    "epoch",
    "model_state_dict",
    "optimizer_state_dict",
    "val_accuracy",
    "model_config",
    "label_mapping",
)
"""The keys that every file has."""

_HINT: Final = "Make one with `asl train-model`."


def _no_hashes() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True)
class Checkpoint:
    """What one file holds; plain values and tensors on the CPU only."""

    epoch: int
    """Epochs done."""
    model_state_dict: State
    model_config: State
    label_names: tuple[str, ...]
    val_accuracy: float
    optimizer_state_dict: State = field(default_factory=dict)
    val_loss: float = math.nan
    feature_schema: str = SCHEMA
    temperature: float = 1.0
    unsure_below: float = 0.0
    """Confidence below which an answer is refused."""
    not_a_letter_below: float = 0.0
    """Confidence below which a refused answer is taken for no letter."""
    train_row_hashes: Tensor = field(default_factory=_no_hashes)
    """(n,) int64, see `sample_hashes.row_hashes`."""
    val_row_hashes: Tensor = field(default_factory=_no_hashes)
    """(n,) int64 of the rows that chose the epoch and fitted the temperature."""
    scheduler_state_dict: State = field(default_factory=dict)
    rng_states: State = field(default_factory=dict)
    """PyTorch's generators, uint8 tensors by name of the device."""
    sampler: State = field(default_factory=dict)
    """Where the next batch comes from: the seed and the epoch."""
    training_options: State = field(default_factory=dict)
    data_digest: str = ""
    split_digest: str = ""
    best: State | None = None
    """The file's dict of the best epoch so far; None where that is this epoch."""


@dataclass(frozen=True)
class TrainedModel:
    """A network ready to answer, and what must be known of it."""

    model: ASLClassifier
    """In evaluation mode."""
    label_names: tuple[str, ...]
    feature_schema: str
    temperature: float
    """Logits are divided by it before softmax."""
    train_row_hashes: NDArray[np.int64]
    """(n,) `row_hashes` of the rows that it was trained on, sorted; empty where unknown."""
    epoch: int
    val_accuracy: float
    sha256: str
    """Hash of the file."""
    name: str
    """The file's name without its ending."""
    val_row_hashes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """(n,) `row_hashes` of the rows that chose its epoch and temperature, sorted; empty where there are none or that is
    unknown."""
    unsure_below: float = 0.0
    """Confidence below which an answer is refused."""
    not_a_letter_below: float = 0.0
    """Confidence below which a refused answer is taken for no letter."""


def to_payload(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the dict that a file holds: plain Python and tensors that share no memory with living ones."""
    payload = {entry.name: weights.plain(getattr(checkpoint, entry.name)) for entry in fields(checkpoint)}
    payload["model_state_dict"] = OrderedDict(payload["model_state_dict"])
    payload["label_mapping"] = dict(enumerate(payload.pop("label_names")))
    return payload


def from_payload(payload: Mapping[str, Any]) -> Checkpoint:
    """Check a file's dict.

    Raises:
        ModelInvalid: A key is missing or of a wrong type, or the labels do not fit the network.
    """
    if missing := [key for key in SEED_KEYS if key not in payload]:
        raise ModelInvalid(f"expected the keys {', '.join(SEED_KEYS)}, found no {', '.join(missing)}", hint=_HINT)
    config, state = _mapping(payload, "model_config"), _mapping(payload, "model_state_dict")
    weights.check(state)
    if "hidden_sizes" not in config:
        config = {**config, "hidden_sizes": infer_hidden_sizes(state)}
    known = {entry.name for entry in fields(Checkpoint)} & set(payload)
    checkpoint = Checkpoint(
        **{key: payload[key] for key in known - {"model_config"}},
        model_config=config,
        label_names=_label_names(_mapping(payload, "label_mapping")),
    )
    _check_values(checkpoint)
    return checkpoint


def without_training_state(checkpoint: Checkpoint) -> Checkpoint:
    """Return the model alone, a third of the size: to answer and to transfer from, not to resume."""
    return replace(checkpoint, optimizer_state_dict={}, scheduler_state_dict={}, rng_states={}, sampler={}, best=None)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a file, atomically: a reader sees the old file or the whole new one."""
    with replacing(path) as part:
        part.write_bytes(weights.pack(to_payload(checkpoint)))


def load(path: Path) -> Checkpoint:
    """Read a file.

    Raises:
        NotFound: There is no such file.
        ModelInvalid: The file is none of ours, damaged, or expands to more than `MAX_FILE_BYTES`.
    """
    with _naming(path):
        return from_payload(weights.unpack(_read(path)))


def load_model(path: Path, device: str = "cpu") -> TrainedModel:
    """Read a trained network, ready to answer.

    Args:
        path: The file.
        device: Where the network shall live, 'cpu' or 'cuda'.

    Raises:
        NotFound: There is no such file.
        ModelInvalid: The file is none of ours, damaged, or made for other features.
    """
    data = _read(path)
    with _naming(path):
        checkpoint = from_payload(weights.unpack(data))
        if checkpoint.feature_schema not in SCHEMAS:
            raise ModelInvalid(
                f"expected a model for features {' or '.join(SCHEMAS)}, found {checkpoint.feature_schema!s:.40}",
                hint="Train a new one with this version.",
            )
        model = restore_model(checkpoint)
    return TrainedModel(
        model=model.to(device).eval(),
        label_names=checkpoint.label_names,
        feature_schema=checkpoint.feature_schema,
        temperature=checkpoint.temperature,
        train_row_hashes=np.sort(checkpoint.train_row_hashes.numpy()),
        epoch=checkpoint.epoch,
        val_accuracy=checkpoint.val_accuracy,
        sha256=hashlib.sha256(data).hexdigest(),
        name=path.stem,
        val_row_hashes=np.sort(checkpoint.val_row_hashes.numpy()),
        unsure_below=checkpoint.unsure_below,
        not_a_letter_below=checkpoint.not_a_letter_below,
    )


def restore_model(checkpoint: Checkpoint) -> ASLClassifier:
    """Build the network of a checkpoint with its weights, in evaluation mode on the CPU.

    Raises:
        ModelInvalid: The weights are not those of the network that the config describes.
    """
    # First without memory: a config that does not belong to its weights must not make us allocate.
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in build_model(checkpoint.model_config).state_dict().items()}
    found = {name: tensor.shape for name, tensor in checkpoint.model_state_dict.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise ModelInvalid(
            f"expected the weights of the network in its model_config, found others ({len(wrong)}, first {wrong[0]}: "
            f"expected {_shape(expected.get(wrong[0]))}, found {_shape(found.get(wrong[0]))})",
            hint=_HINT,
        )
    model = build_model(checkpoint.model_config)
    model.load_state_dict(dict(checkpoint.model_state_dict))
    return model.eval()


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise NotFound(f"no file at {path}", hint="Check the path; `asl train-model` makes such files.")
    size_bytes = path.stat().st_size
    if size_bytes > MAX_FILE_BYTES:
        raise ModelInvalid(f"{path}: expected at most {MAX_FILE_BYTES:,} bytes, found {size_bytes:,}")
    return path.read_bytes()


def _check_values(checkpoint: Checkpoint) -> None:
    config, n_labels = checkpoint.model_config, len(checkpoint.label_names)
    if config.get("num_classes") != n_labels:
        raise ModelInvalid(f"expected {config.get('num_classes')!r:.40} labels in label_mapping, found {n_labels}")
    _check_input(checkpoint.feature_schema, config.get("input_size"))
    for key in ("train_row_hashes", "val_row_hashes"):
        hashes = getattr(checkpoint, key)
        if not isinstance(hashes, Tensor) or hashes.dtype != torch.int64 or hashes.numel() > MAX_FILE_BYTES // 8:
            raise ModelInvalid(f"expected int64 numbers in {key}, found something else", hint=_HINT)
    for key in ("optimizer_state_dict", "scheduler_state_dict", "rng_states", "sampler", "training_options"):
        _mapping(vars(checkpoint), key)
    if checkpoint.best is not None:
        _mapping(vars(checkpoint), "best")
    if not isinstance(checkpoint.epoch, int) or not isinstance(checkpoint.val_accuracy, float):
        raise ModelInvalid("expected an int as epoch and a float as val_accuracy, found others", hint=_HINT)
    if not isinstance(checkpoint.val_loss, float):
        raise ModelInvalid(f"expected a float as val_loss, found {type(checkpoint.val_loss).__name__}", hint=_HINT)
    _check_confidence(checkpoint)


def _check_input(schema: Any, input_size: Any) -> None:
    if not isinstance(schema, str):
        raise ModelInvalid(f"expected text as feature_schema, found {type(schema).__name__}", hint=_HINT)
    n_features = SCHEMAS.get(schema)
    if n_features and input_size != n_features:
        raise ModelInvalid(f"expected input_size {n_features}, found {input_size!r:.40}")


def _check_confidence(checkpoint: Checkpoint) -> None:
    if not isinstance(checkpoint.temperature, float) or not 0 < checkpoint.temperature < math.inf:
        raise ModelInvalid(f"expected a positive temperature, found {checkpoint.temperature!r:.40}", hint=_HINT)
    for threshold in (checkpoint.unsure_below, checkpoint.not_a_letter_below):
        if not isinstance(threshold, float) or not 0 <= threshold <= 1:
            raise ModelInvalid(f"expected confidences from 0 to 1 as thresholds, found {threshold!r:.40}")


def _label_names(mapping: Mapping[Any, Any]) -> tuple[str, ...]:
    names = tuple(mapping.get(index) for index in range(len(mapping)))
    texts = tuple(name for name in names if isinstance(name, str))
    if not texts or len(set(texts)) < len(names):
        raise ModelInvalid(
            f"expected label_mapping to name indices from 0, each name once, found {mapping!r:.80}", hint=_HINT
        )
    return texts


def _mapping(payload: State, key: str) -> State:
    value = payload[key]
    if not isinstance(value, Mapping) or not all(isinstance(name, str | int) for name in value):
        raise ModelInvalid(f"expected a dict as {key}, found {type(value).__name__}", hint=_HINT)
    return value


def _shape(shape: torch.Size | None) -> str:
    return "none" if shape is None else str(tuple(shape))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except ModelInvalid as error:
        raise ModelInvalid(f"{path}: {error.message}", hint=error.hint) from error
