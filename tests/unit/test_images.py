import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from asl.core import images
from asl.errors import ImageEmpty, ImageTooLarge, ImageTypeUnsupported, ImageUnreadable


def _encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _quarters():
    """An image whose four quarters are red, green, blue and yellow, 32 wide and 16 high."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :16], pixels[:8, 16:], pixels[8:, :16], pixels[8:, 16:] = (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
    )
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_types_give_the_same_pixels(kind):
    source = _quarters()
    decoded = images.decode(_encode(source, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, np.asarray(source))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_alike_in_every_type(kind, orientation):
    source = Image.fromarray(np.kron(np.asarray(_quarters()), np.ones((4, 4, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = images.decode(_encode(source, kind, exif=exif))
    # What each orientation means, from the EXIF standard: the source's rows and columns as seen from the top left.
    pixels = np.asarray(source)
    upright = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels),
    }[orientation]
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).mean() < 12  # JPEG and WebP lose a little at the colours' borders


def test_grey_is_repeated():
    decoded = images.decode(_encode(Image.fromarray(np.full((4, 6), 77, np.uint8))))
    np.testing.assert_array_equal(decoded, np.full((4, 6, 3), 77))


def test_grey_jpeg_is_repeated():
    decoded = images.decode(_encode(Image.fromarray(np.full((16, 16), 77, np.uint8)), "JPEG"))
    np.testing.assert_array_equal(decoded, np.full((16, 16, 3), 77))


def test_sixteen_bit_grey_keeps_its_high_byte():
    decoded = images.decode(_encode(Image.fromarray(np.full((4, 6), 0x9A37, np.uint16))))
    np.testing.assert_array_equal(decoded, np.full((4, 6, 3), 0x9A))


def test_transparent_parts_show_white():
    half_red = Image.new("RGBA", (2, 2), (255, 0, 0, 128))
    half_red.putpixel((0, 0), (0, 0, 0, 0))
    decoded = images.decode(_encode(half_red))
    assert decoded[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_allclose(decoded[1, 1], [255, 127, 127], atol=1)


def test_palette_is_looked_up_with_its_transparency():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 0)
    decoded = images.decode(_encode(image, transparency=0))
    assert decoded[3, 3].tolist() == [200, 100, 50]
    assert decoded[0, 0].tolist() == [255, 255, 255]


def test_cmyk_jpeg_becomes_rgb():
    decoded = images.decode(_encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    np.testing.assert_allclose(decoded[8, 8], [254, 0, 0], atol=4)


def test_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    decoded = images.decode(_encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert decoded[4, 4].tolist() == [255, 0, 0]


def test_both_jpeg_decoders_give_the_same_pixels():
    noise = np.random.default_rng(3).integers(0, 256, (61, 83, 3), np.uint8)
    data = _encode(Image.fromarray(noise), "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(images.decode(data), np.asarray(image))


def _photograph(width, height, mode="RGB"):
    """A smooth picture, as photographs are: noise of few pixels, enlarged."""
    noise = np.random.default_rng(5).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


@pytest.mark.parametrize(
    ("long_side", "expected"),
    [(640, 640), (1279, 1279), (1280, 640), (2559, 1280), (2560, 640), (5119, 1280), (5120, 640), (6400, 800)],
)
@pytest.mark.parametrize("upright", [False, True])
def test_a_large_jpeg_is_decoded_smaller(long_side, expected, upright):
    size = (120, long_side) if upright else (long_side, 120)
    decoded = images.decode(_encode(_photograph(*size), "JPEG"))
    assert max(decoded.shape) == expected
    assert decoded.flags.c_contiguous


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_other_types_keep_their_size(kind):
    assert images.decode(_encode(_photograph(1300, 40), kind)).shape == (40, 1300, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(1283, 861), (861, 2563), (5121, 700)])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_smaller_decoding_shows_the_same_picture(mode, size, progressive):
    source = _photograph(*size, mode)
    decoded = images.decode(_encode(source, "JPEG", quality=95, progressive=progressive))
    small = source.convert("RGB").resize(decoded.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(decoded.astype(int) - np.asarray(small)).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_a_smaller_decoding(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = _photograph(1600, 400)
    decoded = images.decode(_encode(source, "JPEG", quality=95, exif=exif))
    tagged = source.resize((800, 200), Image.Resampling.BOX)
    tagged.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(tagged))
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("size", [(1283, 861), (861, 2563), (5121, 700)])
def test_both_jpeg_decoders_give_the_same_pixels_of_a_smaller_decoding(size):
    data = _encode(_photograph(*size), "JPEG", quality=90)
    decoded = images.decode(data)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (decoded.shape[1] - 1, decoded.shape[0] - 1))
        np.testing.assert_array_equal(decoded, np.asarray(image))


def test_a_large_jpeg_that_is_cut_off_is_unreadable():
    data = _encode(_photograph(2600, 1900), "JPEG")
    for share in (0.3, 0.6, 0.97):
        with pytest.raises(ImageUnreadable):
            images.decode(data[: int(len(data) * share)])


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_file():
    thumbnail = _encode(_photograph(32, 24), "JPEG")
    data = _encode(_photograph(640, 480), "JPEG", exif=b"Exif\x00\x00" + thumbnail)
    assert images.decode(data).shape == (480, 640, 3)
    with pytest.raises(ImageUnreadable):
        images.decode(data[: len(data) * 2 // 3])


def test_no_bytes_are_an_error():
    with pytest.raises(ImageEmpty):
        images.decode(b"")


def test_too_many_bytes_are_refused():
    with pytest.raises(ImageTooLarge, match="at most 100 bytes"):
        images.decode(b"x" * 101, max_bytes=100)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_too_many_pixels_are_refused_by_the_header(kind):
    data = _encode(Image.new("L", (400, 300)).convert("RGB"), kind)
    with pytest.raises(ImageTooLarge, match="400 x 300"):
        images.decode(data, max_pixels=400 * 300 - 1)
    assert images.decode(data, max_pixels=400 * 300).shape == (300, 400, 3)


def test_a_bomb_is_refused_before_its_pixels_are_decoded(monkeypatch):
    bomb = _encode(Image.new("1", (20_000, 20_000)), "PNG")

    def refuse(*_):
        pytest.fail("the bomb was decoded")

    monkeypatch.setattr(Image.Image, "convert", refuse)
    with pytest.raises(ImageTooLarge, match="found far more"):
        images.decode(bomb)


@pytest.mark.parametrize("data", [b"hello", b"%PDF-1.7", b"\x00" * 100, b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_other_files_are_of_an_unsupported_type(data):
    with pytest.raises(ImageTypeUnsupported):
        images.decode(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_cut_off_files_are_unreadable(kind, share):
    noise = np.random.default_rng(4).integers(0, 256, (64, 64, 3), np.uint8)
    data = _encode(Image.fromarray(noise), kind)
    with pytest.raises(ImageUnreadable):
        images.decode(data[: int(len(data) * share)])
