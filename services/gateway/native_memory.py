"""What the C library keeps of the memory that pictures took, once they are read."""

import ctypes
import platform
from typing import Final

_LARGE_BYTES: Final = 8 * 1024 * 1024
"""What takes so much is given memory of its own, which goes back with it. JPEGs take less once they are decoded
(`images.ENOUGH_SIDE`); with memory of their own each would take half a millisecond longer."""
_KEPT_BYTES: Final = 2 * _LARGE_BYTES
"""A thread keeps at most so much for its next pictures."""

# mallopt's parameters, in glibc's malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def bound() -> None:
    """Keep little of what large pictures took; only glibc has this switch, and other systems are left alone.

    By itself glibc has each thread keep up to twice the largest piece that was ever freed, 64 MiB at most: odd pictures
    are rare, and so memory grew for hours (deploy/decisions/0008).
    """
    if platform.libc_ver()[0] == "glibc":
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)
