"""A model and features to a report: how well the model reads them."""

from typing import Any

from asl.contracts import EvaluationRequest, Progress
from asl.core import evaluation as core_evaluation
from asl.core.checkpoint import load_model
from asl.core.classifier import Classifier
from asl.core.report import Report, Scores
from asl.core.report_files import write_report
from asl.pipelines.context import Context, Outcome
from asl.pipelines.requests import check_stopping, choose_device, parse
from asl.pipelines.sources import data_digest, fetch_features, fetch_model, load_features


def run(context: Context) -> Outcome:
    """Make the files of `asl evaluate-model`.

    Raises:
        NotFound: The model or the features are not there.
        DatasetInvalid, ModelInvalid, OutOfMemory: See `asl.core.evaluation.evaluate`.
        Unavailable: The store cannot be reached, or gives other bytes.
        Stopped: The job was told to stop.
    """
    request = parse(context, EvaluationRequest)
    device = choose_device(context, request.device)
    model, features = fetch_model(context, request.model), fetch_features(context, request.data)
    trained, rows = load_model(model.path, device), load_features(features)
    check_stopping(context)
    context.tell_progress(Progress(total=len(rows), unit="rows"))
    report = core_evaluation.evaluate(
        trained,
        rows,
        batch_size=request.batch_size,
        device=device,
        allow_unknown_labels=request.allow_unknown_labels,
    )
    for notice in report.notices:
        context.tell(f"note: {notice}")
    folder = context.folder / "report"
    write_report(report, folder, model=Classifier(trained).version, data=[entry.job_id for entry in features])
    context.tell_progress(Progress(done=len(rows), total=len(rows), unit="rows"))
    digest = data_digest(features)
    return Outcome(
        {"model_id": model.model_id, "data_digest": digest, **_result(report)},
        {path.name: path for path in sorted(folder.iterdir())},
        {"evaluation": {"model_id": model.model_id, "data_digest": digest, "figures": _figures(report)}},
    )


def _figures(report: Report) -> dict[str, Any]:
    """Return what is noted with the model; see `asl.contracts.Evaluation`."""
    scores = report.all_rows
    return {
        "n_rows": scores.n_rows,
        "accuracy": scores.accuracy,
        "unseen_accuracy": report.unseen.accuracy if report.unseen else None,
        "macro_f1": scores.macro.f1,
        "worst_group": scores.worst_group.group if scores.worst_group else None,
        "worst_group_accuracy": scores.worst_group.accuracy if scores.worst_group else None,
    }


def _result(report: Report) -> dict[str, Any]:
    return {
        **_figures(report),
        "top3_accuracy": report.all_rows.top3_accuracy,
        "calibration_error": report.all_rows.calibration_error,
        "without_motion_accuracy": _accuracy(report.without_motion),
        "not_trained_on_accuracy": _accuracy(report.not_trained_on),
        "n_rows_trained_on": report.n_rows_trained_on,
        "n_rows_validated_on": report.n_rows_validated_on,
        "groups": _groups(report),
        "notices": list(report.notices),
        "advice": [entry.as_dict() for entry in report.advice],
        "aurc": report.coverage.aurc,
    }


def _groups(report: Report) -> list[dict[str, Any]]:
    """Tell of each signer or source, worst first."""
    groups = sorted(report.all_rows.groups, key=lambda entry: entry.accuracy)
    return [{"group": entry.group, "n_rows": entry.n_rows, "accuracy": entry.accuracy} for entry in groups]


def _accuracy(scores: Scores | None) -> float | None:
    return scores.accuracy if scores else None
