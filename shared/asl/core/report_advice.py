"""What an evaluation's figures call for."""

from collections.abc import Iterator
from typing import Final

from asl.core.advice import Advice, AdviceCode
from asl.core.report import Report

_WEAK_RECALL: Final = 0.75
_ENOUGH_ROWS: Final = 5
_WEAK_GAP: Final = 0.15
_MUCH_TOO_SURE: Final = 0.1
_NAMED: Final = 5


def of_report(report: Report) -> tuple[Advice, ...]:
    """Tell what to do about what a model reads badly."""
    return (*_of_letters(report), *_of_groups(report), *_of_confidence(report))


def _of_letters(report: Report) -> Iterator[Advice]:
    weak = [entry for entry in report.all_rows.letters if entry.recall < _WEAK_RECALL and entry.support >= _ENOUGH_ROWS]
    if not weak:
        return
    told = [
        f"{entry.letter} ({entry.recall:.0%}{_taken_for(report, entry.letter)})"
        for entry in sorted(weak, key=lambda entry: entry.recall)
    ]
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    yield Advice(
        AdviceCode.RARELY_READ,
        f"Read badly: {', '.join(told[:_NAMED])}{more}.",
        "Add photographs of these letters, and of those that they are taken for, by other people; look at some of the "
        "mistakes first, for people sign some letters in several ways, and folders hold wrong ones.",
    )


def _taken_for(report: Report, letter: str) -> str:
    index = report.label_names.index(letter)
    mistakes = [count if answer != index else 0 for answer, count in enumerate(report.confusion_matrix[index])]
    return f", taken for {report.label_names[mistakes.index(max(mistakes))]}"


def _of_groups(report: Report) -> Iterator[Advice]:
    worst, groups = report.all_rows.worst_group, report.all_rows.groups
    if worst is None or len(groups) == 1:
        return
    others = [entry.accuracy for entry in groups if entry.group != worst.group]
    mean = sum(others) / len(others)
    if mean - worst.accuracy > _WEAK_GAP:
        yield Advice(
            AdviceCode.WEAK_GROUP,
            f"{worst.group} is read at {worst.accuracy:.0%}, the others at {mean:.0%} on average.",
            "See what is different there (the other hand, a mirrored camera, light, distance, another way to sign), "
            "and train on people who are like it.",
        )


def _of_confidence(report: Report) -> Iterator[Advice]:
    sure = sum(entry.n_rows * entry.confidence for entry in report.reliability) / report.all_rows.n_rows
    if report.all_rows.calibration_error > _MUCH_TOO_SURE and sure > report.all_rows.accuracy:
        yield Advice(
            AdviceCode.OVERCONFIDENT,
            f"Too sure: a confidence of {sure:.0%} on average, while {report.all_rows.accuracy:.0%} are right.",
            "Validate on other signers (--val-split with several groups), or train with the --temperature that `asl "
            "cross-validate` finds.",
        )
