"""`asl prepare-dataset` and `asl import-landmarks`: photographs, or landmarks found before, to a data set file."""

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from asl.cli import console
from asl.cli.flags import DEFAULT_PREPARATION, JsonFlag, PreparationFlags
from asl.cli.folders import ensure_writable
from asl.contracts import PreparationOptions
from asl.core import dataset as core_dataset
from asl.core import landmarker
from asl.core.advice import Advice, of_dataset, of_hands_found
from asl.core.dataset import Dataset
from asl.core.journal import Journal
from asl.core.landmark_files import read_landmarks
from asl.core.photographs import Listing, list_photographs
from asl.core.preparation import Outcome, Sample, extract_samples, to_dataset, write_skipped
from asl.errors import OptionsInvalid
from asl.infra.settings import load_settings


def prepare_dataset(
    *,
    input_dir: Path,
    output_file: Path,
    groups: Path | None = None,
    resume: bool | None = None,
    threads: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    json: JsonFlag = False,
    options: Annotated[PreparationFlags, Parameter(name="*")] = DEFAULT_PREPARATION,
) -> None:
    """Find the hand in every photograph of a folder and write features with labels (.npz).

    Example: `asl prepare-dataset --input-dir data/asl_alphabet/ --output-file data/asl_features.npz`

    Photographs without a hand and files that cannot be read are left out; a CSV beside the output lists each with its
    reason.

    Args:
        input_dir: Folder with class folders (A/ B/ ...), or with one folder a signer that holds class folders: then
            training keeps signers apart.
        output_file: File to write (.npz).
        groups: CSV with the columns path (relative to the input folder) and group (who signs).
        resume: Go on where a stopped run was, or start anew.
        threads: How many photographs are searched at once; the number of cores where not given.
        json: Print the result as JSON.
        options: How hands are looked for.
    """
    _check_output(output_file)
    listing = list_photographs(input_dir, groups)
    landmarker_path = landmarker.ensure(load_settings().hand_landmarker_path)
    console.mute_native_logs()
    journal_file = output_file.with_name(f"{output_file.name}.unfinished.jsonl")
    with Journal(journal_file, options, resume=resume) as journal:
        samples = _search(listing, options, journal, landmarker_path, threads or os.cpu_count() or 1)
        skipped_file = output_file.with_suffix(".skipped.csv")
        skipped = write_skipped(skipped_file, samples, listing.others)
        dataset = to_dataset(samples)
        core_dataset.save(dataset, output_file)
        journal.remove()
    if json:
        console.print_json(_report(output_file, skipped_file, dataset, samples))
    else:
        console.out.print(_class_table(samples))
        console.err.print(f"{len(dataset):,} rows; {skipped:,} files left out, see {skipped_file}", markup=False)
        if dataset.groups:
            console.err.print(f"groups: {', '.join(dataset.groups)}", markup=False)
        console.print_advice(_advice(dataset, samples))
    console.print_made(output_file, "asl", "train-model", "--data-file", output_file)


def import_landmarks(
    files: Annotated[list[Path], Parameter(negative=())],
    *,
    output_file: Path,
    group_by: Literal["file", "original"] = "file",
    json: JsonFlag = False,
) -> None:
    """Make a data set (.npz) of landmarks that MediaPipe found before.

    Example: `asl import-landmarks landmarks/*.npz --output-file data/seven.npz`

    Args:
        files: Files (.npz) with the arrays landmarks (n, 21, 3), labels (letters) and handedness (Left, Right).
        output_file: File to write (.npz).
        group_by: What is a group (a signer or source): each file, or each value of the array `original`.
        json: Print the result as JSON.
    """
    _check_output(output_file)
    dataset = core_dataset.concatenate([read_landmarks(path, group_by) for path in files])
    core_dataset.save(dataset, output_file)
    counts = Counter(str(name) for name in dataset.group)
    if json:
        console.print_json({"output_file": str(output_file.resolve()), "rows": len(dataset), "groups": counts})
    else:
        table = Table("group", "rows", "letters")
        for name in dataset.groups:
            letters = sorted(set(dataset.letters[dataset.group == name].tolist()))
            table.add_row(name, f"{counts[name]:,}", "".join(letters))
        console.out.print(table)
        console.print_advice(of_dataset(dataset))
    console.print_made(output_file, "asl", "cross-validate", "--data-file", output_file, "--by", "group")


def _check_output(path: Path) -> None:
    if path.suffix != ".npz" or path.is_dir():
        raise OptionsInvalid(f"expected a file that ends in .npz as --output-file, found {path}")
    ensure_writable(path.parent, "--output-file")


def _search(
    listing: Listing, options: PreparationOptions, journal: Journal, landmarker_path: Path, n_threads: int
) -> list[Sample]:
    done = {photo.name: samples for photo in listing.photographs if (samples := journal.samples_of(photo))}
    todo = [photo for photo in listing.photographs if photo.name not in done]
    if done:
        console.err.print(f"going on: {len(done):,} of {len(listing.photographs):,} photographs are done")
    with console.progress() as bar:
        task = bar.add_task("photographs", total=len(listing.photographs), completed=len(done), note="")
        for samples in extract_samples(todo, options, landmarker_path, n_threads):
            journal.append(samples)
            done[samples[0].photograph.name] = samples
            bar.update(task, advance=1, note=samples[0].photograph.label)
    return list(itertools.chain.from_iterable(done[photo.name] for photo in listing.photographs))


def _class_counts(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for sample in samples:
        row = counts.setdefault(sample.photograph.label, dict.fromkeys(_COLUMNS, 0))
        row["rows"] += sample.hand is not None
        if sample.copy == 0:
            row["images"] += 1
            row[sample.outcome] += 1
            row["found_at_second_try"] += sample.hand is not None and sample.hand.border > 0
    return dict(sorted(counts.items()))


_COLUMNS = ("images", Outcome.FOUND, "found_at_second_try", Outcome.NO_HAND, Outcome.UNREADABLE, "rows")


def _class_table(samples: Sequence[Sample]) -> Table:
    counts = _class_counts(samples)
    table = Table("class", *(column.replace("_", " ") for column in _COLUMNS), show_footer=True)
    totals = [sum(row[column] for row in counts.values()) for column in _COLUMNS]
    table.columns[0].footer = "all"
    for column, total in zip(table.columns[1:], totals, strict=True):
        column.footer, column.justify = f"{total:,}", "right"
    for label, row in counts.items():
        table.add_row(label, *(f"{row[column]:,}" for column in _COLUMNS))
    return table


def _report(output_file: Path, skipped_file: Path, dataset: Dataset, samples: Sequence[Sample]) -> dict[str, object]:
    return {
        "output_file": str(output_file.resolve()),
        "skipped_file": str(skipped_file.resolve()),
        "rows": len(dataset),
        "groups": list(dataset.groups),
        "classes": _class_counts(samples),
        "advice": [entry.as_dict() for entry in _advice(dataset, samples)],
    }


def _advice(dataset: Dataset, samples: Sequence[Sample]) -> tuple[Advice, ...]:
    counts = {label: (row["images"], row[Outcome.FOUND]) for label, row in _class_counts(samples).items()}
    return (*of_hands_found(counts), *of_dataset(dataset))
