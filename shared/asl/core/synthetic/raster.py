"""A depth buffer that tapered capsules are drawn into, with normals and skin coordinates."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.camera import Camera
from asl.core.synthetic.flesh import Capsule
from asl.core.synthetic.skeleton import FloatArray

Plane = NDArray[np.float32]
FAR_PX = 1e5  # depth where nothing was drawn


@dataclass(frozen=True)
class Surface:
    """What the camera sees of the hand, pixel by pixel.

    Attributes:
        depth: (height, width) float32 pixels, growing away from the camera; FAR_PX: nothing there.
        normal: (3, height, width) float32 on the camera's axes, not of unit length where blended.
        along: (height, width) float32 in [0, 1], from the root to the end of the bone.
        back: (height, width) float32 in [-1, 1], 1 on the back of the hand, -1 on the palm's side.
        side: (height, width) float32 in [-1, 1], across the bone.
        part, bone: (height, width) int8, the nearest capsule's; -1: nothing there.
    """

    depth: Plane
    normal: Plane
    along: Plane
    back: Plane
    side: Plane
    part: NDArray[np.int8]
    bone: NDArray[np.int8]

    def at(self, chosen: NDArray[np.bool_] | tuple[slice, slice]) -> Self:
        """A box of the surface, or n chosen pixels of it with planes of shape (n,)."""
        return type(self)(
            depth=self.depth[chosen],
            normal=np.stack([plane[chosen] for plane in self.normal]),
            along=self.along[chosen],
            back=self.back[chosen],
            side=self.side[chosen],
            part=self.part[chosen],
            bone=self.bone[chosen],
        )

    @classmethod
    def empty(cls, size: tuple[int, int]) -> Self:
        """A surface of `size` (width, height) with nothing on it."""
        shape = (size[1], size[0])
        return cls(
            depth=np.full(shape, FAR_PX, dtype=np.float32),
            normal=np.zeros((3, *shape), dtype=np.float32),
            along=np.zeros(shape, dtype=np.float32),
            back=np.zeros(shape, dtype=np.float32),
            side=np.zeros(shape, dtype=np.float32),
            part=np.full(shape, -1, dtype=np.int8),
            bone=np.full(shape, -1, dtype=np.int8),
        )


def draw_capsules(capsules: list[Capsule], turn: FloatArray, camera: Camera, size: tuple[int, int]) -> Surface:
    """Draw the capsules of a hand.

    Args:
        capsules: in the hand frame.
        turn: (3, 3), from the hand frame to the camera's axes.
        camera: projects them.
        size: width and height of the picture in pixels.
    """
    surface = Surface.empty(size)
    for capsule in capsules:
        ends = capsule.ends @ turn.T
        scales = camera.scale_at(ends)
        seen = _SeenCapsule(
            ends=camera.project(ends),
            radii=capsule.radii * scales,
            back=turn @ capsule.back,
            blend=capsule.blend * float(scales.mean()),
        )
        _draw(surface, capsule, seen)
    return surface


@dataclass(frozen=True)
class _SeenCapsule:
    """A capsule in the picture: (2, 3) ends, (2,) radii and blend in pixels, (3,) back."""

    ends: FloatArray
    radii: FloatArray
    back: FloatArray
    blend: float


@dataclass(frozen=True)
class _Front:
    """The side of a capsule that the camera sees, (height, width) float32 each.

    Attributes:
        along: in [0, 1] from the first end to the second.
        depth: pixels.
        height: pixels over the axis; 0 where the camera looks past the capsule.
        radius: pixels.
    """

    along: Plane
    depth: Plane
    height: Plane
    radius: Plane


def _draw(surface: Surface, capsule: Capsule, seen: _SeenCapsule) -> None:
    """Draw one capsule and melt it into what is there."""
    window = _window(seen.ends, seen.radii, surface.depth.shape)
    if window is None:
        return
    rows, columns = window
    y, x = np.ogrid[rows, columns]
    u = (x + 0.5 - seen.ends[0, 0]).astype(np.float32)
    v = (y + 0.5 - seen.ends[0, 1]).astype(np.float32)
    front = _front(u, v, seen.ends, seen.radii)
    axis = (seen.ends[1] - seen.ends[0]).astype(np.float32)
    normal = np.stack([u - front.along * axis[0], v - front.along * axis[1], -front.height])
    normal /= front.radius
    weight = _melt(surface.depth[rows, columns], front, seen.blend)
    _mix(surface.normal[:, rows, columns], normal, weight)
    _mix(surface.back[rows, columns], _facing(seen.back, normal), weight)
    nearer = weight > 0.5
    across = np.cross(axis / np.linalg.norm(axis), seen.back)
    np.copyto(surface.side[rows, columns], _facing(across, normal), where=nearer)
    np.copyto(surface.along[rows, columns], front.along, where=nearer)
    surface.part[rows, columns][nearer] = capsule.part
    surface.bone[rows, columns][nearer] = capsule.bone


def _melt(depth: Plane, front: _Front, blend: float) -> Plane:
    """Merge a front into `depth` in place by a smooth minimum; its weight in [0, 1] there.

    The polynomial smooth minimum is Inigo Quilez's (iquilezles.org/articles/smin).
    """
    hit = front.height > 0.0
    weight = np.clip(0.5 + 0.5 * (depth - front.depth) / np.float32(blend), 0.0, 1.0) * hit
    merged = depth + (front.depth - depth) * weight - np.float32(blend) * weight * (1.0 - weight)
    np.copyto(depth, merged, where=hit)
    return np.asarray(weight)


def _mix(kept: Plane, added: Plane, weight: Plane) -> None:
    """Move `kept` in place towards `added`."""
    kept += (added - kept) * weight


def _facing(direction: FloatArray, normal: Plane) -> Plane:
    """(height, width) cosines between one direction and (3, height, width) normals."""
    return np.asarray(np.tensordot(direction.astype(np.float32), normal, 1), dtype=np.float32)


def _window(ends: FloatArray, radii: FloatArray, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns that a capsule can touch, or None outside of the picture."""
    low = np.floor((ends[:, :2] - radii[:, None]).min(axis=0)).astype(int)
    high = np.ceil((ends[:, :2] + radii[:, None]).max(axis=0)).astype(int) + 1
    left, top = np.maximum(low, 0).tolist()
    right, bottom = np.minimum(high, [shape[1], shape[0]]).tolist()
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)


