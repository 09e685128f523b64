"""The classifiers: features of a hand to one score a letter."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Final, Self

import torch
from torch import Tensor, nn

from asl.contracts import DEFAULT_HIDDEN_SIZES, ModelType
from asl.core.features import N_FEATURES
from asl.errors import ModelInvalid

MAX_PARAMETERS: Final = 250_000_000
"""Largest network that is built, 1 GB of float32: a damaged file must not ask for all of the memory."""

_MAX_LAYERS: Final = 100
_LOWEST_INT64: Final = -(2**63)
_N_DRAWN_AHEAD: Final = 2**18
"""Values for which dropout draws at once: 1 MB, which stays in a core's cache."""


class Dropout(nn.Dropout):
    """Dropout whose mask costs a tenth of PyTorch's on a CPU, where drawing masks is up to half of a training step.

    PyTorch draws one double a value and call; this draws 16 bits a value, from the same generator, for many calls at
    once. The rate is thereby rounded to a multiple of 2^-16. What was drawn ahead is forgotten by `train` and `eval`:
    an epoch depends on the generator's state at its start alone.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self._ahead = torch.empty(0)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - the parent's signature
        """Switch between training and evaluation."""
        self._ahead = torch.empty(0)
        return super().train(mode)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name of the parent's argument
        """Set values to zero at random and scale the others up, while training."""
        if not self.training or not self.p or input.device.type != "cpu":
            return super().forward(input)
        n_values = input.numel()
        if len(self._ahead) < n_values:
            self._ahead = self._draw(max(n_values, _N_DRAWN_AHEAD)).to(input.dtype)
        factors, self._ahead = self._ahead[:n_values], self._ahead[n_values:]
        return input * factors.view(input.shape)

    def _draw(self, n_values: int) -> Tensor:
        """Return (n_values,) float32: 0 for what is dropped, 1 / (1 - p) for the rest."""
        numbers = torch.empty((n_values + 3) // 4, dtype=torch.int64).random_(_LOWEST_INT64, None)
        keep = numbers.view(torch.int16)[:n_values] >= round(self.p * 2**16) - 2**15
        return keep.float().mul_(1 / (1 - self.p))


class ASLClassifier(nn.Module):
    """V1: for each hidden layer linear, batch normalisation, ReLU and dropout; then one linear layer.

    With `normalise_input` the features are brought to mean 0 and variance 1 first, by batch normalisation.

    To make one of your own, subclass it and call its constructor with other sizes. What `config` tells is enough to
    read the saved model again as long as the subclass adds no layers.
    """

    model_type: ClassVar[ModelType] = ModelType.V1

    def __init__(
        self,
        input_size: int = N_FEATURES,
        hidden_sizes: Sequence[int] = DEFAULT_HIDDEN_SIZES,
        num_classes: int = 26,
        dropout_rate: float = 0.3,
        *,
        normalise_input: bool = False,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_sizes = tuple(hidden_sizes)
        self.num_classes = num_classes
        self.dropout_rate = dropout_rate
        self.normalise_input = normalise_input
        self.normalisation = nn.BatchNorm1d(input_size) if normalise_input else nn.Identity()
        sizes = (input_size, *self.hidden_sizes)
        hidden = [layer for n_in, n_out in pairwise(sizes) for layer in self._hidden_layer(n_in, n_out)]
        self.network = nn.Sequential(*hidden, nn.Linear(sizes[-1], num_classes))

    @property
    def config(self) -> dict[str, Any]:
        """What `build_model` needs to build the same network, as plain values."""
        return {
            "model_type": str(self.model_type),
            "input_size": self.input_size,
            "num_classes": self.num_classes,
            "hidden_sizes": list(self.hidden_sizes),
            "dropout_rate": self.dropout_rate,
            **({"normalise_input": True} if self.normalise_input else {}),
        }

    def forward(self, features: Tensor) -> Tensor:
        """Score each letter.

        Args:
            features: (n, input_size) float32.

        Returns:
            (n, num_classes) float32 logits.
        """
        logits: Tensor = self.network(self.normalisation(features))
        return logits

    def _hidden_layer(self, n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), Dropout(self.dropout_rate)]


class ASLClassifierV2(ASLClassifier):
    """V2: as V1, but each hidden layer's input is added to its output (He et al. 2016, "Deep Residual Learning")."""

    model_type: ClassVar[ModelType] = ModelType.V2

    def _hidden_layer(self, n_in: int, n_out: int) -> list[nn.Module]:
        return [_ResidualLayer(n_in, n_out, self.dropout_rate)]


