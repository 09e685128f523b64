"""A folder of labelled photographs: which files there are, what each shows and who signs."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from asl.core.dataset import label_of
from asl.core.images import SUFFIXES
from asl.errors import DatasetInvalid, NotFound

_HIDDEN: Final = (".", "__MACOSX")
_LAYOUT_HINT: Final = "Put the photographs into DIR/<letter>/ or, with several signers, into DIR/<signer>/<letter>/."


@dataclass(frozen=True)
class Photograph:
    """One file of a data set."""

    path: Path
    name: str
    """Path relative to the data set's folder, with forward slashes."""
    label: str
    group: str
    """The signer or source; '' where unknown."""
    original: str
    """What near-duplicates have in common; the file's own name where nothing else is said."""


@dataclass(frozen=True)
class Listing:
    """What a folder holds."""

    photographs: tuple[Photograph, ...]
    others: tuple[str, ...]
    """Relative names of files that are no photographs or stand in no class folder, of broken links, and of links to a
    folder that they stand in."""


def list_photographs(folder: Path, groups_file: Path | None = None) -> Listing:
    """Find the photographs of a folder, sorted by name.

    The folder holds class folders (`A/ B/ ...`, any names; single letters are turned to upper case), or one folder a
    signer that holds them: then the signer is the group. Links are followed.

    Args:
        folder: The data set's folder.
        groups_file: A CSV with the columns `path` (relative to the folder) and `group`, and optionally `original`
            (what near-duplicates have in common); it overrides groups from folders.

    Raises:
        NotFound: The folder or the CSV does not exist.
        DatasetInvalid: No photographs, mixed layouts, a folder that cannot be read, or a CSV that is none in UTF-8 or
            leaves photographs or groups out.
    """
    if not folder.is_dir():
        raise NotFound(f"no folder at {folder}", hint=_LAYOUT_HINT)
    files = sorted(_walk(folder, frozenset()))
    names = {path: path.relative_to(folder).as_posix() for path in files}
    chosen = [path for path in files if path.suffix.lower() in SUFFIXES and "/" in names[path] and path.is_file()]
    _check_layout(folder, [names[path] for path in chosen])
    photographs = [_photograph(path, names[path]) for path in chosen]
    if groups_file is not None:
        photographs = _regroup(photographs, groups_file)
    kept = set(chosen)
    return Listing(tuple(photographs), tuple(names[path] for path in files if path not in kept))


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield what is no folder, and links to folders that they stand in; other links are followed."""
    above |= {folder.resolve()}
    try:
        entries = [(path, path.is_dir()) for path in folder.iterdir()]
    except OSError as error:
        raise DatasetInvalid(f"{folder}: expected a folder that can be read, found none ({error.strerror})") from error
    for path, is_folder in entries:
        if path.name.startswith(_HIDDEN):
            continue
        if is_folder and path.resolve() not in above:
            yield from _walk(path, above)
        else:
            yield path


def _check_layout(folder: Path, names: list[str]) -> None:
    depths = {name.count("/"): name for name in reversed(names)}
    if not names:
        raise DatasetInvalid(f"{folder}: expected class folders with photographs, found none", hint=_LAYOUT_HINT)
    if len(depths) > 1 or max(depths) > 2:
        found = " and ".join(depths[depth] for depth in sorted(depths))
        raise DatasetInvalid(f"{folder}: expected photographs all at one depth, found {found}", hint=_LAYOUT_HINT)


def _photograph(path: Path, name: str) -> Photograph:
    *signer, label, _ = name.split("/")
    return Photograph(path, name, label_of(label), "/".join(signer), name)


def _regroup(photographs: list[Photograph], groups_file: Path) -> list[Photograph]:
    rows = _read_groups(groups_file)
    if missing := [photo.name for photo in photographs if photo.name not in rows]:
        raise DatasetInvalid(
            f"{groups_file}: expected a row for every photograph, found none for {len(missing)}, such as {missing[0]}",
            hint="Paths in the CSV are relative to the data set's folder, with forward slashes.",
        )
    return [
        Photograph(photo.path, photo.name, photo.label, rows[photo.name]["group"], _original(rows[photo.name], photo))
        for photo in photographs
    ]


def _original(row: Mapping[str, str], photograph: Photograph) -> str:
    # Names such as A27 are often counted anew for each letter.
    return f"{photograph.label}/{row['original']}" if row.get("original") else photograph.name


def _read_groups(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        raise NotFound(f"no file at {path}", hint="--groups names a CSV with the columns path and group.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _rows(csv.DictReader(file), path)
    except UnicodeDecodeError as error:
        raise DatasetInvalid(
            f"{path}: expected a CSV in UTF-8, found another encoding ({error.reason} at byte {error.start})",
            hint="Save the file as UTF-8.",
        ) from error
    except csv.Error as error:
        raise DatasetInvalid(f"{path}: expected a CSV, found none ({error})") from error


def _rows(reader: "csv.DictReader[str]", path: Path) -> dict[str, dict[str, str]]:
    columns = set(reader.fieldnames or ())
    if not {"path", "group"} <= columns:
        raise DatasetInvalid(f"{path}: expected the columns path and group, found {', '.join(sorted(columns))}")
    rows = {}
    for row in reader:
        # A row that is too short has None for what is missing.
        if not (row["group"] or "").strip():
            raise DatasetInvalid(
                f"{path}, line {reader.line_num}: expected a group for {row['path']}, found none",
                hint="Name the signer or source of every photograph.",
            )
        rows[row["path"]] = row
    return rows
