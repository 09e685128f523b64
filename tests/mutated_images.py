"""Damaged image files of every type, each named by its number; as a program, decodes a range of them and counts.

Run: python tests/mutated_images.py FIRST END
A crash names its picture: the last number on stderr. `mutated(number)` makes it again.
"""

import faulthandler
import io
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from asl.core import images
from asl.errors import ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable

DOCUMENTED = (ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable)
MAX_PIXELS = 1_000_000
"""Headers are damaged too, and millions of black pixels only take time."""
_EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)


def mutated(number: int) -> bytes:
    """Make the damaged file of a number: always the same one."""
    chance = random.Random(number)  # noqa: S311 - damage, not secrets
    data = bytearray(chance.choice(originals()))
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        chance.choice(_DAMAGES)(data, chance)
    return bytes(data)


@cache
def originals() -> tuple[bytes, ...]:
    """Return whole files of all types, colours and compressions that are read, and of some that are not."""
    pixels = np.random.default_rng(1).integers(0, 256, (12, 16, 4), np.uint8).repeat(4, 0).repeat(4, 1)
    rgba = Image.fromarray(pixels)
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("RGB").quantize(16)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    animated = {"save_all": True, "append_images": [rgb.transpose(Image.Transpose.ROTATE_180)]}
    made: list[tuple[Image.Image, str, dict[str, object]]] = [
        (rgb, "JPEG", {"exif": exif}),
        (rgb, "JPEG", {"progressive": True, "subsampling": 2}),
        (rgb, "JPEG", {"restart_marker_blocks": 2}),
        (grey, "JPEG", {}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "MPO", animated),
        (rgb, "PNG", {"exif": exif}),
        *((image, "PNG", {}) for image in (rgba, grey, palette, deep, grey.convert("1"), grey.convert("LA"))),
        (rgb, "PNG", animated),
        (rgb, "WEBP", {"exif": exif}),
        (rgba, "WEBP", {"lossless": True}),
        (rgb, "WEBP", animated),
        (palette, "GIF", {"transparency": 3}),
        (rgb, "GIF", animated),
        *((image, "BMP", {}) for image in (rgb, grey, palette, grey.convert("1"))),
        *(
            (rgb, "TIFF", {"compression": name})
            for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        ),
        (deep, "TIFF", {}),
        (rgb.convert("CMYK"), "TIFF", {"exif": exif}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (grey.convert("F"), "TIFF", {}),
    ]
    return tuple(_encoded(*one) for one in made)


def main() -> None:
    """Decode a range; prints how often each came to what, and which was the slowest."""
    first, end = map(int, sys.argv[1:])
    faulthandler.enable()
    counts, slowest = Counter[str](), (0.0, first)
    for number in range(first, end):
        sys.stderr.write(f"{number}\n")
        data = mutated(number)
        began = time.perf_counter()
        counts[decoded(data)] += 1
        slowest = max(slowest, (time.perf_counter() - began, number))
    sys.stdout.write(json.dumps({"counts": counts, "slowest_s": slowest[0], "slowest": slowest[1]}) + "\n")


def decoded(data: bytes) -> str:
    """Decode a file; returns the code of its error, or "decoded"."""
    try:
        pixels = images.decode(data, max_pixels=MAX_PIXELS)
    except DOCUMENTED as error:
        return error.code
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert 0 < pixels.size <= 3 * MAX_PIXELS
    assert pixels.flags.c_contiguous
    return "decoded"


def _encoded(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _flip_a_bit(data: bytearray, chance: random.Random) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _put_an_edge(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    length = chance.choice((1, 2, 4))
    data[at : at + length] = bytes([chance.choice(_EDGES)]) * length


def _put_noise(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    length = chance.randint(1, 64)
    data[at : at + length] = chance.randbytes(length)


def _cut_off(data: bytearray, chance: random.Random) -> None:
    del data[_place(data, chance) + 1 :]


def _take_out(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    del data[at + 1 : at + chance.randint(1, 256)]


def _repeat(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    data[at:at] = data[at : at + chance.randint(1, 256)]


def _splice(data: bytearray, chance: random.Random) -> None:
    other = chance.choice(originals())
    at = _place(data, chance)
    data[at:] = other[min(at, len(other) - 1) :]


_DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip_a_bit,
    _flip_a_bit,
    _put_an_edge,
    _put_an_edge,
    _put_noise,
    _cut_off,
    _take_out,
    _repeat,
    _splice,
)


def _place(data: bytearray, chance: random.Random) -> int:
    """Choose a byte; every second time one of the header's."""
    return chance.randrange(min(len(data), chance.choice((64, len(data)))))


if __name__ == "__main__":
    main()
