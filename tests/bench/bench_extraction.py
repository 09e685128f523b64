"""How much of the two-thread floor `asl prepare-dataset` reaches.

The floor is what nobody can beat with this landmarker on this machine: decode and detect, and nothing else, in threads
with a landmarker each. The command is run as a user runs it, on one photograph and on all of them; the difference is
what its photographs cost. Rounds are interleaved, since other work on the machine comes and goes.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from asl.core import landmarker
from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand

N_PHOTOGRAPHS = 300
N_ROUNDS = 3
_REAL = Path(__file__).parents[3] / "shared" / "data" / "images" / "washed"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "all"
        paths = collect_photographs(folder)
        one = Path(temporary) / "one" / paths[0].parent.name
        one.mkdir(parents=True)
        (one / paths[0].name).write_bytes(paths[0].read_bytes())
        rounds = []
        for _ in range(N_ROUNDS):
            floor_1, floor_2 = floor(paths, 1), floor(paths, 2)
            fixed_s, whole_s = prepare_s(one.parent), prepare_s(folder)
            rounds.append((floor_1, floor_2, (len(paths) - 1) / (whole_s - fixed_s), fixed_s))
    floor_1, floor_2, ours, fixed_s = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(row[2] / row[1] for row in rounds)
    print(
        f"extraction, {len(paths)} photographs with a hand that is found at the first try, median of {N_ROUNDS} rounds"
    )
    print(f"  floor, 1 thread         {floor_1:7.1f} images/s")
    print(f"  floor, 2 threads        {floor_2:7.1f} images/s")
    print(f"  asl prepare-dataset     {ours:7.1f} images/s   {ratio:.2f} of the two-thread floor (to reach: 0.95)")
    print(f"  its start and end       {fixed_s:7.1f} s")


def collect_photographs(folder: Path) -> list[Path]:
    """Fill a class folder with photographs in which a hand is found at the first try."""
    if _REAL.is_dir():
        sources = {path: path.read_bytes() for path in sorted(_REAL.glob("*/*.jpg"))}
    else:
        sources = {
            Path(letter) / f"{seed}.jpg": encode_jpeg(render_hand(letter, seed=seed).image)
            for letter in "ABCDFILUVWY"
            for seed in range(N_PHOTOGRAPHS // 10)
        }
    extractor = _landmarker()
    kept = []
    for path, data in sources.items():
        if len(kept) < N_PHOTOGRAPHS and _detect(extractor, data):
            target = folder / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            kept.append(target)
    extractor.close()
    return kept


def floor(paths: list[Path], n_threads: int) -> float:
    """Return images a second of decode and detect alone."""
    extractors = [_landmarker() for _ in range(n_threads)]
    for extractor in extractors:
        _detect(extractor, paths[0].read_bytes())
    threads = [
        threading.Thread(target=_detect_all, args=(extractor, paths[index::n_threads]))
        for index, extractor in enumerate(extractors)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s = time.perf_counter() - start
    for extractor in extractors:
        extractor.close()
    return len(paths) / elapsed_s


def prepare_s(folder: Path) -> float:
    """Return how long the command takes, in seconds."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "asl.cli.main", "prepare-dataset", "--input-dir", str(folder)]
        start = time.perf_counter()
        subprocess.run([*command, "--output-file", f"{temporary}/f.npz"], check=True, capture_output=True)
        return time.perf_counter() - start


def _detect_all(extractor: vision.HandLandmarker, paths: list[Path]) -> None:
    for path in paths:
        _detect(extractor, path.read_bytes())


def _detect(extractor: vision.HandLandmarker, data: bytes) -> bool:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return bool(extractor.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=image)).hand_landmarks)


def _landmarker() -> vision.HandLandmarker:
    options = vision.HandLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(landmarker.ensure())))
    return vision.HandLandmarker.create_from_options(options)


if __name__ == "__main__":
    main()
