"""Colours as a screen shows them: profiles of cameras and printers end in sRGB."""

import io
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageCms

from skdeepenc.images import _colour, decode_image

# Columns are the XYZ of red, green and blue, adapted to D50.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
WHITE = (0.9642, 1.0, 0.8249)


def fixed(*values):
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def profile_of(space, **tags):
    """The smallest profile of a screen: a space and its tags."""
    tags = {"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(79), **tags}
    offset, directory, content = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        directory += name.encode() + struct.pack(">II", offset + len(content), len(tag))
        content += tag + bytes(-len(tag) % 4)
    size = 132 + 12 * len(tags) + len(content)
    header = struct.pack(
        ">I4sI4s4s4s12x4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ", b"acsp"
    )
    header += bytes(68 - len(header)) + fixed(*WHITE)
    return header.ljust(128, b"\0") + directory + content


def gamma(exponent):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"


def xyz(values):
    return b"XYZ \0\0\0\0" + fixed(*values)


P3 = profile_of(
    b"RGB ",
    wtpt=xyz(WHITE),
    **{f"{name}XYZ": xyz(values) for name, values in zip("rgb", DISPLAY_P3, strict=True)},
    **{f"{name}TRC": gamma(2.2) for name in "rgb"},
)
LINEAR_GREY = profile_of(b"GRAY", wtpt=xyz(WHITE), kTRC=gamma(1.0))


@pytest.fixture(scope="module")
def image():
    pixels = np.random.default_rng(0).integers(60, 200, (32, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image, format_name="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def in_srgb(image, profile, **options):
    """What Pillow's own converter makes of it."""
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(image, made, ImageCms.createProfile("sRGB"), **options)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_display_p3_is_shown_in_srgb(image, format_name):
    plain = decode_image(encoded(image, format_name))
    shown = decode_image(encoded(image, format_name, icc_profile=P3))
    assert_array_equal(shown, in_srgb(Image.fromarray(plain), P3))
    assert np.abs(shown.astype(int) - plain).max() > 10


def test_opened_images_keep_their_profile(image):
    opened = Image.open(io.BytesIO(encoded(image, icc_profile=P3)))
    assert_array_equal(decode_image(opened), in_srgb(image, P3))


def test_greys_have_profiles_too(image):
    grey = image.convert("L")
    shown = decode_image(encoded(grey, icc_profile=LINEAR_GREY))
    assert_array_equal(shown, in_srgb(grey, LINEAR_GREY, outputMode="RGB"))
    assert shown.mean() > np.asarray(grey).mean() + 20


def test_colours_behind_transparency_are_converted_before_the_paper_shines_through(image):
    image = image.copy()
    image.putalpha(128)
    opaque = in_srgb(image.convert("RGB"), P3)
    shown = decode_image(encoded(image, icc_profile=P3))
    assert_allclose(shown, np.asarray(opaque) * 0.5 + 127.5, atol=2)


@pytest.mark.parametrize("profile", [b"nonsense", P3[:200], LINEAR_GREY, b""])
def test_profiles_that_are_damaged_or_of_other_colours_are_ignored(image, profile):
    assert_array_equal(decode_image(encoded(image, icc_profile=profile)), np.asarray(image))


def test_the_profile_of_srgb_changes_nothing(image):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_array_equal(decode_image(encoded(image, icc_profile=srgb)), np.asarray(image))


def test_lab_is_shown():
    grey = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 128, 128)])
    assert_allclose(decode_image(encoded(grey, "TIFF")), 255, atol=2)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "CMYK"])
def test_strips_change_nothing(image, monkeypatch, mode):
    image = image.convert(mode)
    whole = decode_image(image)
    monkeypatch.setattr(_colour, "_STRIP_PIXELS", 100)
    assert_array_equal(decode_image(image), whole)
