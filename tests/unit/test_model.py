import json

import pytest
import torch

from asl.core.model import MAX_PARAMETERS, ASLClassifier, ASLClassifierV2, Dropout, build_model, infer_hidden_sizes
from asl.errors import ModelInvalid

V1 = {"model_type": "v1", "input_size": 84, "num_classes": 26}


def test_v1_is_linear_norm_relu_dropout_per_hidden_layer_then_linear():
    kinds = [type(layer).__name__ for layer in ASLClassifier(hidden_sizes=(5, 4)).network]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2 + ["Linear"]


@pytest.mark.parametrize("kind", [ASLClassifier, ASLClassifierV2])
@pytest.mark.parametrize("hidden", [(8,), (6, 6, 3)])
def test_config_rebuilds_the_same_network(kind, hidden):
    torch.manual_seed(0)
    model = kind(input_size=10, hidden_sizes=hidden, num_classes=4, dropout_rate=0.1).eval()
    rebuilt = build_model(json.loads(json.dumps(model.config))).eval()
    rebuilt.load_state_dict(model.state_dict())
    features = torch.randn(7, 10)
    assert type(rebuilt) is kind
    assert torch.equal(rebuilt(features), model(features))
    assert infer_hidden_sizes(model.state_dict()) == list(hidden)


def test_v2_adds_a_layers_input_to_its_output():
    model = ASLClassifierV2(input_size=4, hidden_sizes=(4,), num_classes=4).eval()
    with torch.no_grad():
        layer = model.network[0]
        layer.linear.weight.zero_()
        layer.linear.bias.zero_()
        features = torch.randn(3, 4)
        assert torch.equal(layer(features), features)


def test_a_subclass_with_other_sizes_is_read_back_from_its_config():
    class Custom(ASLClassifier):
        def __init__(self, input_size=84, num_classes=26):
            super().__init__(
                input_size=input_size, hidden_sizes=(512, 256, 128, 64), num_classes=num_classes, dropout_rate=0.4
            )

    custom = Custom()
    rebuilt = build_model(custom.config)
    rebuilt.load_state_dict(custom.state_dict())
    assert rebuilt.hidden_sizes == (512, 256, 128, 64)
    assert rebuilt.dropout_rate == 0.4


def test_sizes_default_to_those_of_the_constructor():
    assert build_model(V1).hidden_sizes == (256, 128, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "v3"}, "expected model type v1 or v2, found 'v3'"),
        ({"model_type": None}, "found None"),
        ({"model_type": ["v1"]}, "model type"),
        ({"input_size": 0}, "positive whole numbers"),
        ({"num_classes": True}, "positive whole numbers"),
        ({"hidden_sizes": [8, -1]}, "positive whole numbers"),
        ({"hidden_sizes": [2.5]}, "positive whole numbers"),
        ({"hidden_sizes": []}, "hidden sizes"),
        ({"hidden_sizes": "256"}, "hidden sizes"),
        ({"hidden_sizes": [10**6, 10**6]}, f"at most {MAX_PARAMETERS:,} parameters"),
        ({"dropout_rate": 1.0}, "dropout"),
        ({"dropout_rate": "much"}, "dropout"),
        ({"dropout_rate": float("nan")}, "dropout"),
    ],
)
def test_a_config_of_no_network_is_refused(change, message):
    with pytest.raises(ModelInvalid, match=message):
        build_model({**V1, **change})


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.75])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    torch.manual_seed(1)
    values = torch.ones(1000, 999)  # not a multiple of the four values drawn at once
    dropped = Dropout(rate)(values)
    assert float((dropped == 0).float().mean()) == pytest.approx(rate, abs=0.003)
    kept = dropped[dropped != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - rate)))
    # Neighbours come from one random number; they must not fall together.
    zeros = (dropped == 0).float()
    assert float((zeros[:, 1:] * zeros[:, :-1]).mean()) == pytest.approx(rate**2, abs=0.003)


def test_dropout_follows_the_generator_and_only_acts_in_training():
    values, dropout = torch.randn(5, 7), Dropout(0.5)
    torch.manual_seed(3)
    first = dropout(values)
    second = dropout(values)
    torch.manual_seed(3)
    assert torch.equal(dropout.train()(values), first)
    assert not torch.equal(first, second)
    assert torch.equal(dropout.eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


def test_dropout_passes_the_gradient_of_what_it_kept():
    values = torch.randn(20, 20, requires_grad=True)
    dropped = Dropout(0.5)(values)
    dropped.sum().backward()
    assert torch.equal(values.grad != 0, dropped != 0)
