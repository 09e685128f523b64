"""The hand as MediaPipe sees it: 21 landmarks, their connections, and its side."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.contracts import Handedness

LANDMARK_NAMES: Final = (
    "wrist",
    *("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *("index_mcp", "index_pip", "index_dip", "index_tip"),
    *("middle_mcp", "middle_pip", "middle_dip", "middle_tip"),
    *("ring_mcp", "ring_pip", "ring_dip", "ring_tip"),
    *("pinky_mcp", "pinky_pip", "pinky_dip", "pinky_tip"),
)
N_LANDMARKS: Final = len(LANDMARK_NAMES)
WRIST: Final = 0

# Our own constant, in MediaPipe 0.10's order: MediaPipe's list changed between versions.
CONNECTIONS: Final = (
    *((0, 1), (1, 2), (2, 3), (3, 4)),
    *((0, 5), (5, 6), (6, 7), (7, 8)),
    *((5, 9), (9, 10), (10, 11), (11, 12)),
    *((9, 13), (13, 14), (14, 15), (15, 16)),
    *((13, 17), (0, 17), (17, 18), (18, 19), (19, 20)),
)
"""The 21 pairs of connected landmarks."""

LETTERS: Final = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
MOTION_LETTERS: Final = frozenset("JZ")
"""Letters that are movements; a still picture shows only how they start."""

_USUAL_ASPECT: Final = 4 / 3
_USUAL_UNITS: Final = np.array([_USUAL_ASPECT, 1, _USUAL_ASPECT], np.float32)
_AS_IT_IS, _MIRRORED = np.array([[1, 1, 1], [-1, 1, 1]], np.float32)


@dataclass(frozen=True)
class Hand:
    """One hand found in a picture."""

    landmarks: NDArray[np.float32]
    """(21, 3) float32: x and y in [0, 1] of the picture's width and height (beyond it where a hand is cut off), z on
    x's scale, relative to the wrist, negative towards the camera."""
    world_landmarks: NDArray[np.float32]
    """(21, 3) float32: metres, relative to the hand's centre; NaN where unknown."""
    handedness: Handedness
    score: float
    """MediaPipe's confidence in the side, in [0, 1]; it gives none in the hand itself."""
    border: float
    """The border with which the hand was found, as a share of the longer side; 0 at the first try."""
    image_size: tuple[int, int]
    """Width and height of the picture, in pixels."""

    def mirrored(self) -> "Hand":
        """Return the hand as the picture's mirror image shows it, or, of a hand found there, as the picture does."""
        x_mirrored = np.array([-1, 1, 1], np.float32)
        return replace(
            self,
            landmarks=self.landmarks * x_mirrored + np.array([1, 0, 0], np.float32),
            world_landmarks=self.world_landmarks * x_mirrored,
            handedness=self.handedness.other,
        )


def square_units(image_size: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the factors that make landmarks as long in x as in y and z.

    Args:
        image_size: (n, 2) int32 width and height of each hand's picture, 0 where unknown: then as 4 to 3, which most
            webcams have.

    Returns:
        (n, 1, 3) float32: x and z are in widths of the picture, y in heights; all become heights.
    """
    width, height = image_size.astype(np.float32).T
    units = np.full((len(image_size), 1, 3), _USUAL_UNITS)
    # Each call of numpy counts where there is one hand.
    is_known = np.minimum(width, height) > 0
    np.divide(width[:, None], height[:, None], out=units[:, 0, ::2], where=is_known[:, None])
    return units


def mirrored_to_right(landmarks: NDArray[np.float32], is_left: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Turn left hands into right ones by mirroring x.

    Args:
        landmarks: (n, 21, 3) float, relative to the wrist.
        is_left: (n,) bool, true where the hand is a left one.

    Returns:
        (n, 21, 3), a new array.
    """
    signs: NDArray[np.float32] = np.where(is_left[:, None, None], _MIRRORED, _AS_IT_IS)
    return landmarks * signs
