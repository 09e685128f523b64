"""Photographs of a data set's version to features: whole, as one of several parts, or the parts put together."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from asl.contracts import JobKind, PreparationOptions, Progress
from asl.core import dataset as core_dataset
from asl.core import landmarker
from asl.core.advice import of_dataset, of_hands_found
from asl.core.dataset import Dataset
from asl.core.preparation import Outcome as Found
from asl.core.preparation import Sample, extract_samples, to_dataset, write_skipped
from asl.errors import Conflict
from asl.infra import tables
from asl.pipelines.context import Context, Outcome
from asl.pipelines.files import sha256_of
from asl.pipelines.manifest import Line, fetched, read_lines
from asl.pipelines.requests import check_stopping
from asl.pipelines.sources import FEATURES_FILE, fetch_artifact

SKIPPED_FILE: Final = "skipped.csv"
PART_FILE: Final = "part.npz"
SAMPLES_FILE: Final = "samples.jsonl"

_UNIT: Final = "photographs"


def run(context: Context) -> Outcome:
    """Make `features.npz` and `skipped.csv`, of the photographs or of the parts that others have made of them.

    Raises:
        NotFound: The data set's version, or a photograph of it, is there no more.
        DatasetInvalid: No hand was found at all.
        Unavailable: The store cannot be reached, or gives other bytes; or there is no landmarker.
        Stopped: The job was told to stop.
    """
    lines = read_lines(context)
    if context.claim.n_shards:
        samples, data = _merged(context, lines)
    else:
        samples = _searched(context, lines)
        data = to_dataset(samples)
    skipped, features = context.folder / SKIPPED_FILE, context.folder / FEATURES_FILE
    write_skipped(skipped, samples)
    core_dataset.save(data, features)
    return Outcome(
        {**_counts(samples, data), "features_sha256": sha256_of(features)},
        {FEATURES_FILE: features, SKIPPED_FILE: skipped},
        {"outcomes": _ids_by_outcome(lines, samples)},
    )


def run_shard(context: Context) -> Outcome:
    """Make `part.npz`, where there is a hand at all, and `samples.jsonl` of one part of the photographs.

    Raises:
        NotFound, Unavailable, Stopped: As `run`.
    """
    lines = read_lines(context)
    samples = _searched(context, lines)
    listed = context.folder / SAMPLES_FILE
    listed.write_text("".join(_jsonl(lines, samples)), encoding="utf-8")
    files = {SAMPLES_FILE: listed}
    n_rows = sum(sample.outcome is Found.FOUND for sample in samples)
    if n_rows:
        files[PART_FILE] = context.folder / PART_FILE
        core_dataset.save(to_dataset(samples), files[PART_FILE])
    return Outcome({"n_samples": len(lines), "n_rows": n_rows}, files)


def _searched(context: Context, lines: Sequence[Line]) -> list[Sample]:
    options = PreparationOptions.model_validate(context.claim.request["options"])
    model = landmarker.ensure(context.settings.hand_landmarker_path)
    # A worker that takes several jobs at once keeps its cores busy with them.
    n_threads = 1 if context.settings.worker_slots > 1 else os.cpu_count() or 1
    samples: list[Sample] = []
    context.tell_progress(Progress(total=len(lines), unit=_UNIT))
    with (
        fetched(context, lines) as photographs,
        closing(extract_samples(photographs, options, model, n_threads)) as found,
    ):
        for done, of_one in enumerate(found, start=1):
            check_stopping(context)
            of_one[0].photograph.path.unlink(missing_ok=True)
            samples += of_one
            context.tell_progress(Progress(done=done, total=len(lines), unit=_UNIT))
    return samples


def _merged(context: Context, lines: Sequence[Line]) -> tuple[list[Sample], Dataset]:
    """Put the parts together, in their order, so that it is as if there had been none."""
    line_of = {line.id: line for line in lines}
    samples: list[Sample] = []
    parts: list[Dataset] = []
    shards = _shards(context)
    for done, (job_id, has_rows) in enumerate(shards, start=1):
        check_stopping(context)
        listed = context.folder / f"{job_id}.jsonl"
        fetch_artifact(context, job_id, SAMPLES_FILE, listed)
        with listed.open(encoding="utf-8") as file:
            samples += [_sample(line_of, json.loads(text)) for text in file]
        if has_rows:
            path = context.folder / f"{job_id}.npz"
            fetch_artifact(context, job_id, PART_FILE, path)
            parts.append(core_dataset.load(path))
        context.tell_progress(Progress(done=done, total=len(shards), unit="parts"))
    if len({sample.photograph.original for sample in samples}) != len(lines):
        raise Conflict(f"expected parts of all {len(lines):,} photographs, found others", hint="Submit the job again.")
    return samples, core_dataset.concatenate(parts) if parts else to_dataset(
        samples
    )  # which says that there is no hand


def _shards(context: Context) -> list[tuple[str, bool]]:
    """Return the parts' jobs in their order, and whether each has rows."""
    is_part = (tables.Job.parent_id == context.claim.job_id) & (tables.Job.kind == JobKind.EXTRACTION_SHARD)
    with context.database.reading() as session:
        jobs = session.scalars(select(tables.Job).where(is_part).order_by(tables.Job.shard)).all()
    if [job.shard for job in jobs] != list(range(context.claim.n_shards)):
        raise Conflict(
            f"expected {context.claim.n_shards} parts, found {len(jobs)}", hint="Submit the extraction again."
        )
    return [(job.id, bool(job.result and job.result["n_rows"])) for job in jobs]


def _jsonl(lines: Sequence[Line], samples: Sequence[Sample]) -> Iterator[str]:
    id_of = {line.sha256: line.id for line in lines}
    for sample in samples:
        told = {"copy": sample.copy, "state": sample.outcome, "detail": sample.detail}
        yield json.dumps({"id": id_of[sample.photograph.original], **told}, ensure_ascii=False) + "\n"


def _sample(line_of: Mapping[str, Line], told: Mapping[str, Any]) -> Sample:
    photograph = line_of[told["id"]].to_photograph(Path())
    return Sample(photograph, told["copy"], Found(told["state"]), told["detail"])


def _counts(samples: Sequence[Sample], data: Dataset) -> dict[str, Any]:
    classes: dict[str, dict[str, int]] = {}
    for sample in samples:
        row = classes.setdefault(sample.photograph.label, dict.fromkeys(("images", *Found, "rows"), 0))
        row["rows"] += sample.outcome is Found.FOUND
        row["images"] += sample.copy == 0
        row[sample.outcome] += sample.copy == 0
    outcomes = Counter(sample.outcome for sample in samples if sample.copy == 0)
    found = {label: (row["images"], row[Found.FOUND]) for label, row in classes.items()}
    return {
        "n_samples": outcomes.total(),
        "n_rows": len(data),
        "n_no_hand": outcomes[Found.NO_HAND],
        "n_unreadable": outcomes[Found.UNREADABLE],
        "groups": list(data.groups),
        "classes": dict(sorted(classes.items())),
        "advice": [entry.as_dict() for entry in (*of_hands_found(found), *of_dataset(data))],
    }


def _ids_by_outcome(lines: Sequence[Line], samples: Sequence[Sample]) -> dict[str, list[str]]:
    id_of = {line.sha256: line.id for line in lines}
    ids: dict[str, list[str]] = {}
    for sample in samples:
        if sample.copy == 0:
            ids.setdefault(str(sample.outcome), []).append(id_of[sample.photograph.original])
    return ids
