"""Bytes of an image file to RGB pixels, the same for training and serving.

What comes out is always upright 8-bit RGB, (height, width, 3):
EXIF orientation is applied; grey is repeated in the three channels; 16-bit samples keep their high byte; palettes are
looked up; CMYK is converted; transparent parts show white; of an animation the first frame counts. A large JPEG comes
out smaller, at a half, a quarter or an eighth of its size: see `ENOUGH_SIDE`.
"""

import io
import warnings
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from asl.errors import AslError, ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable

RgbImage: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) uint8, contiguous."""

MAX_IMAGE_BYTES: Final = 20 * 1024 * 1024
MAX_IMAGE_PIXELS: Final = 50_000_000
ENOUGH_SIDE: Final = 640
"""Pixels: a JPEG is decoded at an eighth, a quarter or a half of its size where its longer side then still has as many.
Both networks look at 224 pixels or fewer, and libjpeg makes the smaller picture without making the large one first
(deploy/decisions/0008)."""
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""File name endings, in lower case, of the types that `decode` reads."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_SUPPORTED_HINT: Final = "Send a JPEG, PNG, WebP, GIF, BMP or TIFF file."
_THUMBNAIL_QUALITY: Final = 78
_SMALLER_HINT: Final = "Scale it down; 640 pixels on the long side are plenty."
_REDUCTIONS: Final = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}
_JPEG_SCAN: Final = b"\xff\xda"
_JPEG_END: Final = b"\xff\xd9"


def decode(data: bytes, *, max_bytes: int = MAX_IMAGE_BYTES, max_pixels: int = MAX_IMAGE_PIXELS) -> RgbImage:
    """Decode an image file; its size is read from the header and checked before any pixel is.

    Args:
        data: The file's bytes.
        max_bytes: Largest file accepted, in bytes.
        max_pixels: Largest width times height accepted.

    Raises:
        ImageEmpty: There are no bytes.
        ImageTooLarge: More bytes or pixels than allowed.
        ImageTypeUnsupported: No supported image type starts like this.
        ImageUnreadable: A supported type, but damaged or cut off.
    """
    if not data:
        raise ImageEmpty("expected an image, found 0 bytes", hint=_SUPPORTED_HINT)
    if len(data) > max_bytes:
        raise ImageTooLarge(f"expected at most {max_bytes:,} bytes, found {len(data):,}", hint=_SMALLER_HINT)
    try:
        # Pillow warns of bombs and of odd metadata; the pixel limit below is ours, and stricter.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_pixels(image, max_pixels)
            reduction = _reduction(image)
            return _decode_fast(data, reduction) if _is_plain_jpeg(image, data) else _decode_any(image, reduction)
    except AslError:
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Image.DecompressionBombError as error:  # Pillow's own limit, far above ours
        raise ImageTooLarge(f"expected at most {max_pixels:,} pixels, found far more", hint=_SMALLER_HINT) from error
    # Pillow's decoders raise many types for damaged files, and document none of them.
    except Exception as error:
        raise ImageUnreadable(
            f"the image is damaged or cut off ({type(error).__name__})", hint="Save or send the file again."
        ) from error


def encode_jpeg(image: RgbImage, quality: int = 95) -> bytes:
    """Encode pixels as a JPEG file.

    Args:
        image: (height, width, 3) uint8 RGB.
        quality: 0 to 100, as OpenCV has it.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def encode_thumbnail(image: RgbImage, side: int) -> bytes:
    """Make a small JPEG file of a square picture, a twentieth of the full one's bytes.

    Args:
        image: (height, width, 3) uint8 RGB.
        side: Its width and height in pixels.
    """
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return encode_jpeg(np.asarray(small, np.uint8), _THUMBNAIL_QUALITY)


def _check_pixels(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"expected at most {max_pixels:,} pixels, found {image.width} x {image.height}",
            hint=_SMALLER_HINT,
        )


def _reduction(image: Image.Image) -> int:
    """Tell by which part of its size a JPEG is decoded, from the size in its header alone; 1 for other types."""
    if not _is_jpeg(image):
        return 1
    return next((part for part in _REDUCTIONS if max(image.size) >= part * ENOUGH_SIDE), 1)


def _is_jpeg(image: Image.Image) -> bool:
    return image.format in {"JPEG", "MPO"}


def _is_plain_jpeg(image: Image.Image, data: bytes) -> bool:
    """Tell whether OpenCV, about twice as fast as Pillow, decodes this to the same pixels.

    It decodes cut-off files without a word, so the end marker must follow the last scan.
    """
    if not (_is_jpeg(image) and image.mode in {"L", "RGB"}):
        return False
    end = data.rfind(_JPEG_END)
    return end >= 0 and data.find(_JPEG_SCAN, end) < 0


def _decode_fast(data: bytes, reduction: int) -> RgbImage:
    # The names of OpenCV's reductions hold the bit for BGR, which it refuses beside the one for RGB.
    flags = cv2.IMREAD_COLOR_RGB | (_REDUCTIONS.get(reduction, 0) & ~cv2.IMREAD_COLOR)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # applies EXIF orientation
    if pixels is None:
        raise ValueError("OpenCV found no image")
    return np.asarray(pixels, np.uint8)


def _decode_any(image: Image.Image, reduction: int) -> RgbImage:
    if reduction > 1:
        image.draft(None, (image.width // reduction, image.height // reduction))
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        high_byte = (np.asarray(upright).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(high_byte[:, :, None], 3, axis=2)
    if upright.mode in {"I", "F"}:
        raise ImageTypeUnsupported("expected 8 or 16 bits a sample, found 32", hint="Save it with 8 bits a sample.")
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
    return np.ascontiguousarray(upright.convert("RGB"))


def _unidentified(data: bytes) -> AslError:
    accepts = (Image.OPEN[name][1] for name in _FORMATS)
    if any(accept and accept(data[:16]) for accept in accepts):
        return ImageUnreadable("the image's header is damaged or cut off", hint="Save or send the file again.")
    return ImageTypeUnsupported("expected an image file, found bytes of another kind", hint=_SUPPORTED_HINT)
