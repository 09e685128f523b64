"""How well a model reads labelled hands: each letter, each group, how honest its confidence is, and what is unknown."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from asl.core.calibration import expected_calibration_error, reliability_bins
from asl.core.checkpoint import TrainedModel
from asl.core.coverage import coverage_of
from asl.core.dataset import Dataset, relabel, with_schema
from asl.core.features import SCHEMAS
from asl.core.hand import MOTION_LETTERS
from asl.core.report import Averages, Confusion, GroupScores, LetterScores, Report, RowAnswer, Scores
from asl.core.report_advice import of_report
from asl.core.sample_hashes import row_hashes
from asl.errors import DatasetInvalid, ModelInvalid, OptionsInvalid, OutOfMemory

N_CONFUSIONS: Final = 10


@dataclass(frozen=True)
class _Answers:
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    group: NDArray[np.str_]
    is_trained_on: NDArray[np.bool_]
    is_validated_on: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> Self:
        return replace(self, **{entry.name: getattr(self, entry.name)[rows] for entry in fields(self)})


@dataclass(frozen=True)
class _Overlap:
    """What a model's file tells of rows that it has seen."""

    n_rows: int
    n_trained_on: int | None
    n_validated_on: int | None
    unseen: Scores | None


def evaluate(
    trained: TrainedModel,
    dataset: Dataset,
    *,
    batch_size: int = 32,
    device: str = "cpu",
    allow_unknown_labels: bool = False,
) -> Report:
    """Compare a model's answers with the letters of a data set.

    Args:
        trained: The model.
        dataset: Labelled hands that neither trained nor validated the model; where they did, the report says so.
        batch_size: Rows answered at once.
        device: Where the network computes, 'cpu' or 'cuda'; it is moved there.
        allow_unknown_labels: Count hands of letters that the model does not know as mistakes, as they are in use,
            instead of refusing them. Leaving them out would flatter the model, and counting them unasked would blame
            it for a class that was never meant to be read.

    Raises:
        ModelInvalid: The model reads features of another schema, and there are no landmarks to compute them from.
        DatasetInvalid: There are no rows, or letters that the model does not know.
        OptionsInvalid: The batch size is not positive.
        OutOfMemory: The device is too small for the batch size.
    """
    if dataset.landmarks is not None and trained.feature_schema in SCHEMAS:
        dataset = with_schema(dataset, trained.feature_schema)
    names = _label_names(trained, dataset, allow_unknown_labels=allow_unknown_labels)
    hashes = row_hashes(dataset.sample_sha256)
    is_trained_on = np.isin(hashes, trained.train_row_hashes)
    answers = _Answers(
        truth=relabel(dataset, names),
        probabilities=_probabilities(trained, dataset.features, batch_size, device),
        group=dataset.group,
        is_trained_on=is_trained_on,
        is_validated_on=np.isin(hashes, trained.val_row_hashes) & ~is_trained_on,
    )
    is_still = ~np.isin(dataset.letters, sorted(MOTION_LETTERS))
    is_known = len(trained.train_row_hashes) > 0
    matrix = _confusion_matrix(answers, len(names))
    scores = _scores(answers, names)
    overlap = _overlap(trained, answers, names)
    report = Report(
        model_name=trained.name,
        model_sha256=trained.sha256,
        feature_schema=trained.feature_schema,
        temperature=trained.temperature,
        label_names=names,
        all_rows=scores,
        without_motion=_scores_of_some(answers, is_still, names),
        n_rows_trained_on=overlap.n_trained_on,
        not_trained_on=_scores_of_some(answers, ~is_trained_on, names) if is_known else None,
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        confusions=_confusions(matrix, names),
        reliability=reliability_bins(answers.probabilities, answers.truth),
        notices=(
            *_overlap_notices(overlap),
            *_group_notices(answers, scores, is_known=is_known),
            *_label_notices(scores, trained.label_names),
        ),
        n_rows_validated_on=overlap.n_validated_on,
        unseen=overlap.unseen,
        rows=_rows(answers, dataset.sample_sha256, names),
        coverage=coverage_of(answers.probabilities, answers.truth, trained.unsure_below),
    )
    return replace(report, advice=of_report(report))