def _front(u: Plane, v: Plane, ends: FloatArray, radii: FloatArray) -> _Front:
    """The front of a capsule, as the envelope of the spheres along its axis.

    The sphere at s in [0, 1] has its front at w(s) - sqrt(q(s)) with the quadratic
    q(s) = r(s)^2 - |p - c(s)|^2 = a s^2 + b s + c; the least of it over s has a closed form,
    and as the function is convex where q > 0, clipping s to the axis keeps it exact.

    Args:
        u: (1, width) float32, columns from the first end in pixels.
        v: (height, 1) float32, rows from the first end in pixels.
        ends: (2, 3) pixels.
        radii: (2,) pixels.
    """
    du, dv, dw = (float(d) for d in ends[1] - ends[0])
    first, grow = float(radii[0]), float(radii[1] - radii[0])
    a = min(grow * grow - du * du - dv * dv, -1.0)  # seen end on, a capsule keeps a pixel of length
    b = 2.0 * (first * grow + u * np.float32(du) + v * np.float32(dv))
    c = first * first - (u * u + v * v)
    peak = b / np.float32(-2.0 * a)
    highest = np.maximum(c + b * peak * 0.5, 0.0)
    lean = -dw / float(np.sqrt(a * (a - dw * dw)))
    along = np.clip(peak + np.float32(lean) * np.sqrt(highest), 0.0, 1.0).astype(np.float32)
    height = np.sqrt(np.maximum((a * along + b) * along + c, 0.0)).astype(np.float32)
    depth = np.float32(ends[0, 2]) + along * np.float32(dw) - height
    return _Front(along, np.asarray(depth), height, np.asarray(first + along * np.float32(grow)))
