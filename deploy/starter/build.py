"""Train the starter model with the project's own commands, and write its card: `make starter`."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from asl.core import checkpoint as checkpoints

_HERE: Final = Path(__file__).parent
_ASSETS: Final = _HERE.parents[1] / "shared" / "asl" / "assets"
_RECIPE: Final = _HERE / "recipe.json"
_BUILD: Final = _HERE.parents[1] / "build" / "starter"
_CHOSEN_ON: Final = frozenset({"clean", "collection", "frames", "normalised"})
"""Sources on which settings were chosen."""
_N_SEEDS: Final = 3
_N_TEST_ROWS: Final = 40
"""Of each letter and source."""
_MAX_BYTES: Final = 1_000_000
_N_AT_ONCE: Final = 2
"""Cross-validations at once, each on one core."""
_STILL: Final = ("--exclude-labels", "J", "Z", "--non-letter-share", 0)
_BEFORE: Final = (*_STILL, "--feature-schema", "asl84-v1", "--no-normalise-input")
_PLAIN: Final = (*_BEFORE, "--no-augment")


def main(data: Path) -> None:
    """Build everything from the landmark files under a folder."""
    sources, more = _BUILD / "sources.npz", _BUILD / "more.npz"
    _asl("import-landmarks", *sorted(data.glob("landmarks/*.npz")), "--output-file", sources)
    extra = sorted(data.glob("landmarks_train_only/*.npz"))
    _asl("import-landmarks", *extra, "--group-by", "original", "--output-file", more)
    with ThreadPoolExecutor(_N_AT_ONCE) as pool:
        columns = {"as the starter": (), "+ geometry": _STILL, "plain": _PLAIN, "augmented": _BEFORE, "+ more": _BEFORE}
        running = {
            name: pool.submit(_cross_validate, sources, more if name not in {"plain", "augmented"} else None, *options)
            for name, options in columns.items()
        }
        reports = {name: report.result() for name, report in running.items()}
    (_BUILD / "reports.json").write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    starter = reports["as the starter"]
    fitted = [
        word
        for name in ("temperature", "unsure_below", "not_a_letter_below")
        for word in (f"--{name.replace('_', '-')}", round(starter[name], 3))
    ]
    options = ("--config", _RECIPE, "--val-split", 0, *fitted, "--device", "cpu")
    _asl("train-model", "--data-file", sources, more, *options, "--output-dir", _BUILD / "model")
    _publish(_BUILD / "model" / "final_model.pt", reports)


def _cross_validate(sources: Path, more: Path | None, *options: object) -> dict[str, Any]:
    caps = ("--test-rows-per-class", _N_TEST_ROWS, "--seeds", _N_SEEDS, "--device", "cpu")
    extra = ("--train-only-file", more) if more else ()
    report: dict[str, Any] = _asl(
        "cross-validate", "--data-file", sources, "--config", _RECIPE, *caps, *extra, *options
    )
    return report


def _asl(*words: object) -> Any:
    command = [sys.executable, "-m", "asl.cli.main", *map(str, words), "--json"]
    sys.stderr.write(f"asl {' '.join(command[3:])}\n")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _publish(model: Path, reports: dict[str, dict[str, Any]]) -> None:
    starter = _ASSETS / "starter.pt"
    checkpoints.save(checkpoints.without_training_state(checkpoints.load(model)), starter)
    size_bytes = starter.stat().st_size
    if size_bytes > _MAX_BYTES:
        raise SystemExit(f"expected a starter model of at most {_MAX_BYTES:,} bytes, found {size_bytes:,}")
    trained = checkpoints.load_model(starter)
    options = json.loads((model.parent / "config.json").read_text(encoding="utf-8"))
    card = (_HERE / "card.md").read_text(encoding="utf-8")
    text = card.format(
        **options["options"],
        size_bytes=size_bytes,
        n_train=options["split"]["n_train"],
        sha256=trained.sha256,
        n_seeds=_N_SEEDS,
        n_test_rows=_N_TEST_ROWS,
        table=_table(reports),
        calibration=_calibration(reports["as the starter"]),
    )
    (_ASSETS / "starter.md").write_text(text, encoding="utf-8")


def _table(reports: dict[str, dict[str, Any]]) -> str:
    names = [group["group"] for group in reports["as the starter"]["groups"]]
    by_source = {name: {group["group"]: group for group in report["groups"]} for name, report in reports.items()}
    rows = [
        "| source | plain | augmented | + more | as the starter, without J Z | as the starter, A-Z |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        cells = [by_source[column][name]["accuracy"] for column in ("plain", "augmented", "+ more")]
        starter = by_source["as the starter"][name]
        rows.append(
            _row(name + ("" if name in _CHOSEN_ON else " *"), [*cells, starter["still_accuracy"], starter["accuracy"]])
        )
    means = [reports[column]["mean_accuracy"] for column in ("plain", "augmented", "+ more")]
    starter = reports["as the starter"]
    return "\n".join([*rows, _row("**mean**", [*means, starter["mean_still_accuracy"], starter["mean_accuracy"]])])


def _calibration(report: dict[str, Any]) -> str:
    groups = report["groups"]
    rows = [[group["calibration_error"], group["tempered_calibration_error"]] for group in groups]
    lines = ["| source | before | after |", "|---|---|---|"]
    lines += [_row(group["group"], row) for group, row in zip(groups, rows, strict=True)]
    means = [sum(column) / len(column) for column in zip(*rows, strict=True)]
    return "\n".join([*lines, _row("**mean**", means)])


def _row(name: str, values: list[float]) -> str:
    return f"| {name} | " + " | ".join(f"{value:.3f}".removeprefix("0") for value in values) + " |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
