"""What all contracts have in common: immutable, strict, with bounded texts."""

from datetime import datetime
from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MAX_PAGE: Final = 500
ID_PATTERN: Final = r"^[0-9a-f]{32}$"

Id = Annotated[str, Field(pattern=ID_PATTERN, description="32 hexadecimal digits.")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Names are shown to people and stand in addresses: no control characters, separators of paths, percent signs, dots at
# the start, or blanks at either end.
_INNER: Final = r"[^\x00-\x1f\x7f-\x9f/\\%\u2028\u2029]"
_FIRST: Final = r"[^\s.\x00-\x1f\x7f-\x9f/\\%]"
_LAST: Final = r"[^\s\x00-\x1f\x7f-\x9f/\\%]"
_NAME: Final = rf"{_FIRST}({_INNER}*{_LAST})?"

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=rf"^{_NAME}$")]
Label = Annotated[
    str, Field(min_length=1, max_length=64, pattern=rf"^{_NAME}$", description="The letter that a hand signs.")
]
Signer = Annotated[
    str,
    Field(
        max_length=100,
        pattern=rf"^({_NAME})?$",
        description="Who signs, or where the pictures come from; '' if unknown.",
    ),
]
Time = Annotated[datetime, Field(description="UTC.")]


class Contract(BaseModel):
    """Immutable, and strict about names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


_Item = TypeVar("_Item")


class Page(Contract, Generic[_Item]):
    """A part of a list; more comes with `cursor=next_cursor`."""

    items: tuple[_Item, ...]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null at the end.")
