"""Train the starter model with the project's own commands, and write its card: `make starter`."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import cards
import numpy as np
import photographs
import second_looks

from asl.core import checkpoint as checkpoints
from asl.core.hand import LETTERS, MOTION_LETTERS
from asl.core.synthetic.shapes import LEARNED, NAMED, as_found
from asl.core.synthetic.signers import sample_landmarks
from asl.core.synthetic.variants import FORMS, HANGING, sample_form, sample_hanging, sample_turned

_HERE: Final = Path(__file__).parent
_ASSETS: Final = _HERE.parents[1] / "shared" / "asl" / "assets"
_RECIPE: Final = _HERE / "recipe.json"
_BUILD: Final = _HERE.parents[1] / "build" / "starter"
_CHOSEN_ON: Final = frozenset({"clean", "collection", "frames", "normalised"})
"""Sources on which settings were chosen."""
_N_SEEDS: Final = 3
_N_COMPARED_SEEDS: Final = 2
"""Of the columns that the starter is compared with."""
_N_TEST_ROWS: Final = 40
"""Of each letter and source."""
_SEEDS: Final = (42, 43)
"""Of the models that read the photographs of a source that they never saw."""
_TRAINED: Final = "final_model.pt"
_MAX_BYTES: Final = 1_000_000
_N_AT_ONCE: Final = 2
"""Cross-validations at once, each on one core."""
N_DRAWN: Final = 20
"""Hands of each letter in a form or from a view that most sources lack."""
N_HANGING: Final = 60
"""Hands each of M and N with the fingers hanging down."""
N_USUAL: Final = 10
"""Hands of each letter in its usual form."""
N_TURNED: Final = 30
"""Hands of each letter in its usual form, seen from further around."""
_DRAWING_SEED: Final = 4
_STILL: Final = ("--exclude-labels", "J", "Z", "--non-letter-share", 0)
_BEFORE: Final = (*_STILL, "--feature-schema", "asl84-v1", "--no-normalise-input")
_PLAIN: Final = (*_BEFORE, "--no-augment")


def main(data: Path) -> None:
    """Build everything from the landmark files under a folder."""
    sources, more = _BUILD / "sources.npz", _BUILD / "more.npz"
    _asl("import-landmarks", *sorted(data.glob("landmarks/*.npz")), "--output-file", sources)
    extra = sorted(data.glob("landmarks_train_only/*.npz"))
    _asl("import-landmarks", *extra, "--group-by", "original", "--output-file", more)
    drawn = draw_forms(_BUILD / "drawn.npz")
    columns: dict[str, tuple[tuple[Path, ...], tuple[object, ...]]] = {
        cards.STARTER: ((more, drawn), ()),
        "+ geometry": ((more,), _STILL),
        "+ more": ((more,), _BEFORE),
        "augmented": ((), _BEFORE),
        "plain": ((), _PLAIN),
    }
    with ThreadPoolExecutor(_N_AT_ONCE) as pool:
        running = {
            name: pool.submit(_cross_validate, sources, extra, _n_seeds(name), options)
            for name, (extra, options) in columns.items()
        }
        reports = {name: report.result() for name, report in running.items()}
    counts = _search_photographs(data / "images")
    tables = cards.photograph_tables(counts, reports[cards.STARTER], _CHOSEN_ON) | _false_hands(data / "negatives")
    (_BUILD / "reports.json").write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    starter = reports[cards.STARTER]
    fitted: list[object] = [
        word
        for name in ("temperature", "unsure_below", "not_a_letter_below")
        for word in (f"--{name.replace('_', '-')}", round(starter[name], 3))
    ]
    tables["second_looks"] = _look_twice(data, counts.sources, (more, drawn), fitted)
    _train((sources, more, drawn), fitted, _BUILD / "model")
    _publish(_BUILD / "model" / _TRAINED, tables | cards.tables(reports, _CHOSEN_ON))


def draw_forms(path: Path) -> Path:
    """Draw letters in forms and from views that most sources lack, and a few of each in its usual form."""
    rng = np.random.default_rng(_DRAWING_SEED)
    hands = [(letter, sample_form(letter, N_DRAWN, rng)) for letter in FORMS]
    hands += [(letter, sample_hanging(letter, N_HANGING, rng)) for letter in HANGING]
    still = [letter for letter in LETTERS if letter not in MOTION_LETTERS]
    hands += [(letter, as_found([sample_landmarks(letter, rng) for _ in range(N_USUAL)], rng)) for letter in still]
    hands += [(letter, sample_turned(letter, N_TURNED, rng)) for letter in still]
    labels = np.concatenate([np.full(len(part), letter) for letter, part in hands])
    ones = np.ones(len(labels), np.int32)
    found = path.with_name("drawn_landmarks.npz")
    np.savez(
        found,
        landmarks=np.concatenate([part for _, part in hands]),
        labels=labels,
        handedness=np.full(len(ones), "Right"),
        image_width=ones,
        image_height=ones,
    )
    _asl("import-landmarks", found, "--output-file", path)
    return path


def _n_seeds(column: str) -> int:
    return _N_SEEDS if column == cards.STARTER else _N_COMPARED_SEEDS


def _cross_validate(
    sources: Path, extra: tuple[Path, ...], n_seeds: int, options: tuple[object, ...]
) -> dict[str, Any]:
    caps = ("--test-rows-per-class", _N_TEST_ROWS, "--seeds", n_seeds, "--device", "cpu")
    more = ("--train-only-file", *extra) if extra else ()
    report: dict[str, Any] = _asl("cross-validate", "--data-file", sources, "--config", _RECIPE, *caps, *more, *options)
    return report


def _search_photographs(folder: Path) -> photographs.Counts:
    found = _BUILD / "photographs.npz"
    _asl("prepare-dataset", "--input-dir", folder, "--output-file", found)
    return photographs.count(folder, found.with_suffix(".skipped.csv"))


def _false_hands(folder: Path) -> dict[str, str]:
    drawn, found, n_photographs = photographs.false_hands(folder)
    names = ("n_false", "n_empty", "n_false_photographs", "n_empty_photographs")
    return dict(zip(names, map(str, (drawn, photographs.N_EMPTY, found, n_photographs)), strict=True))


def _look_twice(data: Path, sources: list[str], always: tuple[Path, ...], fitted: list[object]) -> str:
    """Read the photographs of each source with models as the starter is that were trained without it."""
    read_of = {}
    for source in sources:
        without = _BUILD / f"without_{source}.npz"
        others = [path for path in sorted(data.glob("landmarks/*.npz")) if path.stem != source]
        _asl("import-landmarks", *others, "--output-file", without)
        folders = [_BUILD / f"without_{source}_{seed}" for seed in _SEEDS]
        for seed, folder in zip(_SEEDS, folders, strict=True):
            _train((without, *always), [*fitted, "--seed", seed], folder)
        read_of[source] = second_looks.read(data / "images" / source, [folder / _TRAINED for folder in folders])
    return cards.second_look_table(read_of, _CHOSEN_ON)


def _train(data: tuple[Path, ...], options: list[object], folder: Path) -> None:
    always = ("--config", _RECIPE, "--val-split", 0, "--device", "cpu")
    _asl("train-model", "--data-file", *data, *always, *options, "--output-dir", folder)


def _asl(*words: object) -> Any:
    command = [sys.executable, "-m", "asl.cli.main", *map(str, words), "--json"]
    sys.stderr.write(f"asl {' '.join(command[3:])}\n")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _publish(model: Path, tables: dict[str, str]) -> None:
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
        n_compared_seeds=_N_COMPARED_SEEDS,
        n_test_rows=_N_TEST_ROWS,
        n_drawn=N_DRAWN,
        n_hanging=N_HANGING,
        n_usual=N_USUAL,
        n_turned=N_TURNED,
        n_named=len(NAMED),
        n_learned=len(LEARNED),
        **tables,
    )
    (_ASSETS / "starter.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
