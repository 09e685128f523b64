"""Folders that commands write into, checked before any work starts."""

import os
from pathlib import Path

from asl.errors import OptionsInvalid


def ensure_writable(folder: Path, option: str) -> None:
    """Make a folder if it is not there.

    Args:
        folder: The folder.
        option: The option that names it, for the message.

    Raises:
        OptionsInvalid: It cannot be made, or nothing can be written into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionsInvalid(
            f"cannot make the folder {folder}: {error.strerror}", hint=f"Choose another {option}."
        ) from error
    if not os.access(folder, os.W_OK):
        raise OptionsInvalid(f"cannot write into the folder {folder}", hint=f"Choose another {option}.")
