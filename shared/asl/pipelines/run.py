"""A job to what it has come to: the pipeline of its kind, with running out of memory told as ours."""

from collections.abc import Callable, Mapping
from typing import Final

import torch

from asl.contracts import JobKind
from asl.errors import OutOfMemory
from asl.pipelines import export, extraction, model_import, probe, training
from asl.pipelines.context import Context, Outcome


def _evaluate(context: Context) -> Outcome:
    # Here: scikit-learn takes a third of all that workers import before they can start, and no other job needs it.
    from asl.pipelines import evaluation  # noqa: PLC0415

    return evaluation.run(context)


def _tune(context: Context) -> Outcome:
    # Here: as for evaluations, and Optuna beside it.
    from asl.pipelines import tuning  # noqa: PLC0415

    return tuning.run(context)


_PIPELINES: Final[Mapping[JobKind, Callable[[Context], Outcome]]] = {
    JobKind.EXTRACTION: extraction.run,
    JobKind.EXTRACTION_SHARD: extraction.run_shard,
    JobKind.TRAINING: training.run,
    JobKind.TUNING: _tune,
    JobKind.EVALUATION: _evaluate,
    JobKind.EXPORT: export.run,
    JobKind.MODEL_IMPORT: model_import.run,
    JobKind.PROBE: probe.run,
}


def run(context: Context) -> Outcome:
    """Do a job.

    Args:
        context: The job, and what it may use.

    Raises:
        Stopped: It was told to stop, and what it had done is noted as far as it can be.
        OutOfMemory: There was too little memory.
        AslError: It cannot be done; see the pipelines.
    """
    try:
        return _PIPELINES[context.claim.kind](context)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory(
            f"the {context.claim.kind} ran out of memory",
            hint="Run it on a machine with more memory, or with less data or a smaller network.",
        ) from error
