import numpy as np
import pytest
import torch

from asl.core.inference import PlainNetwork
from asl.core.model import ASLClassifier, ASLClassifierV2


@pytest.mark.parametrize("kind", [ASLClassifier, ASLClassifierV2])
@pytest.mark.parametrize("hidden", [(8,), (10, 6, 6, 3)])
@pytest.mark.parametrize("normalise_input", [False, True])
def test_plain_matrices_answer_as_the_network_does(kind, hidden, normalise_input):
    torch.manual_seed(0)
    model = kind(10, hidden, 4, normalise_input=normalise_input)
    for _ in range(20):  # moves the statistics of every normalisation away from where they start
        model(3 * torch.randn(64, 10) + 1)
    for name, weights in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(weights, -1, 1)
    features = torch.randn(7, 10)
    with torch.inference_mode():
        expected = model.eval()(features).numpy()
    found = PlainNetwork(model).logits(features.numpy())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_later_training_does_not_reach_the_copy():
    model = ASLClassifier(10, (8,), 4)
    network, features = PlainNetwork(model), np.ones((1, 10), np.float32)
    before = network.logits(features)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(1)
    np.testing.assert_array_equal(network.logits(features), before)