def _label_names(trained: TrainedModel, dataset: Dataset, *, allow_unknown_labels: bool) -> tuple[str, ...]:
    if dataset.feature_schema != trained.feature_schema:
        raise ModelInvalid(
            f"expected a model for the data set's features {dataset.feature_schema}, found one for"
            f" {trained.feature_schema}",
            hint="Prepare the data set and train the model with the same version.",
        )
    if not len(dataset):
        raise DatasetInvalid("expected rows to evaluate, found an empty data set")
    unknown = sorted(set(dataset.letters.tolist()) - set(trained.label_names))
    if unknown and not allow_unknown_labels:
        raise DatasetInvalid(
            f"expected letters that {trained.name} knows ({', '.join(trained.label_names)}), found also"
            f" {', '.join(unknown)}",
            hint="Leave them out of the data set, or count them as mistakes with --allow-unknown-labels.",
        )
    return (*trained.label_names, *unknown)


def _probabilities(
    trained: TrainedModel, features: NDArray[np.float32], batch_size: int, device: str
) -> NDArray[np.float32]:
    if batch_size < 1:
        raise OptionsInvalid(f"expected a positive batch size, found {batch_size}")
    model = trained.model.to(device).eval()
    try:
        with torch.inference_mode():
            logits = [model(rows.to(device)).cpu() for rows in torch.split(torch.from_numpy(features), batch_size)]
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{device} has too little memory for {batch_size} rows", hint="Lower --batch-size."
        ) from error
    probabilities: NDArray[np.float32] = torch.softmax(torch.cat(logits) / trained.temperature, dim=1).numpy()
    return probabilities


def _scores(answers: _Answers, names: tuple[str, ...]) -> Scores:
    answered = answers.probabilities.argmax(axis=1)
    is_right = answered == answers.truth
    top3 = np.argsort(-answers.probabilities, axis=1)[:, :3]
    occurring = np.unique(answers.truth)
    precision, recall, f1, support = precision_recall_fscore_support(
        answers.truth, answered, labels=occurring, zero_division=0
    )
    groups = _group_scores(answers, is_right)
    return Scores(
        n_rows=len(answers.truth),
        accuracy=float(is_right.mean()),
        top3_accuracy=float((top3 == answers.truth[:, None]).any(axis=1).mean()),
        calibration_error=float(expected_calibration_error(answers.probabilities, answers.truth)),
        macro=Averages(float(precision.mean()), float(recall.mean()), float(f1.mean())),
        weighted=Averages(*(float(np.average(values, weights=support)) for values in (precision, recall, f1))),
        letters=tuple(
            LetterScores(names[index], float(precision[row]), float(recall[row]), float(f1[row]), int(support[row]))
            for row, index in enumerate(occurring)
        ),
        groups=groups,
        worst_group=min(groups, key=lambda group: group.accuracy, default=None),
    )


def _scores_of_some(answers: _Answers, rows: NDArray[np.bool_], names: tuple[str, ...]) -> Scores | None:
    return _scores(answers.take(rows), names) if rows.any() else None


def _group_scores(answers: _Answers, is_right: NDArray[np.bool_]) -> tuple[GroupScores, ...]:
    rows_of = {str(name): answers.group == name for name in np.unique(answers.group) if name}
    return tuple(
        GroupScores(
            name,
            int(rows.sum()),
            float(is_right[rows].mean()),
            n_rows_trained_on=int(answers.is_trained_on[rows].sum()),
            n_rows_validated_on=int(answers.is_validated_on[rows].sum()),
        )
        for name, rows in rows_of.items()
    )


def _rows(answers: _Answers, hashes: NDArray[np.str_], names: tuple[str, ...]) -> tuple[RowAnswer, ...]:
    answered = answers.probabilities.argmax(axis=1)
    return tuple(
        RowAnswer(
            sha256=str(hashes[row]),
            group=str(answers.group[row]),
            letter=names[answers.truth[row]],
            answer=names[answer],
            confidence=float(answers.probabilities[row, answer]),
            is_trained_on=bool(answers.is_trained_on[row]),
            is_validated_on=bool(answers.is_validated_on[row]),
        )
        for row, answer in enumerate(answered.tolist())
    )


def _confusion_matrix(answers: _Answers, n_names: int) -> NDArray[np.int64]:
    answered = answers.probabilities.argmax(axis=1)
    return np.asarray(confusion_matrix(answers.truth, answered, labels=range(n_names)), np.int64)


