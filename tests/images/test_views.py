import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import clone

from skdeepenc.exceptions import ImageError
from skdeepenc.images import Crops, Network, Pyramid, Whole, Windows

VIEWS = [
    Whole(),
    Whole(size=50),
    Whole(size=(20, 50)),
    Whole(fit="crop", crop_fraction=0.8),
    Whole(fit="pad", crop_fraction=0.9),
    Pyramid(n_scales=3),
    Pyramid(n_scales=2, aspect="keep"),
    Windows(image_size=64, sizes=(64, 32, 16), stride=8),
    Crops(n=1, image_size=64),
    Crops(n=5, image_size=64),
    Crops(n=25, flip=False, image_size=64),
]


def random_image(height=60, width=80):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def cut_by(view, image, input_size, patch_size=None):
    """What the network sees of an image, one array per scale."""
    return view.cut(image, view.plan(image, Network(input_size, patch_size)))


def warped(image, side):
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("input_size", [32, (32, 16), (20, 40)])
@pytest.mark.parametrize("patch_size", [None, 7])
@pytest.mark.parametrize("size", [(60, 80), (80, 60), (60, 60)])
@pytest.mark.parametrize("view", VIEWS, ids=repr)
def test_a_view_cuts_what_it_announces(view, size, patch_size, input_size):
    view.check(input_size)
    announced = view.stacks(*size, Network(input_size, patch_size))
    cut = cut_by(view, random_image(*size), input_size, patch_size)
    assert len(cut) == len(announced)
    for stack, pieces in zip(announced, cut, strict=True):
        assert pieces.dtype == np.uint8
        assert pieces.shape == (stack.n_pieces, stack.height, stack.width, 3)
        assert stack.n_pieces == stack.rows * stack.columns
        if patch_size is not None:
            assert stack.height % patch_size == stack.width % patch_size == 0


@pytest.mark.parametrize("view", VIEWS, ids=repr)
def test_views_are_estimators(view):
    assert clone(view).get_params() == view.get_params()
    assert pickle.loads(pickle.dumps(view)).get_params() == view.get_params()


@pytest.mark.parametrize(
    ("view", "parameters"),
    [
        (Whole(), {"size": 0}),
        (Whole(), {"size": (20, 0)}),
        (Whole(), {"fit": "stretch"}),
        (Whole(), {"crop_fraction": 0}),
        (Whole(), {"crop_fraction": 1.1}),
        (Whole(), {"decoding": "slow"}),
        (Pyramid(), {"n_scales": 0}),
        (Pyramid(), {"ratio": 1}),
        (Pyramid(), {"aspect": "crop"}),
        (Windows(), {"stride": 0}),
        (Windows(), {"pool": "sum"}),
        (Windows(), {"sizes": (512,)}),
        (Windows(), {"sizes": ()}),
        (Crops(), {"n": 6}),
        (Crops(), {"image_size": 16}),
    ],
)
def test_impossible_parameters_are_refused(view, parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        clone(view).set_params(**parameters).check(input_size=32)


@pytest.mark.parametrize(
    "view", [Whole(), Pyramid(n_scales=1), Windows(), Crops()], ids=lambda view: type(view).__name__
)
def test_pieces_have_the_networks_own_proportions(view):
    assert {
        (stack.height, stack.width) for stack in view.stacks(300, 400, Network((256, 128)))
    } == {(256, 128)}


# --- Whole and Pyramid -----------------------------------------------------------------------


def test_whole_is_the_warped_image():
    image = random_image()
    assert_array_equal(cut_by(Whole(), image, 32)[0], [warped(image, 32)])
    assert_array_equal(cut_by(Whole(size=20), image, 32)[0], [warped(image, 20)])


def test_pyramid_has_the_sides_of_the_paper():
    """Seven scales of AlexNet's 227: ceil(227 * 2 ** (s / 2))."""
    sides = [stack.height for stack in Pyramid().stacks(300, 400, Network(227))]
    assert sides == [227, 322, 454, 643, 908, 1285, 1816]


@given(st.integers(1, 300), st.integers(1, 7))
def test_every_second_scale_doubles_the_side_exactly(base, n_scales):
    sides = [stack.height for stack in Pyramid(n_scales, base=base).stacks(9, 9, Network(1))]
    assert sides[::2] == [base * 2**s for s in range(len(sides[::2]))]


def test_pyramid_is_cut_from_the_image_itself():
    image = random_image()
    for pieces, side in zip(cut_by(Pyramid(n_scales=3), image, 32), [32, 46, 64], strict=True):
        assert_array_equal(pieces, [warped(image, side)])


def test_kept_aspect_makes_the_shorter_edge_the_side():
    view = Pyramid(n_scales=2, base=30, ratio=2.0, aspect="keep")
    assert [pieces.shape for pieces in cut_by(view, random_image(60, 80), 32)] == [
        (1, 30, 40, 3),
        (1, 60, 80, 3),
    ]
    assert cut_by(view, random_image(80, 60), 32)[0].shape == (1, 40, 30, 3)


def test_slivers_that_would_grow_beyond_bounds_are_refused():
    with pytest.raises(ImageError, match="too narrow for aspect='keep'"):
        Pyramid(n_scales=1, aspect="keep").stacks(1, 30_000, Network(224))


# --- Windows ---------------------------------------------------------------------------------


def test_windows_have_the_counts_of_the_paper():
    """1, 25 and 49 windows at stride 32 of 256 pixels."""
    assert [stack.n_pieces for stack in Windows().stacks(300, 400, Network(224))] == [1, 25, 49]


def test_windows_slide_row_by_row_over_the_warped_image():
    image = random_image()
    pieces = cut_by(Windows(image_size=64, sizes=(32,), stride=16), image, 32)[0]
    square = warped(image, 64)
    expected = [square[y : y + 32, x : x + 32] for y in (0, 16, 32) for x in (0, 16, 32)]
    assert_array_equal(pieces, expected)


def test_windows_are_resampled_to_the_input():
    image = random_image()
    pieces = cut_by(Windows(image_size=64, sizes=(16,), stride=48), image, 32)[0]
    corner = Image.fromarray(np.ascontiguousarray(warped(image, 64)[48:, :16]))
    assert_array_equal(pieces[2], warped(corner, 32))


# --- Crops -----------------------------------------------------------------------------------


def test_five_crops_are_the_corners_and_the_centre_then_their_mirror_images():
    image = random_image()
    square = warped(image, 64)
    pieces = cut_by(Crops(n=5, image_size=64), image, 32)[0]
    corners = [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]
    expected = np.stack([square[y : y + 32, x : x + 32] for y, x in corners])
    assert_array_equal(pieces[:5], expected)
    assert_array_equal(pieces[5:], expected[:, :, ::-1])


def test_twenty_five_crops_are_a_grid_that_holds_the_five():
    image = random_image()
    few = cut_by(Crops(n=5, flip=False, image_size=64), image, 32)[0]
    many = cut_by(Crops(n=25, flip=False, image_size=64), image, 32)[0]
    assert_array_equal(many[[0, 4, 12, 20, 24]], few)


def test_crops_of_patches_fit():
    pieces = cut_by(Crops(n=1, image_size=32), random_image(), 32, patch_size=14)[0]
    assert pieces.shape == (2, 28, 28, 3)
