"""`asl recognize`: photographs to letters, one line each."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from asl.cli import console
from asl.cli.flags import JsonFlag
from asl.cli.remote import build
from asl.contracts import ExpectedLetter, ExtractionOptions, NoLetter, Recognition, RecognitionOptions
from asl.core import landmarker
from asl.core.classifier import load_classifier
from asl.core.recognition import Recognizer
from asl.errors import AslError, ImageUnreadable, NotFound
from asl.infra.settings import Settings, load_settings


def recognize(
    images: Annotated[list[Path], Parameter(negative=())],
    *,
    model_path: Path | None = None,
    min_detection_confidence: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None,
    explain: Annotated[bool, Parameter(negative=())] = False,
    expected: ExpectedLetter = None,
    json: JsonFlag = False,
) -> None:
    """Read the letter that each photograph shows.

    Example: `asl recognize hand.jpg`

    Prints a line for each photograph: its path, the letter, how sure the model is, the signer's hand, and what else it
    might be. A photograph that cannot be read is named on stderr, and the command ends with status 1.

    Args:
        images: Photographs.
        model_path: Trained model (.pt); ASL_CLASSIFIER_PATH where not given, else the starter model.
        min_detection_confidence: Minimum confidence for hand detection, 0 to 1; ASL_MIN_DETECTION_CONFIDENCE where not
            given.
        explain: Say what of the hand differs most from the letter, too.
        expected: The letter that the hand is to show, for --explain; the likeliest where not given.
        json: Print a JSON list.
    """
    settings = load_settings()
    if missing := [path for path in images if not path.is_file()]:
        raise NotFound(f"no file at {', '.join(map(str, missing))}", hint="Check the path.")
    classifier = load_classifier(model_path or settings.classifier_path)
    landmarker_path = landmarker.ensure(settings.hand_landmarker_path)
    console.mute_native_logs()
    wanted = build(RecognitionOptions, explain=explain, expected=expected)
    entries, n_failed, width = [], 0, max(len(str(path)) for path in images)
    with Recognizer(classifier, landmarker_path, _options(settings, min_detection_confidence)) as recognizer:
        for path, answer in _answers(recognizer, images, wanted):
            entries.append(_entry(path, answer))
            if isinstance(answer, AslError):
                n_failed += 1
                console.err.print(f"error: {path}: {answer.message}", style="red", markup=False)
            elif not json:
                console.out.print(f"{path!s:<{width}}  {_line(answer)}{_advice(answer)}", markup=False)
    if json:
        console.print_json(entries)
    if n_failed:
        console.err.print(f"{n_failed:,} of {len(images):,} photographs could not be read")
        sys.exit(console.EXIT_FAILED)


def _options(settings: Settings, min_detection_confidence: float | None) -> ExtractionOptions:
    given = {} if min_detection_confidence is None else {"min_detection_confidence": min_detection_confidence}
    return settings.extraction.model_copy(update=given)


def _answers(
    recognizer: Recognizer, images: list[Path], options: RecognitionOptions
) -> Iterator[tuple[Path, Recognition | AslError]]:
    for path in images:
        try:
            yield path, recognizer.recognize(path.read_bytes(), options)
        except OSError as error:
            yield path, ImageUnreadable(f"cannot be opened: {error.strerror}")
        except AslError as error:
            yield path, error


def _entry(path: Path, answer: Recognition | AslError) -> dict[str, Any]:
    if isinstance(answer, AslError):
        return {"path": str(path), "error": {"code": answer.code, "message": answer.message}}
    return {"path": str(path), **answer.model_dump(mode="json")}


def _line(answer: Recognition) -> str:
    if answer.reason is NoLetter.NO_HAND:
        return "no hand found"
    if answer.letter is None:
        maybe = "".join(f"   {other.letter} {other.confidence:.2f}" for other in answer.alternatives)
        return ("no letter" if answer.reason is NoLetter.NOT_A_LETTER else "not sure enough") + maybe
    others = "".join(f"   {other.letter} {other.confidence:.2f}" for other in answer.alternatives[1:])
    motion = f"   ({answer.letter} is a movement; this is its start)" if answer.needs_motion else ""
    return f"{answer.letter}  {answer.confidence:.2f}  {answer.handedness:<5}{others}{motion}"


def _advice(answer: Recognition) -> str:
    told = answer.explanation
    if told is None:
        return ""
    return f"   for {told.expected}: {' '.join(entry.advice for entry in told.differences) or 'nothing to mend.'}"
