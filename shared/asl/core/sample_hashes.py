"""Hashes of samples in short, by which a model's file lists what it was trained on."""

import hashlib
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHA256: Final = re.compile("[0-9a-f]{64}")


def row_hashes(sample_sha256: NDArray[np.str_]) -> NDArray[np.int64]:
    """Shorten the hashes of samples.

    Args:
        sample_sha256: (n,) hexadecimal SHA-256; other text is hashed first.

    Returns:
        (n,) int64: the first 8 bytes, big-endian.
    """
    return np.array([_first_bytes(str(text)) for text in sample_sha256], np.int64).reshape(len(sample_sha256))


def _first_bytes(text: str) -> int:
    if not _SHA256.fullmatch(text):
        text = hashlib.sha256(text.encode()).hexdigest()
    return int.from_bytes(bytes.fromhex(text[:16]), "big", signed=True)
