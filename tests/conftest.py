"""What tests share: the landmarker's model, the real photographs where there are any, rendered hands."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from asl.core import landmarker
from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand
from asl.errors import LandmarkerUnavailable

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def landmarker_path() -> Path:
    try:
        return landmarker.ensure()
    except LandmarkerUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no hand landmarker model: {error.message}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real photographs beside this clone (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def hand_jpeg() -> Callable[..., bytes]:
    """Render a hand as the bytes of a JPEG file."""

    def render(letter: str, seed: int = 1) -> bytes:
        return encode_jpeg(render_hand(letter, seed=seed).image)

    return render
