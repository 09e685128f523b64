"""Names that users give to data sets, classes and signers, and how classes are known."""

import re
from typing import Final

from pydantic import TypeAdapter, ValidationError

from asl.contracts import Label, Signer
from asl.errors import DatasetInvalid

_ENCODED: Final = re.compile("%[0-9A-Fa-f]{2}")
_LABEL: Final[TypeAdapter[str]] = TypeAdapter(Label)
_SIGNER: Final[TypeAdapter[str]] = TypeAdapter(Signer)


def check_name(name: str, what: str) -> None:
    """Refuse names that an address or a folder changes: folders above, what is encoded already, spaces at an end.

    Args:
        name: At least one character.
        what: What it names, for the message.

    Raises:
        DatasetInvalid: It is one of these.
    """
    if not name.strip(".") or _ENCODED.search(name) or name != name.strip():
        raise DatasetInvalid(
            f"expected a name of {what} that can stand in an address, "
            "found dots alone, an encoded character or outer spaces",
            hint="Use letters, digits, spaces, '-', '_' and '.'.",
        )


def check_place(label: str, signer: str) -> None:
    """Check the class and the signer of a sample, wherever they come from.

    Raises:
        DatasetInvalid: One of them is too long, or not usable as a name.
    """
    try:
        _LABEL.validate_python(label)
        _SIGNER.validate_python(signer)
    except ValidationError as error:
        raise DatasetInvalid(
            "expected 1 to 64 characters for a letter and at most 100 for a signer, without separators of paths, "
            "found others",
            hint="Use short names.",
        ) from error
    check_name(label, "a letter")
    if signer:
        check_name(signer, "a signer")


def label_of(text: str) -> str:
    """Return the label that a class is known by: single letters in upper case, other names as they are."""
    # The same rule as `asl.core.dataset.label_of`, which infra may not import; a test compares them.
    return text.upper() if len(text) == 1 else text
