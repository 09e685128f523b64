"""MediaPipe's hand landmarker model: where it lies, and how it is put together once."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import platformdirs

from asl.errors import LandmarkerUnavailable

FILE_NAME: Final = "hand_landmarker.task"

# The mediapipe wheels of 2025 and later carry no model; this one does. Its files are the same on every platform, so
# one wheel is named outright and any machine can unpack it.
_WHEEL: Final = "mediapipe==0.10.21"
_WHEEL_TAGS: Final = (
    *("--platform", "manylinux_2_28_x86_64"),
    *("--python-version", "312", "--implementation", "cp", "--abi", "cp312"),
)
_MEMBERS: Final = (
    (
        "hand_detector.tflite",
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    (
        "hand_landmarks_detector.tflite",
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
)
"""(name in the task file, path in the wheel, SHA-256) of the palm detector and of the landmark network."""


def default_path() -> Path:
    """Tell where the model lies unless something else is configured: in the user's cache folder."""
    return platformdirs.user_cache_path("asl-platform") / FILE_NAME


def ensure(path: Path | None = None) -> Path:
    """Return the model's path; a file at the default place is put together first where it is missing.

    Args:
        path: A file of the user's own, which must exist; None for the default place.

    Raises:
        LandmarkerUnavailable: The file is missing, or damaged, or its parts cannot be had.
    """
    if path is not None:
        if not path.is_file():
            raise LandmarkerUnavailable(
                f"no hand landmarker model at {path}", hint="Correct or unset ASL_HAND_LANDMARKER_PATH."
            )
        return path
    target = default_path()
    if not _is_sound(target):
        assemble(target)
    return target


def assemble(target: Path) -> None:
    """Download the wheel that carries the two networks and write them as one task file, atomically.

    Any number of processes may do this at once: each writes a file of its own and moves it into place.

    Raises:
        LandmarkerUnavailable: The wheel cannot be downloaded, its files are not the expected ones, or the folder cannot
            be written.
    """
    try:
        _assemble(target)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise LandmarkerUnavailable(
            f"could not put the hand landmarker model together at {target}: {error}",
            hint="Make that folder writable, or name a copy of the file in ASL_HAND_LANDMARKER_PATH.",
        ) from error


def _assemble(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="asl-landmarker-", dir=target.parent) as folder:
        wheel = _download_wheel(Path(folder))
        part = Path(folder) / FILE_NAME
        with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as task:
            for name, path, sha256 in _MEMBERS:
                content = source.read(path)
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise LandmarkerUnavailable(
                        f"{path} of {_WHEEL} is not the expected file",
                        hint="The package index served something else; check which one pip uses.",
                    )
                # A fixed date, so that the task file is the same, bit for bit, wherever it is made.
                task.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
        part.replace(target)


def _is_sound(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as task:
            return all(hashlib.sha256(task.read(name)).hexdigest() == sha256 for name, _, sha256 in _MEMBERS)
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _download_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", *_WHEEL_TAGS, "--dest", str(folder), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise LandmarkerUnavailable(
            f"could not download {_WHEEL}, which carries the hand landmarker model: {reason}",
            hint=f"Go online once and run `asl landmarker`, or copy {FILE_NAME} from a machine that has it and name it "
            "in ASL_HAND_LANDMARKER_PATH.",
        )
    return wheels[0]
