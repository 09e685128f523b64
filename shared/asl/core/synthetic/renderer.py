"""Pictures of hands that show letters, with the true landmarks of every joint."""

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from asl.core.synthetic.background import draw_background
from asl.core.synthetic.camera import Camera, place_camera
from asl.core.synthetic.flesh import clothe
from asl.core.synthetic.raster import FAR_PX, draw_capsules
from asl.core.synthetic.shading import Light, sample_light, sample_skin, shade
from asl.core.synthetic.signers import PosedHand, sample_hand
from asl.core.synthetic.skeleton import FloatArray

Handedness = Literal["right", "left"]

GIRTH_RANGE: Final = (0.90, 1.12)
BLUR_RANGE_PX: Final = (0.5, 1.1)  # of a picture of 480 pixels
METERED_BRIGHTNESS: Final = 0.55  # of a hand that is well exposed, of the full range
NOISE_RANGE: Final = (0.004, 0.020)  # standard deviation, of the full range of brightness


@dataclass(frozen=True)
class RenderedHand:
    """A picture of a hand and what is true of it.

    Attributes:
        image: (height, width, 3) uint8, RGB, not mirrored.
        landmarks: (21, 3) float32: x and y in [0, 1] of the picture's width and height, z on x's
            scale relative to the wrist, negative towards the camera (MediaPipe's convention).
        world_landmarks: (21, 3) float32 metres on the camera's axes, the wrist at the origin.
        handedness: the signer's true hand.
        letter: what the hand shows.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    world_landmarks: NDArray[np.float32]
    handedness: Handedness
    letter: str


@dataclass(frozen=True)
class Look:
    """How a hand looks, apart from its pose: thickness relative to an average hand, skin (3,) RGB, and light."""

    girth: float
    skin: FloatArray
    light: Light


def render_hand(
    letter: str,
    *,
    seed: int,
    signer: int | None = None,
    size: tuple[int, int] = (480, 480),
    handedness: Handedness = "right",
    background: NDArray[np.float32] | None = None,
) -> RenderedHand:
    """Render a hand that shows a letter; the same arguments give the same pixels.

    Args:
        letter: one of "A" to "Z"; J and Z are shown as they start.
        seed: draws pose, view, light, background and noise, and the signer where none is named.
        signer: names the signer: pictures of one have the same bones, girth and skin.
        size: width and height of the picture in pixels.
        handedness: the hand that signs; a left hand's picture is the right one's mirror image.
        background: (height, width, 3) float32 in [0, 1], RGB: what is behind the hand; drawn from the seed if None.

    Raises:
        ValueError: `letter` is no letter of the alphabet.
    """
    rng = np.random.default_rng(seed)
    signer_rng = rng if signer is None else np.random.default_rng(signer)
    hand = sample_hand(letter, rng, signer_rng)
    joints = hand.skeleton.joints @ hand.turn.T
    camera = place_camera(joints, size, rng)
    look = Look(float(signer_rng.uniform(*GIRTH_RANGE)), sample_skin(signer_rng), sample_light(rng))
    image = draw(hand, camera, look, size, rng=rng, background=background)
    rendered = RenderedHand(
        image=image,
        landmarks=project(joints, camera, size),
        world_landmarks=joints.astype(np.float32),
        handedness="right",
        letter=letter,
    )
    return rendered if handedness == "right" else _mirrored(rendered)


def draw(
    hand: PosedHand,
    camera: Camera,
    look: Look,
    size: tuple[int, int],
    *,
    rng: np.random.Generator,
    background: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """Draw a posed right hand: (height, width, 3) uint8, RGB.

    Args:
        hand: the bones.
        camera: where it is seen from.
        look: flesh, skin and light.
        size: width and height of the picture in pixels.
        rng: draws spots of the skin, noise, and the background if there is none.
        background: (height, width, 3) float32 in [0, 1], RGB.
    """
    surface = draw_capsules(clothe(hand, look.girth), hand.turn, camera, size)
    hand_px = float(np.linalg.norm(hand.bones.knuckles[1])) * 2.0 * camera.focal / camera.distance
    colour = shade(surface, look.skin, look.light, hand_px, rng)
    mask = (surface.depth < FAR_PX).astype(np.float32)
    return _develop(colour, mask, draw_background(size, rng) if background is None else background, rng)


def project(joints: FloatArray, camera: Camera, size: tuple[int, int]) -> NDArray[np.float32]:
    """(21, 3) joints in MediaPipe's convention for picture landmarks."""
    width, height = size
    return (camera.project(joints) / (width, height, width)).astype(np.float32)


def _develop(
    colour: NDArray[np.float32],
    mask: NDArray[np.float32],
    background: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Lay the hand over the background, as a camera with a lens and a sensor sees both."""
    soft = np.minimum(cv2.GaussianBlur(mask, (3, 3), 0), mask)[..., None]
    picture = colour - background
    picture *= soft
    picture += background
    sigma = float(rng.uniform(*BLUR_RANGE_PX)) * min(mask.shape) / 480.0
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
    picture *= _exposure(colour, mask) * np.float32(255.0)
    noise = rng.standard_normal(mask.shape, dtype=np.float32)
    noise *= np.float32(255.0 * rng.uniform(*NOISE_RANGE))
    picture += noise[..., None]
    return np.clip(np.rint(picture, out=picture), 0.0, 255.0, out=picture).astype(np.uint8)


def _exposure(colour: NDArray[np.float32], mask: NDArray[np.float32]) -> np.float32:
    """The gain of a camera that meters the hand, and goes halfway to the brightness it wants."""
    metered = float(colour.sum()) / (3.0 * max(float(mask.sum()), 1.0))
    return np.float32(np.sqrt(METERED_BRIGHTNESS / max(metered, 0.05)))


def _mirrored(rendered: RenderedHand) -> RenderedHand:
    """The same picture in a mirror: a left hand."""
    flip = np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    shift = np.array([1.0, 0.0, 0.0], dtype=np.float32)
    return RenderedHand(
        image=np.ascontiguousarray(rendered.image[:, ::-1]),
        landmarks=rendered.landmarks * flip + shift,
        world_landmarks=rendered.world_landmarks * flip,
        handedness="left",
        letter=rendered.letter,
    )