def _confusions(matrix: NDArray[np.int64], names: tuple[str, ...]) -> tuple[Confusion, ...]:
    mistakes = matrix * ~np.eye(len(matrix), dtype=np.bool_)
    # Stable, so that equal counts come in the letters' order.
    order = np.argsort(-mistakes, axis=None, kind="stable")[:N_CONFUSIONS]
    pairs = zip(*np.unravel_index(order, matrix.shape), strict=True)
    return tuple(
        Confusion(names[truth], names[answer], int(count), float(count / matrix[truth].sum()))
        for truth, answer in pairs
        if (count := mistakes[truth, answer])
    )


def _overlap(trained: TrainedModel, answers: _Answers, names: tuple[str, ...]) -> _Overlap:
    n_rows = len(answers.truth)
    if not len(trained.train_row_hashes):
        return _Overlap(n_rows, None, None, None)
    n_trained_on = int(answers.is_trained_on.sum())
    # A model that nothing validated has no accuracy of it; files of older versions have one, but no list.
    if not len(trained.val_row_hashes) and not math.isnan(trained.val_accuracy):
        return _Overlap(n_rows, n_trained_on, None, None)
    unseen = _scores_of_some(answers, ~answers.is_trained_on & ~answers.is_validated_on, names)
    return _Overlap(n_rows, n_trained_on, int(answers.is_validated_on.sum()), unseen)


def _overlap_notices(overlap: _Overlap) -> Iterator[str]:
    n_rows, n_trained_on, n_validated_on = overlap.n_rows, overlap.n_trained_on, overlap.n_validated_on
    if n_trained_on is None:
        yield "The model's file does not list what it was trained on: whether these rows were among it is unknown."
        return
    if n_trained_on == n_rows:
        yield f"All {n_rows:,} rows were in the training set: the accuracy tells how well they were learnt by heart."
        return
    seen = []
    if n_trained_on:
        seen.append(f"{n_trained_on:,} of {n_rows:,} rows ({n_trained_on / n_rows:.0%}) were in the training set")
    if n_validated_on:
        seen.append(f"{n_validated_on:,} of {n_rows:,} rows chose the model's epoch and temperature")
    if seen:
        yield f"{' and '.join(seen)}, and flatter the accuracy; {_rest(overlap)}."
    else:
        yield (
            "No row is known to have been in the training set, but overlap is recognised by file hash only: landmarks"
            " imported from elsewhere cannot be compared with photographs."
        )
    if n_validated_on is None:
        yield (
            "The model's file does not list the rows that chose its epoch and temperature: whether these rows were"
            " among them is unknown."
        )


def _rest(overlap: _Overlap) -> str:
    if overlap.n_validated_on is None:
        return "how many of the others are really unseen is unknown"
    if overlap.unseen is None:
        return "no row is really unseen"
    return f"on the other {overlap.unseen.n_rows:,}, by file hash unseen, it is {overlap.unseen.accuracy:.1%}"


def _group_notices(answers: _Answers, scores: Scores, *, is_known: bool) -> Iterator[str]:
    if not scores.groups:
        yield "The rows name no groups (signers or sources): the accuracy is not one on new signers."
        return
    if n_without := int((answers.group == "").sum()):
        yield f"{n_without:,} rows belong to no group; they count in all other figures."
    if seen := [entry.group for entry in scores.groups if entry.n_rows_trained_on]:
        yield f"The model was trained on rows of {', '.join(seen)}: the accuracy there is not one on new signers."
    if chosen_on := [entry.group for entry in scores.groups if entry.n_rows_validated_on]:
        names = ", ".join(chosen_on)
        yield f"The model's epoch and temperature were chosen on rows of {names}: the accuracy there is flattered."
    if is_known and len(seen) < len(scores.groups):
        yield (
            "Of groups without a row in the training set it is still unknown whether the same people were in it under"
            " another name or in other pictures."
        )


def _label_notices(scores: Scores, known: tuple[str, ...]) -> Iterator[str]:
    occurring = {entry.letter: entry.support for entry in scores.letters}
    if unknown := [letter for letter in occurring if letter not in known]:
        n_rows = sum(occurring[letter] for letter in unknown)
        yield f"{n_rows:,} rows show {', '.join(unknown)}, which the model does not know; they count as mistakes."
    if absent := [letter for letter in known if letter not in occurring]:
        yield f"No row shows {', '.join(absent)}: averages are over the other letters."
