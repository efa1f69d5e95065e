"""One rule for greys deeper than 8 bits, from 16-bit integers to floats without data."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal
from PIL import Image, TiffImagePlugin

from skdeepenc.exceptions import ImageWarning
from skdeepenc.images import decode_image
from skdeepenc.images._deep_grey import shown_as_bytes

RAMP = np.linspace(0, 1, 256)


@pytest.mark.parametrize("missing", [np.nan, -9999, -32768, -3.4e38, 1e30])
def test_what_was_not_measured_is_black_and_changes_nothing_else(missing):
    values = np.tile(RAMP.astype(np.float32), (8, 1))
    values[:5] = missing
    shown = shown_as_bytes(values)
    assert not shown[:5].any()
    assert_array_equal(shown[5:], np.tile(np.arange(256), (3, 1)))


@pytest.mark.parametrize(("infinity", "byte"), [(np.inf, 255), (-np.inf, 0)])
def test_infinity_is_an_end_of_the_range(infinity, byte):
    shown = shown_as_bytes(np.append(RAMP, infinity))
    assert_array_equal(shown, [*range(256), byte])


def test_the_mark_of_a_file_is_believed():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[42113] = "-7777"
    stream = io.BytesIO()
    image = Image.fromarray(np.array([[-7777, 0, 0.2, 1]], dtype=np.float32))
    image.save(stream, "TIFF", tiffinfo=tags)
    assert_array_equal(decode_image(stream.getvalue())[0, :, 0], [0, 0, 51, 255])


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_integers_are_shown_by_their_bit_depth(bits, dtype):
    values = np.arange(2**bits, dtype=dtype)
    shown = shown_as_bytes(values)
    assert_array_equal(shown, np.rint(values * (255 / (2**bits - 1))))


def test_outliers_are_clipped_and_it_is_said():
    values = np.append(RAMP, 1e6)
    with pytest.warns(ImageWarning, match="clipped"):
        shown = shown_as_bytes(values)
    assert_array_equal(shown, [*range(256), 255])


@pytest.mark.parametrize("values", [[5, 5], [-5, -5], [0, 0], [np.nan, np.nan], [np.inf, np.inf]])
def test_constant_values_are_shown_without_a_warning(values):
    shown = shown_as_bytes(np.array(values))
    assert shown[0] == shown[1]


@given(
    arrays.arrays(
        st.sampled_from([np.uint16, np.int32, np.float32, np.float64]), st.integers(1, 40)
    )
)
def test_brighter_values_are_never_shown_darker(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImageWarning)
        shown = shown_as_bytes(values)
    usual = np.isfinite(values) & (np.abs(values.astype(float)) < 9000)
    order = np.argsort(values[usual])
    assert (np.diff(shown[usual][order].astype(int)) >= 0).all()
