"""The tables of the starter's model card, out of the reports of `asl cross-validate`."""

from collections.abc import Collection, Sequence
from statistics import fmean
from typing import Any, Final

Report = dict[str, Any]

STARTER: Final = "as the starter"
_BETWEEN: Final = "between two letters"


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
        "named": _named(starter),
    }


def _accuracies(reports: dict[str, Report], chosen_on: Collection[str]) -> str:
    columns = [name for name in ("plain", "augmented", "+ more", "+ geometry") if name in reports]
    by_source = {name: {group["group"]: group for group in report["groups"]} for name, report in reports.items()}
    rows = []
    for source in by_source[STARTER]:
        groups = [by_source[column][source] for column in columns]
        starter = by_source[STARTER][source]
        cells = [_spread(group) for group in groups] + [_share(starter["still_accuracy"]), _spread(starter)]
        rows.append([source + ("" if source in chosen_on else " *"), *cells])
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
    rows, numbers = [], []
    for entry in report["refusals"]:
        named = fmean(share for name, share in entry["refused"].items() if name != _BETWEEN)
        between = entry["refused"][_BETWEEN]
        numbers.append([entry["kept"], entry["right_of_kept"], named, between, (named + between) / 2])
        rows.append([entry["group"], *map(_share, numbers[-1])])
    rows.append(["**mean**", *(_share(fmean(column)) for column in zip(*numbers, strict=True))])
    heads = ["source", "letters kept", "of these right", "named shapes refused", "half-way hands refused", "both"]
    return _table(heads, rows)


def _named(report: Report) -> str:
    refused = [entry["refused"] for entry in report["refusals"]]
    shares = {name: fmean(entry[name] for entry in refused) for name in refused[0] if name != _BETWEEN}
    return ", ".join(f"{name} {_share(share)}" for name, share in sorted(shares.items(), key=lambda item: item[1]))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(group: dict[str, Any]) -> str:
    return f"{_share(group['accuracy'])} ± {_share(group['accuracy_spread'])}"


def _share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
