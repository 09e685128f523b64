"""What a run over photographs has done so far, a line each on disk, so that a stopped run goes on where it was."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from asl.contracts import Handedness, PreparationOptions
from asl.core.hand import Hand
from asl.core.photographs import Photograph
from asl.core.preparation import Outcome, Sample
from asl.errors import Conflict

_VERSION: Final = 1


class Journal:
    """An append-only file of JSON lines: first the options, then one line a photograph with its copies.

    A line that a kill has cut off is dropped when the file is read again.
    """

    def __init__(self, path: Path, options: PreparationOptions, *, resume: bool | None) -> None:
        """Start a journal, or take one up.

        Args:
            path: The journal's file.
            options: The run's options; a journal of other options cannot be taken up.
            resume: True goes on with what is there, False starts anew, None refuses to choose.

        Raises:
            Conflict: A journal is there and `resume` is None, or it was begun with other options.
        """
        self._path = path
        self._header = {"version": _VERSION, "options": options.model_dump(mode="json")}
        self._done: dict[str, dict[str, Any]] = {}
        if path.exists() and resume is None:
            raise Conflict(
                f"a stopped run left {path}", hint="Add --resume to go on where it was, or --no-resume to start anew."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        goes_on = path.exists() and resume and self._read()
        self._file = path.open("a" if goes_on else "w", encoding="utf-8")
        if not goes_on:
            self._write(self._header)

    def samples_of(self, photograph: Photograph) -> tuple[Sample, ...] | None:
        """Return what is written of a photograph; None where it is not done, or its file has changed since."""
        entry = self._done.get(photograph.name)
        if entry is None or entry["file"] != _fingerprint(photograph):
            return None
        return tuple(_sample(photograph, fields) for fields in entry["samples"])

    def append(self, samples: Sequence[Sample]) -> None:
        """Write the samples of one photograph."""
        photograph = samples[0].photograph
        fields = [_fields(sample) for sample in samples]
        self._write({"name": photograph.name, "file": _fingerprint(photograph), "samples": fields})

    def remove(self) -> None:
        """Delete the file: the run is complete."""
        self._file.close()
        self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def _read(self) -> bool:
        """Take up what is written, cut off what a kill has left half written, and tell whether there was anything."""
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            header, *entries = [json.loads(line) for line in whole.splitlines()] or [None]
            self._done = {entry["name"]: entry for entry in entries}
        except (ValueError, KeyError, TypeError) as error:
            raise Conflict(f"{self._path} is damaged ({error})", hint="Use --no-resume to start anew.") from error
        if header is None:
            return False
        if header != self._header:
            raise Conflict(
                f"{self._path} was begun with other options", hint="Use the same options, or --no-resume to start anew."
            )
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        return True

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        self._file.flush()


def _fingerprint(photograph: Photograph) -> list[int]:
    try:
        status = photograph.path.stat()
    except OSError:  # gone since it was listed; its sample says so
        return []
    return [status.st_size, status.st_mtime_ns]


def _fields(sample: Sample) -> dict[str, Any]:
    hand = sample.hand
    fields = {
        "copy": sample.copy,
        "outcome": sample.outcome,
        "detail": sample.detail,
        "sha256": sample.sha256,
        "image_size": sample.image_size,
        "hand": None,
    }
    if hand is not None:
        fields["hand"] = {
            "landmarks": _packed(hand.landmarks),
            "world_landmarks": _packed(hand.world_landmarks),
            "handedness": hand.handedness,
            "score": hand.score,
            "border": hand.border,
        }
    return fields


def _sample(photograph: Photograph, fields: dict[str, Any]) -> Sample:
    hand = fields["hand"]
    return Sample(
        photograph,
        fields["copy"],
        Outcome(fields["outcome"]),
        fields["detail"],
        fields["sha256"],
        tuple(fields["image_size"]),
        hand
        and Hand(
            _unpacked(hand["landmarks"]),
            _unpacked(hand["world_landmarks"]),
            Handedness(hand["handedness"]),
            hand["score"],
            hand["border"],
            tuple(fields["image_size"]),
        ),
    )


def _packed(points: NDArray[np.float32]) -> str:
    return base64.b64encode(points.astype("<f4").tobytes()).decode("ascii")


def _unpacked(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, 3).astype(np.float32)
