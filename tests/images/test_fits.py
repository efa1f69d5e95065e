"""The whole image at other proportions: sizes of the libraries that models come from."""

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from skdeepenc.exceptions import ImageError
from skdeepenc.images import Crops, Network, Preprocessing, Pyramid, Whole, Windows
from skdeepenc.images.plans import FILTERS
from tests.images.reference_tensors import CASES, RECORDED, pattern

# Pillow 13 rounds a few resampled pixels to the other grey level than Pillow 12 and older ones do.
ROUNDS_AS_RECORDED = int(PIL.__version__.split(".")[0]) >= 13
SIDES = st.integers(1, 400)


def only_stack(view, height, width, network):
    (stack,) = view.stacks(height, width, network)
    return stack


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tensors_are_those_of_timm_and_transformers(case):
    preprocessing = Preprocessing(**case.numbers, interpolation=case.interpolation)
    rounding = "even" if case.library == "timm" else "down"
    view = Whole(fit=case.fit, crop_fraction=case.crop_fraction, rounding=rounding)
    network = Network(case.size, None, preprocessing.interpolation, preprocessing.fill)
    image = pattern(*case.image)
    (pixels,) = view.cut(image, view.plan(image, network))
    name = next(name for name, other in CASES.items() if other is case)
    grey_level = 1 / 255 / min(preprocessing.std)
    tolerance = 2e-6 if ROUNDS_AS_RECORDED else 1.001 * grey_level
    assert_allclose(preprocessing.to_tensor(pixels)[0], np.load(RECORDED)[name], atol=tolerance)


@pytest.mark.parametrize("name", FILTERS)
def test_every_view_resamples_with_pillows_filter(name):
    image = pattern(50, 70)
    resized = image.resize((32, 32), FILTERS[name])
    network = Network(32, interpolation=name)
    for view in (
        Whole(),
        Pyramid(n_scales=1),
        Windows(image_size=32, sizes=(32,)),
        Crops(n=1, image_size=32, flip=False),
    ):
        assert_array_equal(view.cut(image, view.plan(image, network))[0], [np.asarray(resized)])


@pytest.mark.parametrize(
    ("rounding", "expected"), [("even", [62, 62, 63, 64]), ("down", [62, 62, 63, 63])]
)
def test_the_centre_is_where_torchvision_or_transformers_takes_it(rounding, expected):
    """Half a pixel: 62.5 is 62 to both, 63.5 is 64 or 63."""
    view = Whole(fit="crop", rounding=rounding)
    widths = (224, 225, 226, 227)
    lefts = [only_stack(view, 100, width, Network(100)).boxes[0][1] for width in widths]
    assert lefts == expected


@given(SIDES, SIDES, st.integers(1, 50), st.integers(1, 50))
def test_a_crop_lies_in_the_image_and_its_shorter_edge_decides(height, width, rows, columns):
    stack = only_stack(Whole(fit="crop"), height, width, Network((rows, columns)))
    top, left, bottom, right = stack.boxes[0]
    assert min(top, left) >= 0
    assert bottom <= stack.canvas[0]
    assert right <= stack.canvas[1]
    assert stack.canvas[0] == rows or stack.canvas[1] == columns


@given(SIDES, SIDES, st.integers(1, 50), st.integers(1, 50))
def test_padding_shows_the_whole_image(height, width, rows, columns):
    stack = only_stack(Whole(fit="pad"), height, width, Network((rows, columns)))
    top, left, bottom, right = stack.boxes[0]
    assert max(top, left) <= 0
    assert bottom >= stack.canvas[0]
    assert right >= stack.canvas[1]
    assert stack.canvas[0] == rows or stack.canvas[1] == columns


@given(st.integers(1, 600), st.integers(0, 600))
def test_a_fraction_of_whole_numbers_gives_them_back(crop, margin):
    """Though 17 / (17 / 25) is 24.999999999999996."""
    network = Network(crop)
    stack = only_stack(Whole(fit="crop", crop_fraction=crop / (crop + margin)), 9, 9, network)
    assert stack.canvas == (crop + margin, crop + margin)


@pytest.mark.parametrize("fit", ["warp", "crop", "pad"])
def test_sides_are_whole_patches_before_anything_is_resampled(fit):
    stack = only_stack(Whole(size=(20, 30), fit=fit), 50, 70, Network(28, patch_size=14))
    assert (stack.height, stack.width) == (28, 42)


def test_padding_has_the_mean_colour():
    grey = Preprocessing(mean=(10, 20, 30), std=(1, 1, 1), channel_order="BGR", scale=1)
    image = Image.new("RGB", (8, 4), "white")
    network = Network(8, fill=grey.fill)
    view = Whole(fit="pad")
    (pixels,) = view.cut(image, view.plan(image, network))
    assert_array_equal(pixels[0, 0, 0], [30, 20, 10])
    assert_array_equal(pixels[0, 2], 255)
    assert not grey.to_tensor(pixels)[0, :, 0, 0].any()


def test_slivers_whose_shorter_edge_cannot_grow_are_refused():
    with pytest.raises(ImageError, match='too narrow for fit="crop"'):
        Whole(fit="crop").stacks(30_000_000, 1, Network(224))


def test_full_decoding_asks_for_every_pixel():
    network = Network(224)
    assert Whole(crop_fraction=0.875).decoded_edge(network) == 256
    for view in (Whole, Pyramid, Windows, Crops):
        assert view(decoding="full").decoded_edge(network) is None
