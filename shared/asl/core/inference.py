"""A trained network as plain matrices: for one hand its modules cost PyTorch five times what their sums take."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asl.core.model import ASLClassifier

FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class _Hidden:
    weights: FloatArray
    """(n_in, n_out)."""
    bias: FloatArray
    """(n_out,)."""
    carries: bool
    """Whether the input is added to the output, as V2 does."""
    shortcut: FloatArray | None
    """(n_in, n_out) by which it is multiplied first; None for as it is."""


class PlainNetwork:
    """A network in evaluation mode with its batch normalisation folded into its weights; for any number of threads."""

    def __init__(self, model: ASLClassifier) -> None:
        """Copy a trained network's weights."""
        parts = dict(model.network.named_modules())
        shortcuts = [part for name, part in parts.items() if name.endswith("shortcut")]
        *linears, last = (
            part for part in parts.values() if isinstance(part, nn.Linear) and not any(part is one for one in shortcuts)
        )
        norms = [part for part in parts.values() if isinstance(part, nn.BatchNorm1d)]
        self._scale, self._shift = _affine(model.normalisation, model.input_size)
        self._hidden = [_folded(*layer) for layer in zip(linears, norms, shortcuts or [None] * len(norms), strict=True)]
        self._weights, self._bias = _array(last.weight.T), _array(last.bias)

    def logits(self, features: FloatArray) -> FloatArray:
        """Score each label.

        Args:
            features: (n, input_size) float32.

        Returns:
            (n, num_classes) float32, as the network's own up to rounding.
        """
        values = features * self._scale + self._shift
        for layer in self._hidden:
            answer = values @ layer.weights
            answer += layer.bias
            np.maximum(answer, 0, out=answer)
            if layer.carries:
                answer += values if layer.shortcut is None else values @ layer.shortcut
            values = answer
        return np.asarray(values @ self._weights + self._bias, np.float32)


def _folded(linear: nn.Linear, norm: nn.BatchNorm1d, shortcut: nn.Module | None) -> _Hidden:
    scale, shift = _affine(norm, linear.out_features)
    weights = _array(linear.weight.T) * scale
    bias = _array(linear.bias) * scale + shift
    carried = _array(shortcut.weight.T) if isinstance(shortcut, nn.Linear) else None
    return _Hidden(np.ascontiguousarray(weights), bias, shortcut is not None, carried)


def _affine(norm: nn.Module, size: int) -> tuple[FloatArray, FloatArray]:
    """Return the factors and the shifts of a batch normalisation; of none, those that change nothing."""
    if not isinstance(norm, nn.BatchNorm1d) or norm.running_mean is None or norm.running_var is None:
        return np.ones(size, np.float32), np.zeros(size, np.float32)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return _array(scale), _array(norm.bias - norm.running_mean * scale)


def _array(tensor: Tensor) -> FloatArray:
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy()).copy()
