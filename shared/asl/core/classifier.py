"""A trained network with its labels and its temperature: hands to probabilities."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.contracts import Handedness, NoLetter
from asl.core.checkpoint import TrainedModel, load_model
from asl.core.features import compute_features
from asl.core.hand import N_LANDMARKS, Hand
from asl.core.inference import PlainNetwork
from asl.errors import ModelInvalid

_VERSION_DIGITS: Final = 8
_SUM_TOLERANCE: Final = 1e-3
_POINTS: Final = np.linspace(0, 1, N_LANDMARKS * 3, dtype=np.float32).reshape(N_LANDMARKS, 3) ** 2
_PROBE: Final = Hand(_POINTS, _POINTS, Handedness.RIGHT, score=1, border=0, image_size=(640, 480))


class Classifier:
    """A trained network with its labels; any number of threads may use one."""

    def __init__(self, trained: TrainedModel) -> None:
        self._network = PlainNetwork(trained.model)
        self._temperature = trained.temperature
        self._schema = trained.feature_schema
        self._unsure_below = trained.unsure_below
        self._not_a_letter_below = trained.not_a_letter_below
        self.label_names = trained.label_names
        self.version = f"{trained.name}-{trained.sha256[:_VERSION_DIGITS]}"

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute calibrated probabilities.

        Args:
            features: (n, n_features) float32, of the model's schema.

        Returns:
            (n, n_labels) float32 that sum to 1 in each row, in the order of `label_names`.
        """
        with np.errstate(all="ignore"):  # of a damaged file; `try_out` finds what is no probability
            logits = self._network.logits(features) / np.float32(self._temperature)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)

    def classify(self, hands: Sequence[Hand]) -> NDArray[np.float32]:
        """Compute calibrated probabilities of hands.

        Returns:
            (n, n_labels) float32, as `predict` does.

        Raises:
            LandmarksInvalid: A hand without size, or with numbers that are not finite.
        """
        landmarks = np.array([hand.landmarks for hand in hands])
        is_left = [hand.handedness == Handedness.LEFT for hand in hands]
        return self.predict(compute_features(landmarks, is_left, [hand.image_size for hand in hands], self._schema))

    def verdict(self, confidence: float) -> NoLetter | None:
        """Tell why an answer of some confidence is refused, by the thresholds in the model's file.

        Args:
            confidence: Of the likeliest letter, in [0, 1].

        Returns:
            The reason; None where the answer stands.
        """
        if confidence >= self._unsure_below:
            return None
        return NoLetter.NOT_A_LETTER if confidence < self._not_a_letter_below else NoLetter.UNSURE

    def try_out(self) -> None:
        """Check on a made-up hand that it can answer.

        Raises:
            ModelInvalid: It cannot compute, or gives no probabilities.
        """
        try:
            probabilities = self.classify([_PROBE])
        except ValueError as error:  # as NumPy says that sizes do not fit
            raise ModelInvalid("expected a model that can answer, found one that cannot compute") from error
        shape = (1, len(self.label_names))
        if probabilities.shape != shape or not abs(float(probabilities.sum()) - 1) < _SUM_TOLERANCE:
            raise ModelInvalid(
                f"expected probabilities that sum to 1, found {float(probabilities.sum()):g}",
                hint="Train the model anew.",
            )


def load_classifier(path: Path | None = None) -> Classifier:
    """Load a trained model.

    Args:
        path: A .pt file of `asl train-model`; None for the starter model that comes with the package.

    Raises:
        NotFound: There is no such file.
        ModelInvalid: The file is no model of ours.
    """
    return Classifier(load_model(path or starter_path()))


def starter_path() -> Path:
    """Tell where the packaged starter model lies."""
    return Path(str(resources.files("asl.assets") / "starter.pt"))
