"""Cursors of lists: where a page ended, told to clients as a text that means nothing to them."""

import base64
import math
import struct
from typing import Final, overload

from asl.errors import InvalidInput

_FORM: Final = struct.Struct(">d16s")
_LENGTH: Final = 32
"""Characters of a cursor: 24 bytes in base64, which need no padding."""


def encode(created_at: float, id: str) -> str:  # noqa: A002 - as the column is called
    """Make the cursor of the rows after this one.

    Args:
        created_at: When the last row of the page was made.
        id: Its id, 32 hexadecimal digits.
    """
    return base64.urlsafe_b64encode(_FORM.pack(created_at, bytes.fromhex(id))).decode()


@overload
def decode(cursor: str) -> tuple[float, str]: ...
@overload
def decode(cursor: None) -> None: ...
@overload
def decode(cursor: str | None) -> tuple[float, str] | None: ...
def decode(cursor: str | None) -> tuple[float, str] | None:
    """Read a cursor.

    Returns:
        The time and the id of the last row before the page; None for None, which begins the list.

    Raises:
        InvalidInput: It was not made by `encode`.
    """
    if cursor is None:
        return None
    try:
        created_at, raw_id = _FORM.unpack(base64.b64decode(cursor[: _LENGTH + 1], altchars=b"-_", validate=True))
    except (ValueError, struct.error) as error:  # of the first kind is also what base64 raises
        raise _not_ours() from error
    if not math.isfinite(created_at) or encode(created_at, raw_id.hex()) != cursor:
        raise _not_ours()
    return created_at, raw_id.hex()


def decode_number(cursor: str) -> int:
    """Read the cursor of a list that is ordered by a number; one that nobody was given may hold any.

    Raises:
        InvalidInput: It was not made by `encode`.
    """
    return int(max(0.0, min(decode(cursor)[0], 2.0**53)))


def _not_ours() -> InvalidInput:
    return InvalidInput(
        "expected a cursor as a page of this list gave it, found another text",
        hint="Start without a cursor, and then pass the next_cursor of each page.",
    )
