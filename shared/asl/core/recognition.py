"""A photograph to a letter: the road that every recognition takes, on the command line and in the gateway."""

from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from asl.contracts import Alternative, ExtractionOptions, NoLetter, Recognition
from asl.core import images
from asl.core.checkpoint import TrainedModel, load_model
from asl.core.extraction import Hand, HandExtractor
from asl.core.features import compute_features
from asl.core.hand import MOTION_LETTERS

N_ALTERNATIVES: Final = 3
_VERSION_DIGITS: Final = 8


class Classifier:
    """A trained network with its labels; any number of threads may use one."""

    def __init__(self, trained: TrainedModel) -> None:
        self._model = trained.model
        self._temperature = trained.temperature
        self.label_names = trained.label_names
        self.version = f"{trained.name}-{trained.sha256[:_VERSION_DIGITS]}"

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute calibrated probabilities.

        Args:
            features: (n, 84) float32.

        Returns:
            (n, n_labels) float32 that sum to 1 in each row, in the order of `label_names`.
        """
        with torch.inference_mode():
            logits = self._model(torch.from_numpy(features))
            probabilities: NDArray[np.float32] = torch.softmax(logits / self._temperature, dim=1).numpy()
        return probabilities


class Recognizer:
    """One landmarker and a classifier; for one thread at a time.

    Use as a context manager, or call `close`.
    """

    def __init__(
        self,
        classifier: Classifier,
        landmarker_path: Path,
        options: ExtractionOptions | None = None,
        *,
        max_image_bytes: int = images.MAX_IMAGE_BYTES,
    ) -> None:
        """Load the landmarker.

        Args:
            classifier: What names the letter; may be shared between recognizers.
            landmarker_path: The landmarker's model file, see `asl.core.landmarker.ensure`.
            options: How hands are looked for.
            max_image_bytes: Largest image file accepted.
        """
        self._max_image_bytes = max_image_bytes
        self.classifier = classifier
        """What names the letter; another may take its place between two pictures."""
        self._extractor = HandExtractor(landmarker_path, options)

    def recognize(self, data: bytes) -> Recognition:
        """Read the letter that a photograph shows.

        Args:
            data: An image file's bytes.

        Raises:
            ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable: See `images.decode`.
        """
        hands = self._extractor.extract(images.decode(data, max_bytes=self._max_image_bytes))
        if not hands:
            return self._no_letter(NoLetter.NO_HAND)
        return self._letter_of(hands[0])

    def close(self) -> None:
        """Free the landmarker."""
        self._extractor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _letter_of(self, hand: Hand) -> Recognition:
        features = compute_features(hand.landmarks[None], [hand.handedness == "left"])
        probabilities = self.classifier.predict(features)[0]
        best = np.argsort(-probabilities)[:N_ALTERNATIVES]
        alternatives = tuple(
            Alternative(letter=self.classifier.label_names[index], confidence=round(float(probabilities[index]), 4))
            for index in best
        )
        return Recognition(
            letter=alternatives[0].letter,
            confidence=alternatives[0].confidence,
            handedness=hand.handedness,
            alternatives=alternatives,
            needs_motion=alternatives[0].letter in MOTION_LETTERS,
            reason=None,
            model_version=self.classifier.version,
        )

    def _no_letter(self, reason: NoLetter) -> Recognition:
        return Recognition(
            letter=None,
            confidence=0,
            handedness=None,
            alternatives=(),
            needs_motion=False,
            reason=reason,
            model_version=self.classifier.version,
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
