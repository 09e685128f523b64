"""Pictures show the report's numbers; nothing is written here."""

import io
from dataclasses import replace

import numpy as np
import pytest

from asl.core import plots
from asl.core.coverage import Coverage, CoveragePoint
from asl.core.report import Averages, Confusion, GroupScores, LetterScores, ReliabilityBin, Report, Scores


@pytest.fixture
def report():
    groups = (GroupScores("ann", 3, 1.0, 0), GroupScores("$_bob$", 2, 0.25, 0), GroupScores("cy", 1, 0.5, 0))
    scores = Scores(
        n_rows=6,
        accuracy=4 / 6,
        top3_accuracy=1.0,
        calibration_error=0.125,
        macro=Averages(0.7, 0.7, 0.65),
        weighted=Averages(0.7, 0.7, 0.7),
        letters=(LetterScores("A", 1.0, 0.75, 0.8, 4), LetterScores("J", 0.5, 1.0, 2 / 3, 2)),
        groups=groups,
        worst_group=groups[1],
    )
    return Report(
        model_name="cost_$5",
        model_sha256="0" * 64,
        feature_schema="asl84-v1",
        temperature=1.0,
        label_names=("A", "B", "J", "Q"),
        all_rows=scores,
        without_motion=scores,
        n_rows_trained_on=0,
        not_trained_on=scores,
        confusion_matrix=((3, 1, 0, 0), (0, 0, 0, 0), (0, 0, 2, 0), (0, 0, 0, 0)),
        confusions=(Confusion("A", "B", 1, 0.25),),
        reliability=(ReliabilityBin(0.4, 0.5, 2, 0.45, 0.5), ReliabilityBin(0.9, 1.0, 4, 0.95, 0.75)),
        coverage=Coverage((CoveragePoint(0.9, 0.5, 1.0), CoveragePoint(0.4, 1.0, 0.75)), 0.1, 0.05),
        notices=(),
    )


def test_the_confusion_matrix_is_normalised_by_row_and_leaves_out_letters_that_never_occur(report):
    axes = plots.draw_confusion_matrix(report).axes[0]

    shown = axes.images[0].get_array()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "B", "J"]
    assert shown[0].tolist() == [0.75, 0.25, 0]
    assert shown[2].tolist() == [0, 0, 1]
    assert np.ma.getmaskarray(shown)[1].all()  # B is answered, but no row shows it
    assert [text.get_text() for text in axes.texts if text.get_text().isdigit()] == ["75", "25", "100"]


def test_the_bars_are_the_f1_scores(report):
    axes = plots.draw_f1_scores(report).axes[0]

    assert [bar.get_height() for bar in axes.patches] == [0.8, pytest.approx(2 / 3)]
    assert axes.patches[0].get_facecolor() != axes.patches[1].get_facecolor()
    assert "macro\n0.650" in [text.get_text() for text in axes.texts]


def test_the_worst_group_stands_at_the_top_in_another_colour(report):
    axes = plots.draw_group_accuracy(report).axes[0]

    assert [bar.get_width() for bar in axes.patches] == [1.0, 0.5, 0.25]
    assert axes.patches[0].get_facecolor() == axes.patches[1].get_facecolor() != axes.patches[2].get_facecolor()


def test_the_reliability_shows_confidence_against_accuracy(report):
    axes = plots.draw_reliability(report).axes[0]

    assert [[float(number) for number in pair] for pair in axes.lines[1].get_xydata()] == [[0.45, 0.5], [0.95, 0.75]]
    assert [bar.get_height() for bar in axes.patches] == [pytest.approx(2 / 6), pytest.approx(4 / 6)]


def test_the_coverage_shows_accuracy_against_the_share_answered(report):
    axes = plots.draw_coverage(report).axes[0]

    assert [[float(number) for number in pair] for pair in axes.lines[0].get_xydata()] == [[0.5, 1.0], [1.0, 0.75]]
    assert any("AURC 0.100, at best 0.050" in text.get_text() for text in axes.get_legend().get_texts())


@pytest.mark.parametrize("draw", [plots.draw_confusion_matrix, plots.draw_f1_scores, plots.draw_group_accuracy])
def test_titles_state_model_rows_and_accuracy_and_dollars_are_no_formula(report, draw):
    figure = draw(report)

    figure.savefig(io.BytesIO(), dpi=20)
    assert r"cost_\$5 (00000000) on 6 rows: accuracy 66.7%" in [text.get_text() for text in figure.axes[0].texts]


def test_many_letters_with_long_names_can_be_drawn(report):
    names = tuple(f"class_{number}" for number in range(60))
    matrix = tuple(tuple(row) for row in np.eye(60, dtype=int).tolist())

    figure = plots.draw_confusion_matrix(replace(report, label_names=names, confusion_matrix=matrix))

    figure.savefig(io.BytesIO(), dpi=20)
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == list(names)
    assert not any(text.get_text() == "100" for text in figure.axes[0].texts)
