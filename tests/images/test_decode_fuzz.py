"""Whatever the bytes: an image, or our own error that says why."""

import io
import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from skdeepenc.exceptions import ImageError
from skdeepenc.images import decode_image

FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "TGA", "JPEG2000", "ICO"]


@cache
def whole_file(format_name):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, format_name)
    return stream.getvalue()


def decode_or_refuse(data):
    """Decode; the only way to fail is our own error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # parsers warn about odd tags of what they can read
        try:
            image = decode_image(data)
        except ImageError:
            return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.size


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_truncation_is_refused_or_read(format_name):
    data = whole_file(format_name)
    for length in range(0, len(data), max(1, len(data) // 60)):
        decode_or_refuse(data[:length])


@settings(max_examples=400, deadline=10_000)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), min_size=1, max_size=8),
)
def test_flipped_bits_are_refused_or_read(format_name, flips):
    data = bytearray(whole_file(format_name))
    for position, bit in flips:
        data[position % len(data)] ^= 1 << bit
    decode_or_refuse(bytes(data))


@settings(max_examples=300, deadline=10_000)
@given(st.sampled_from(FORMATS), st.integers(0, 64), st.binary(max_size=64))
def test_headers_with_foreign_bytes_are_refused_or_read(format_name, position, foreign):
    data = whole_file(format_name)
    decode_or_refuse(data[:position] + foreign + data[position + len(foreign) :])


@settings(max_examples=200, deadline=10_000)
@given(st.binary(max_size=200))
@example(b"")
def test_random_bytes_are_refused_or_read(data):
    decode_or_refuse(data)