_CLASSES: Final = {kind.model_type: kind for kind in (ASLClassifier, ASLClassifierV2)}


def build_model(config: Mapping[str, Any]) -> ASLClassifier:
    """Build the network that a `config` describes, with fresh weights.

    Args:
        config: `model_type`, `input_size`, `num_classes` and, where they differ from the defaults, `hidden_sizes`,
            `dropout_rate` and `normalise_input`; other keys are ignored.

    Raises:
        ModelInvalid: The config describes no network of ours, or one beyond `MAX_PARAMETERS`.
    """
    sizes = _checked_sizes(config)
    dropout = config.get("dropout_rate", 0.3)
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ModelInvalid(f"expected a dropout rate from 0 to below 1, found {dropout!r:.80}")
    normalise = config.get("normalise_input", False)
    if not isinstance(normalise, bool):
        raise ModelInvalid(f"expected normalise_input to be true or false, found {normalise!r:.80}")
    return _class_of(config)(sizes[0], sizes[1:-1], sizes[-1], float(dropout), normalise_input=normalise)


def infer_hidden_sizes(state: Mapping[str, Tensor]) -> list[int]:
    """Read the hidden sizes from the shapes of a network's weights, for files whose config does not tell them."""
    outputs = [int(weights.shape[0]) for name, weights in state.items() if weights.ndim == 2 and "shortcut" not in name]
    return outputs[:-1]


class _ResidualLayer(nn.Module):
    def __init__(self, n_in: int, n_out: int, dropout_rate: float) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.norm = nn.BatchNorm1d(n_out)
        self.dropout = Dropout(dropout_rate)
        # Where the sizes differ a linear map carries the input over; without a bias, since `linear` has one.
        self.shortcut = nn.Identity() if n_in == n_out else nn.Linear(n_in, n_out, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        carried: Tensor = self.shortcut(inputs)
        added: Tensor = self.dropout(torch.relu(self.norm(self.linear(inputs))))
        return carried + added


def _class_of(config: Mapping[str, Any]) -> type[ASLClassifier]:
    name = config.get("model_type")
    if not isinstance(name, str) or name not in _CLASSES:
        raise ModelInvalid(f"expected model type {' or '.join(_CLASSES)}, found {name!r:.80}")
    return _CLASSES[ModelType(name)]


def _checked_sizes(config: Mapping[str, Any]) -> list[int]:
    hidden = config.get("hidden_sizes", DEFAULT_HIDDEN_SIZES)
    if not isinstance(hidden, list | tuple) or not 1 <= len(hidden) <= _MAX_LAYERS:
        raise ModelInvalid(f"expected a list of 1 to {_MAX_LAYERS} hidden sizes, found {hidden!r:.80}")
    sizes = [config.get("input_size"), *hidden, config.get("num_classes")]
    checked = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    if len(checked) < len(sizes):
        raise ModelInvalid(f"expected positive whole numbers as sizes of the layers, found {sizes!r:.80}")
    n_parameters = sum(n_in * n_out for n_in, n_out in pairwise(checked))
    if n_parameters > MAX_PARAMETERS:
        raise ModelInvalid(
            f"expected at most {MAX_PARAMETERS:,} parameters, found {n_parameters:,}", hint="Lower the hidden sizes."
        )
    return checked
