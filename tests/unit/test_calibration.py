import numpy as np
import pytest
import torch

from asl.core.calibration import expected_calibration_error, fit_temperature, reliability_bins


def drawn(n_rows, seed=0):
    """Logits whose softmax is exactly how often each label is drawn."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n_rows, 5, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_what_logits_were_multiplied_by(factor):
    logits, labels = drawn(20_000)
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.05)


def test_temperature_mends_the_calibration_error():
    logits, labels = drawn(5_000)
    confident = logits * 5
    before = expected_calibration_error(confident.softmax(1).numpy(), labels.numpy())
    mended = (confident / fit_temperature(confident, labels)).softmax(1).numpy()
    assert before > 0.2
    assert expected_calibration_error(mended, labels.numpy()) < 0.03


def test_edge_cases_of_the_temperature():
    assert fit_temperature(torch.empty(0, 3), torch.empty(0, dtype=torch.int64)) == 1
    all_right = fit_temperature(torch.eye(3), torch.arange(3))
    all_wrong = fit_temperature(torch.eye(3), torch.tensor([1, 2, 0]))
    assert all_right == pytest.approx(0.05, rel=0.1)
    assert all_wrong == pytest.approx(20, rel=0.1)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    labels = np.array([0, 1, 1, 1])
    # bin of 0.8: half right; bins of 0.7 and 0.6: right
    assert expected_calibration_error(probabilities, labels, 10) == pytest.approx((2 * 0.3 + 0.3 + 0.4) / 4)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    probabilities, labels = np.array([[0.75, 0.25], [0.5, 0.5], [0.51, 0.49]]), np.array([0, 1, 0])
    bins = reliability_bins(probabilities, labels, 4)
    assert [(entry.lower, entry.upper, entry.n_rows) for entry in bins] == [(0.25, 0.5, 1), (0.5, 0.75, 2)]
    assert [entry.accuracy for entry in bins] == [0, 1]
    assert bins[1].confidence == pytest.approx(0.63)


def test_gaps_within_a_bin_cancel_and_between_bins_do_not():
    probabilities = np.array([[0.75, 0.25]] * 4)
    labels = np.array([0, 0, 0, 1])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == 1
    assert expected_calibration_error(np.empty((0, 2)), np.empty(0, np.int64)) == 0
