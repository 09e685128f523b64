"""Photographs to labelled hands: each file is decoded, searched for a hand on all cores, and written down at once."""

import csv
import hashlib
import queue
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.contracts import ExtractionOptions, PreparationOptions
from asl.core import dataset, images
from asl.core.dataset import Dataset
from asl.core.extraction import HandExtractor
from asl.core.hand import Hand
from asl.core.image_augmentation import alter
from asl.core.images import RgbImage
from asl.core.photographs import Photograph
from asl.errors import AslError, DatasetInvalid

_AHEAD: Final = 2
"""Photographs that wait or are at work for each thread: one that is done finds the next one there."""


class Outcome(StrEnum):
    """What became of a photograph or of an altered copy of it."""

    FOUND = "found"
    NO_HAND = "no_hand"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Sample:
    """One photograph (copy 0) or one altered copy of it (1, 2, ...)."""

    photograph: Photograph
    copy: int
    outcome: Outcome
    detail: str = ""
    """Why a file is unreadable."""
    sha256: str = ""
    """Hash of the photograph's file; copies have the same."""
    image_size: tuple[int, int] = (0, 0)
    """Width and height in pixels."""
    hand: Hand | None = None


def extract_samples(
    photographs: Iterable[Photograph],
    options: PreparationOptions,
    landmarker_path: Path,
    n_threads: int,
) -> Generator[tuple[Sample, ...], None, None]:
    """Search photographs for hands, on several threads with one landmarker each.

    Args:
        photographs: The files; they are asked for as they are needed, at most two a thread ahead.
        options: How hands are looked for, and how many altered copies are made.
        landmarker_path: The landmarker's model file.
        n_threads: How many landmarkers work at once; the number of cores is best.

    Yields:
        For each photograph, in their order, its sample and those of its copies.
    """
    extraction = ExtractionOptions(min_detection_confidence=options.min_detection_confidence)
    free: queue.SimpleQueue[HandExtractor] = queue.SimpleQueue()

    def work(photograph: Photograph) -> tuple[Sample, ...]:
        extractor = free.get()
        try:
            return _extract(photograph, options, extractor)
        finally:
            free.put(extractor)

    with ExitStack() as stack:
        for _ in range(n_threads):
            free.put(stack.enter_context(HandExtractor(landmarker_path, extraction)))
        pool = ThreadPoolExecutor(n_threads)
        # Leaving early, by an error or Ctrl-C, drops what has not begun and waits only for what has.
        stack.callback(pool.shutdown, cancel_futures=True)
        begun: deque[Future[tuple[Sample, ...]]] = deque()
        for photograph in photographs:
            begun.append(pool.submit(work, photograph))
            if len(begun) > _AHEAD * n_threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def to_dataset(samples: Sequence[Sample]) -> Dataset:
    """Put the samples in which a hand was found into one data set.

    Raises:
        DatasetInvalid: There is none.
    """
    found = [(sample, sample.hand) for sample in samples if sample.hand is not None]
    if not found:
        raise DatasetInvalid(
            f"expected hands in the photographs, found none in {len(samples)}",
            hint="Check that hands are well lit and whole; try a lower --min-detection-confidence such as 0.15.",
        )
    return dataset.from_landmarks(
        landmarks=np.stack([hand.landmarks for _, hand in found]),
        letters=[sample.photograph.label for sample, _ in found],
        handedness=_texts(hand.handedness for _, hand in found),
        world_landmarks=np.stack([hand.world_landmarks for _, hand in found]),
        group=_texts(sample.photograph.group for sample, _ in found),
        original=_texts(sample.photograph.original for sample, _ in found),
        sample_sha256=_texts(sample.sha256 for sample, _ in found),
        image_size=np.array([sample.image_size for sample, _ in found], np.int32),
    )


def write_skipped(path: Path, samples: Iterable[Sample], others: Sequence[str] = ()) -> int:
    """List what was left out, with its reason, as a CSV.

    Args:
        path: The file.
        samples: What became of the photographs; those with a hand are passed over.
        others: Names of files that are no photographs.

    Returns:
        How many files were left out, altered copies not counted.
    """
    left_out = [sample for sample in samples if sample.outcome is not Outcome.FOUND]
    # File names that are no UTF-8 are written as they are on the disk.
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "copy", "class", "group", "reason", "detail"))
        for sample in left_out:
            photo = sample.photograph
            writer.writerow((photo.name, sample.copy, photo.label, photo.group, sample.outcome, sample.detail))
        for name in others:
            writer.writerow((name, 0, "", "", "not_a_photograph", "no image type, or in no class folder"))
    return sum(sample.copy == 0 for sample in left_out) + len(others)


def _extract(photograph: Photograph, options: PreparationOptions, extractor: HandExtractor) -> tuple[Sample, ...]:
    try:
        data = photograph.path.read_bytes()
        image = images.decode(data)
    except OSError as error:
        return (Sample(photograph, 0, Outcome.UNREADABLE, f"cannot be opened: {error.strerror}"),)
    except AslError as error:
        return (Sample(photograph, 0, Outcome.UNREADABLE, error.message),)
    sha256 = hashlib.sha256(data).hexdigest()
    first = _sample(photograph, 0, sha256, image, _best_hand(extractor, image))
    return (
        first,
        *(
            _altered_sample(first, copy, image, options.seed, extractor)
            for copy in range(1, options.augment_images + 1)
        ),
    )


def _altered_sample(first: Sample, copy: int, image: RgbImage, seed: int, extractor: HandExtractor) -> Sample:
    altered = alter(image, np.random.default_rng([seed, int(first.sha256[:8], 16), copy]))
    hand = _best_hand(extractor, altered.image)
    if hand is not None and first.hand is not None:
        # A mirror image shows the other hand for certain; the landmarker might say otherwise.
        side = first.hand.handedness.other if altered.is_mirrored else first.hand.handedness
        hand = replace(hand, handedness=side)
    return _sample(first.photograph, copy, first.sha256, altered.image, hand)


def _sample(photograph: Photograph, copy: int, sha256: str, image: RgbImage, hand: Hand | None) -> Sample:
    outcome = Outcome.NO_HAND if hand is None else Outcome.FOUND
    return Sample(photograph, copy, outcome, "", sha256, (image.shape[1], image.shape[0]), hand)


def _best_hand(extractor: HandExtractor, image: RgbImage) -> Hand | None:
    return next(iter(extractor.extract(image)), None)


def _texts(values: Iterator[str]) -> NDArray[np.str_]:
    return np.array([str(value) for value in values], np.str_)
