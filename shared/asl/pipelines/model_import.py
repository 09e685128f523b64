"""An uploaded model file, which may be anything, to a registered model.

The process that does this has only so much memory more than it needs anyway: a small file can expand to any size.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from asl.contracts import ModelSource
from asl.core.checkpoint import TrainedModel, load_model
from asl.core.classifier import Classifier
from asl.errors import ModelInvalid
from asl.pipelines.context import Context, Outcome
from asl.pipelines.sources import MODEL_FILE, lineage_of

_FREE_BYTES: Final = 512 * 2**20
"""What any file may take, for the buffers of the libraries that read it."""
_BYTES_PER_BYTE: Final = 4
"""What a byte of the file may take besides: read, unpacked, copied into the network, and checked."""
_STATUS: Final = Path("/proc/self/statm")


def run(context: Context) -> Outcome:
    """Check a file, and keep it as a model if it is one.

    Raises:
        NotFound: The file is not there.
        ModelInvalid: It is no model of ours, is damaged, holds code, or expands to too much.
        Unavailable: The store cannot be reached, or gives other bytes.
    """
    request = context.claim.request
    path = context.folder / MODEL_FILE
    context.storage.get(request["key"], path, sha256=request["sha256"])
    trained, classifier = load_untrusted(path)
    metrics = {
        "epoch": trained.epoch,
        "val_accuracy": trained.val_accuracy if math.isfinite(trained.val_accuracy) else None,
        "temperature": trained.temperature,
    }
    return Outcome(
        {
            "name": request.get("name"),
            "version": classifier.version,
            "sha256": trained.sha256,
            "label_names": list(classifier.label_names),
            **metrics,
        },
        {MODEL_FILE: path},
        {
            "model": {
                "artifact": MODEL_FILE,
                "source": ModelSource.IMPORT,
                "label_names": list(classifier.label_names),
                "version": classifier.version,
                "metrics": metrics,
                "lineage": lineage_of(context).model_dump(mode="json"),
            }
        },
    )


def load_untrusted(path: Path) -> tuple[TrainedModel, Classifier]:
    """Load a model with little memory and have it read a hand.

    Raises:
        ModelInvalid: It cannot be loaded, cannot answer, or takes more memory than allowed.
    """
    try:
        with memory_limit(_FREE_BYTES + _BYTES_PER_BYTE * path.stat().st_size):
            trained = load_model(path)
            classifier = Classifier(trained)
            classifier.try_out()
    except MemoryError as error:
        raise _too_large(path) from error
    except ModelInvalid as error:
        if _was_out_of_memory(error):
            raise _too_large(path) from error
        raise
    return trained, classifier


@contextmanager
def memory_limit(extra_bytes: int) -> Iterator[None]:
    """Let this process take only so much more memory for a while, where the system can (Linux)."""
    if not _STATUS.exists():
        yield
        return
    import resource  # noqa: PLC0415 # only where there is one

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each thread more would reserve memory, and OpenMP ends the process where it cannot
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(_STATUS.read_text().split()[0]) * resource.getpagesize() + extra_bytes
    limits = [value for value in (limit, soft, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        torch.set_num_threads(n_threads)


def _was_out_of_memory(error: BaseException) -> bool:
    """Tell whether the core met a lack of memory; of PyTorch that is a RuntimeError like any other."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or "allocate memory" in str(cause):
            return True
        cause = cause.__cause__
    return False


def _too_large(path: Path) -> ModelInvalid:
    return ModelInvalid(
        f"expected a model, found a file of {path.stat().st_size:,} bytes that expands to more memory than allowed",
        hint="Import the file as `asl train-model` or a training job wrote it.",
    )
