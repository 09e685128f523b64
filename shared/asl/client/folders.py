"""Folders of photographs as they are sent: the class, and the signer where there is one, by the folders' names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from asl.errors import NotFound

LabelledFile = tuple[Path, str, str]
"""A photograph's path, its label, and its signer or ''."""

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_HIDDEN: Final = (".", "__MACOSX")


def list_files(folder: Path) -> Iterator[LabelledFile]:
    """List the photographs of `<letter>/` and `<signer>/<letter>/`, sorted by name; other files are left out.

    Args:
        folder: Holds the class folders, or the signers'; single letters are turned to upper case.

    Raises:
        NotFound: There is no such folder.
    """
    if not folder.is_dir():
        raise NotFound(f"no folder at {folder}", hint="Photographs stand in DIR/<letter>/ or DIR/<signer>/<letter>/.")
    for path in sorted(folder.rglob("*")):
        names = path.relative_to(folder).parts
        if len(names) not in (2, 3) or path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        if any(name.startswith(_HIDDEN) for name in names):
            continue
        label = names[-2].upper() if len(names[-2]) == 1 else names[-2]
        yield path, label, names[0] if len(names) == 3 else ""
