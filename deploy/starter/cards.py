"""The tables of the starter's model card, out of the reports of `asl cross-validate`."""

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any, Final

from photographs import Counts, accuracies
from second_looks import HEADS, Reading, figures

from asl.core.hand import LETTERS
from asl.core.non_letters import BETWEEN_LETTERS
from asl.core.synthetic.shapes import LEARNED, NAMED

Report = dict[str, Any]

STARTER: Final = "as the starter"
_N_RARELY_FOUND: Final = 8


def tables(reports: dict[str, Report], chosen_on: Collection[str]) -> dict[str, str]:
    """Write all tables.

    Args:
        reports: Of each column, `STARTER` among them.
        chosen_on: Sources on which settings were chosen; the others get a star.

    Returns:
        Each table's text, by the name of its place in the card.
    """
    starter = reports[STARTER]
    return {
        "table": _accuracies(reports, chosen_on),
        "letters": _letters(starter),
        "calibration": _calibration(starter),
        "refusals": _refusals(starter),
        "learned": _named(starter, LEARNED),
        "never_drawn": _named(starter, [name for name in NAMED if name not in LEARNED]),
    }


def photograph_tables(counts: Counts, report: Report, chosen_on: Collection[str]) -> dict[str, str]:
    """Write the tables of hands found in photographs, and of letters read where one not found is an error.

    Args:
        counts: See `photographs.count`.
        report: Of models as the starter is.
        chosen_on: Sources on which settings were chosen; the others get a star.

    Returns:
        Each table's text, by the name of its place in the card.
    """
    numbers = accuracies(counts, report)
    rows = [[_starred(str(row[0]), chosen_on), *(_share(float(value)) for value in row[1:])] for row in numbers]
    columns = list(zip(*numbers, strict=True))[1:]
    rows.append(["**mean**", *(_share(fmean(map(float, column))) for column in columns)])
    heads = ["source", "hand found", "read right of these", "of all photographs", "of all, A-Z"]
    found = {
        letter: fmean(counts.found([source], [letter]) for source in counts.with_letter(letter)) for letter in LETTERS
    }
    rarely = sorted(found.items(), key=lambda item: item[1])[:_N_RARELY_FOUND]
    return {
        "photographs": _table(heads, rows),
        "rarely_found": ", ".join(f"{letter} {_share(share)}" for letter, share in rarely),
    }


def second_look_table(read_of: Mapping[str, tuple[int, list[Reading]]], chosen_on: Collection[str]) -> str:
    """Write the table of photographs read at one look and as they are served, the worst source first.

    Args:
        read_of: What `second_looks.read` returned of each source.
        chosen_on: Sources on which settings were chosen; the others get a star.
    """
    numbers = {_starred(source, chosen_on): figures(*counted) for source, counted in read_of.items()}
    rows = [[name, *map(_share, line)] for name, line in sorted(numbers.items(), key=lambda item: item[1][0])]
    rows.append(["**mean**", *(_share(fmean(column)) for column in zip(*numbers.values(), strict=True))])
    return _table(HEADS, rows)


def _accuracies(reports: dict[str, Report], chosen_on: Collection[str]) -> str:
    columns = [name for name in ("plain", "augmented", "+ more", "+ geometry") if name in reports]
    by_source = {name: {group["group"]: group for group in report["groups"]} for name, report in reports.items()}
    rows = []
    for source in by_source[STARTER]:
        groups = [by_source[column][source] for column in columns]
        starter = by_source[STARTER][source]
        cells = [_spread(group) for group in groups] + [_share(starter["still_accuracy"]), _spread(starter)]
        rows.append([_starred(source, chosen_on), *cells])
    starter = reports[STARTER]
    means = [reports[column]["mean_accuracy"] for column in columns]
    means += [starter["mean_still_accuracy"], starter["mean_accuracy"]]
    rows.append(["**mean**", *map(_share, means)])
    return _table(["source", *columns, f"{STARTER}, without J Z", f"{STARTER}, A-Z"], rows)


def _letters(report: Report) -> str:
    rows = [
        [entry["letter"], _share(entry["accuracy"]), str(entry["n_groups"]), entry["taken_for"] or "-"]
        for entry in report["letters"]
    ]
    return _table(["letter", "read right", "sources", "most often taken for"], rows)


def _calibration(report: Report) -> str:
    pairs = [(group["calibration_error"], group["tempered_calibration_error"]) for group in report["groups"]]
    rows = [[group["group"], *map(_share, pair)] for group, pair in zip(report["groups"], pairs, strict=True)]
    rows.append(["**mean**", *(_share(fmean(column)) for column in zip(*pairs, strict=True))])
    return _table(["source", "before", "after"], rows)


def _refusals(report: Report) -> str:
    never = [name for name in NAMED if name not in LEARNED]
    rows, numbers = [], []
    for entry in report["refusals"]:
        refused = entry["refused"]
        shapes = [fmean(refused[name] for name in names) for names in (LEARNED, never, [BETWEEN_LETTERS])]
        numbers.append([entry["kept"], entry["right_of_kept"], *shapes])
        rows.append([entry["group"], *map(_share, numbers[-1])])
    rows.append(["**mean**", *(_share(fmean(column)) for column in zip(*numbers, strict=True))])
    heads = ["shapes drawn in training refused", "shapes never drawn refused", "half-way hands refused"]
    return _table(["source", "letters kept", "of these right", *heads], rows)


def _named(report: Report, names: Collection[str]) -> str:
    refused = [entry["refused"] for entry in report["refusals"]]
    shares = {name: fmean(entry[name] for entry in refused) for name in names}
    return ", ".join(f"{name} {_share(share)}" for name, share in sorted(shares.items(), key=lambda item: item[1]))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _starred(source: str, chosen_on: Collection[str]) -> str:
    return source if source in chosen_on else f"{source} *"


def _spread(group: dict[str, Any]) -> str:
    return f"{_share(group['accuracy'])} ± {_share(group['accuracy_spread'])}"


def _share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
