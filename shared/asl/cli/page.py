"""`asl page`: have the web page's third-party files and its drawn hands in place."""

import json
from pathlib import Path
from typing import Final

from asl.cli import console
from asl.core.hand import MOTION_LETTERS
from asl.core.images import encode_jpeg, encode_thumbnail
from asl.core.synthetic.alphabet import render_alphabet
from asl.infra import page_files

_SMALL_PX: Final = 168
"""Of the pictures in a row, on screens of two pixels to one of CSS."""


def page() -> None:
    """Fetch what the page needs from npm, draw a hand for each letter, and print the folder.

    Each package is of an exact version, and checked by its SHA-512. This needs a package registry once, the one that
    npm is set up with; afterwards the page works offline.
    """
    console.out.print(str(page_files.ensure(_draw)), markup=False)


def _draw(folder: Path) -> None:
    """Draw a hand for each letter, with where its joints are, for the page to show and to compare with."""
    place = folder / page_files.SAMPLES
    small = place / "small"
    small.mkdir(parents=True)
    listed = []
    for hand in render_alphabet():
        (place / f"{hand.letter}.jpg").write_bytes(encode_jpeg(hand.image))
        (small / f"{hand.letter}.jpg").write_bytes(encode_thumbnail(hand.image, _SMALL_PX))
        landmarks = [[round(float(value), 4) for value in joint] for joint in hand.landmarks]
        listed.append({"letter": hand.letter, "is_motion": hand.letter in MOTION_LETTERS, "landmarks": landmarks})
    (place / "index.json").write_text(json.dumps(listed), encoding="utf-8")
