"""What an evaluation finds, as plain values: figures, counts, and sentences on what the figures do not tell."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from asl.core.advice import Advice
from asl.core.calibration import ReliabilityBin
from asl.core.coverage import Coverage


@dataclass(frozen=True)
class Averages:
    """Means over the letters that occur."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class LetterScores:
    """One letter; precision is 0 where the model never answered it."""

    letter: str
    precision: float
    recall: float
    f1: float
    support: int
    """How many rows show the letter."""


@dataclass(frozen=True)
class GroupScores:
    """One signer or source."""

    group: str
    n_rows: int
    accuracy: float
    n_rows_trained_on: int
    n_rows_validated_on: int = 0
    """How many chose the model's epoch and temperature."""


@dataclass(frozen=True)
class Scores:
    """The figures of a selection of rows."""

    n_rows: int
    accuracy: float
    top3_accuracy: float
    """Share of rows whose letter is among the three likeliest."""
    calibration_error: float
    """Expected calibration error: the mean gap between confidence and accuracy, in [0, 1]."""
    macro: Averages
    """Every letter counts the same."""
    weighted: Averages
    """Every row counts the same."""
    letters: tuple[LetterScores, ...]
    """The letters that occur, in the order of their names."""
    groups: tuple[GroupScores, ...]
    """Empty where no group is known."""
    worst_group: GroupScores | None


@dataclass(frozen=True)
class Confusion:
    """One letter taken for another."""

    letter: str
    answer: str
    n_rows: int
    share: float
    """Of the letter's rows."""


@dataclass(frozen=True)
class RowAnswer:
    """What the model answered to one row."""

    sha256: str
    """Of the row's photograph, or of its landmarks where there is none."""
    group: str
    letter: str
    answer: str
    confidence: float
    is_trained_on: bool
    is_validated_on: bool
    """It chose the model's epoch and temperature."""


@dataclass(frozen=True)
class Report:
    """What an evaluation found; letters are matched by name throughout."""

    model_name: str
    model_sha256: str
    feature_schema: str
    temperature: float
    label_names: tuple[str, ...]
    """The model's letters, then those it does not know."""
    all_rows: Scores
    without_motion: Scores | None
    """Only rows that show neither J nor Z; None where there are none."""
    n_rows_trained_on: int | None
    """How many rows were in the training set; None where the model's file does not list that."""
    not_trained_on: Scores | None
    """Only rows that were not in the training set; None where there are none or that is unknown."""
    confusion_matrix: tuple[tuple[int, ...], ...]
    """Counts: a row for each true letter, a column for each answer, in the order of `label_names`."""
    confusions: tuple[Confusion, ...]
    """The most frequent mistakes."""
    reliability: tuple[ReliabilityBin, ...]
    """Bins that hold rows."""
    coverage: Coverage
    """How right the answers are that are kept where unsure ones are refused."""
    notices: tuple[str, ...]
    """What the figures do not tell, in whole sentences."""
    n_rows_validated_on: int | None = None
    """How many other rows chose the model's epoch and temperature; None where the model's file does not list that."""
    unseen: Scores | None = None
    """Only rows that neither trained nor validated the model; None where there are none or that is unknown."""
    advice: tuple[Advice, ...] = ()
    """What to do about what is read badly."""

    rows: tuple[RowAnswer, ...] = ()
    """Every row, in the data set's order."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as report.json holds them: all but the rows."""
        plain = asdict(replace(self, rows=()))
        del plain["rows"]
        return plain
