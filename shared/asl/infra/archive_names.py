"""Names inside an uploaded archive: which are safe, which are photographs, and what their folders say."""

import hashlib
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from asl.errors import DatasetInvalid

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""The same as `asl.core.images.SUFFIXES`, which infra may not import; a test compares them."""

MAX_NAME_BYTES: Final = 1024
MAX_SEGMENT_BYTES: Final = 255
"""What ext4, NTFS and APFS take for one folder or file; 1,024 in all is what S3 takes for a key."""

_HIDDEN: Final = re.compile(r"(?:^|/)(?:\.|__MACOSX)")
"""The same as in `asl.core.photographs`."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DRIVE: Final = re.compile("[A-Za-z]:")
_MAX_SHOWN_CHARACTERS: Final = 80
_RENAME_HINT: Final = "Rename the file with letters, digits, '-', '_' and '.', and pack the folder again."
_LAYOUT_HINT: Final = "Pack photographs as <letter>/file.jpg or, with several signers, as <signer>/<letter>/file.jpg."


class Layout(StrEnum):
    """What the folders of an archive stand for."""

    AUTO = "auto"
    """Read from the folders, see `Survey.arrangement`."""
    LETTERS = "letters"
    """`<letter>/file.jpg`."""
    SIGNERS = "signers"
    """`<signer>/<letter>/file.jpg`."""


@dataclass(frozen=True)
class Place:
    """Where a photograph stands in its data set."""

    name: str
    """Relative, with forward slashes, without the folder that an archiver put around everything."""
    signer: str
    """'' where unknown."""
    label: str


@dataclass(frozen=True)
class Arrangement:
    """What the folders of one archive stand for."""

    n_outer: int
    """Folders around the data set, 0 or 1."""
    has_signers: bool

    def place(self, name: str) -> Place:
        """Read signer and label of a photograph from its name."""
        segments = name.split("/")[self.n_outer :]
        signer = segments[0] if self.has_signers else ""
        return Place("/".join(segments), signer, _label_of(segments[-2]))


class Survey:
    """What the names of an archive have in common; it keeps a digest of each, so long names cost no memory."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._examples: dict[int, str] = {}
        self._top = ""
        self._has_one_top = True

    def add(self, name: str) -> None:
        """Take note of a file.

        Args:
            name: As `clean_name` gives it.

        Raises:
            DatasetInvalid: The name is there already, perhaps in another case.
        """
        folded = unicodedata.normalize("NFC", name.casefold())
        digest = hashlib.blake2b(folded.encode(), digest_size=16).digest()
        if digest in self._digests:
            raise DatasetInvalid(
                f"expected every name once, found {shown(name)} twice, or in upper and lower case",
                hint="Rename one of the two files, and pack the folder again.",
            )
        self._digests.add(digest)
        if not is_hidden(name) and not reason_to_skip(name):
            self._note_folders(name)

    def arrangement(self, layout: Layout) -> Arrangement:
        """Tell what the folders stand for.

        All photographs stand at one depth. One folder is the letter, two are signer and letter. A folder around
        everything, as archivers add it, is left out: the outermost of three, or of two if it is the only one, because
        one signer in all is nothing to keep apart; `Layout.SIGNERS` says that it is a signer after all.

        Raises:
            DatasetInvalid: No photographs, several depths, or folders that do not fit the layout.
        """
        if not self._examples:
            raise DatasetInvalid("expected photographs in class folders, found none", hint=_LAYOUT_HINT)
        if len(self._examples) > 1:
            found = " and ".join(shown(self._examples[depth]) for depth in sorted(self._examples)[:2])
            raise DatasetInvalid(f"expected photographs all at one depth, found {found}", hint=_LAYOUT_HINT)
        (n_folders,) = self._examples
        has_signers = layout is Layout.SIGNERS or (
            layout is Layout.AUTO and (n_folders > 2 or (n_folders == 2 and not self._has_one_top))
        )
        n_outer = n_folders - (2 if has_signers else 1)
        if n_outer not in {0, 1} or (n_outer == 1 and not self._has_one_top):
            expected = "<signer>/<letter>/file.jpg" if has_signers else "<letter>/file.jpg"
            example = shown(self._examples[n_folders])
            raise DatasetInvalid(f"expected photographs as {expected}, found {example}", hint=_LAYOUT_HINT)
        return Arrangement(n_outer, has_signers)

    def _note_folders(self, name: str) -> None:
        top = name.partition("/")[0]
        self._top = self._top or top
        self._has_one_top = self._has_one_top and top == self._top
        self._examples.setdefault(name.count("/"), name)


def clean_name(raw: str) -> str:
    """Check a name and return it relative, with single slashes, without '.' and in NFC.

    Args:
        raw: The name as the archive holds it.

    Returns:
        '' for the archive's own root, './'.

    Raises:
        DatasetInvalid: The name leads outside, is too long, or holds what some file system takes for something else.
    """
    if len(raw) > MAX_NAME_BYTES:
        raise _bad_name(raw, f"a name of at most {MAX_NAME_BYTES:,} bytes")
    if _CONTROL.search(raw):
        raise _bad_name(raw, "a name without control characters")
    if "\\" in raw:
        raise _bad_name(raw, "a name with forward slashes")
    segments = [segment for segment in unicodedata.normalize("NFC", raw).split("/") if segment not in {"", "."}]
    if raw.startswith("/") or (segments and _DRIVE.match(segments[0])):
        raise _bad_name(raw, "a relative name")
    if ".." in segments:
        raise _bad_name(raw, "a name that stays in its folder")
    if any(len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments):
        raise _bad_name(raw, f"at most {MAX_SEGMENT_BYTES} bytes between two slashes")
    name = "/".join(segments)
    if len(name.encode()) > MAX_NAME_BYTES:
        raise _bad_name(raw, f"a name of at most {MAX_NAME_BYTES:,} bytes")
    return name


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it stands in, is what systems add beside the user's files."""
    return _HIDDEN.search(name) is not None


def reason_to_skip(name: str) -> str:
    """Say why a file is no photograph of a class, or '' if it is one."""
    # A path object takes four times as long, and there may be a hundred thousand names.
    suffix = posixpath.splitext(name)[1].lower()
    if suffix not in SUFFIXES:
        return f"expected a photograph ({', '.join(sorted(SUFFIXES))}), found {shown(suffix)}"
    if "/" not in name:
        return "expected a photograph in a class folder, found it in none"
    return ""


def shown(name: str) -> str:
    """Return a name fit for a message: quoted, escaped, and not long."""
    text = repr(name[: _MAX_SHOWN_CHARACTERS + 1])
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 3]}..."


def _bad_name(raw: str, expected: str) -> DatasetInvalid:
    return DatasetInvalid(f"expected {expected}, found the entry {shown(raw)}", hint=_RENAME_HINT)


def _label_of(folder: str) -> str:
    # The same rule as `asl.core.dataset.label_of`, which infra may not import; a test compares them.
    return folder.upper() if len(folder) == 1 else folder
