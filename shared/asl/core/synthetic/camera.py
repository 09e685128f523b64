"""A pinhole camera in front of the hand."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from asl.core.synthetic.skeleton import FloatArray

# From a webcam at arm's length to a camera across a table, metres.
DISTANCE_RANGE_M: Final = (0.45, 1.0)
# The share of the picture's shorter side that the joints of an open hand cover. MediaPipe's palm detector misses
# hands that nearly fill the picture.
COVER_RANGE: Final = (0.40, 0.64)
# A fist is not brought nearer to the camera than a hand whose joints span this, metres.
LEAST_SPAN_M: Final = 0.165
# Joints keep this share of the picture's side from its border.
MARGIN: Final = 0.10


@dataclass(frozen=True)
class Camera:
    """A camera that looks along +z at a wrist on its axis.

    Attributes:
        distance: metres from the camera to the wrist.
        focal: focal length in pixels.
        centre: (2,) pixels, where the wrist appears.
    """

    distance: float
    focal: float
    centre: FloatArray

    def scale_at(self, points: FloatArray) -> FloatArray:
        """(n,) pixels per metre at (n, 3) points relative to the wrist."""
        return self.focal / (self.distance + points[:, 2])

    def project(self, points: FloatArray) -> FloatArray:
        """Project points into the picture.

        Args:
            points: (n, 3) metres on the camera's axes, relative to the wrist.

        Returns:
            (n, 3) pixels: column, row, and depth behind the wrist at the wrist's scale.
        """
        plane = points[:, :2] * self.scale_at(points)[:, None] + self.centre
        depth = points[:, 2:] * self.focal / self.distance
        return np.concatenate([plane, depth], axis=1)


def place_camera(joints: FloatArray, size: tuple[int, int], rng: np.random.Generator) -> Camera:
    """Draw a camera that sees every joint.

    Args:
        joints: (21, 3) metres on the camera's axes, relative to the wrist.
        size: width and height of the picture in pixels.
        rng: draws distance, cover and place.
    """
    distance = float(rng.uniform(*DISTANCE_RANGE_M))
    seen = Camera(distance, focal=1.0, centre=np.zeros(2)).project(joints)[:, :2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    cover = rng.uniform(*COVER_RANGE) * min(size)
    focal = float(cover / max((high - low).max(), LEAST_SPAN_M / distance))
    room = np.array(size, dtype=np.float64)
    free = room * (1.0 - 2.0 * MARGIN) - (high - low) * focal
    centre = room * MARGIN - low * focal + free * rng.uniform(0.25, 0.75, 2)
    return Camera(distance, focal, centre)
