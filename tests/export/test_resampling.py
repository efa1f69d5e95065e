"""Images are resampled in the graph as Pillow resamples them."""

import numpy as np
import pytest
from PIL import Image

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError
from skdeepenc.export import resampling
from skdeepenc.export.resampling import resample, shrink_to_grid
from skdeepenc.export.writer import GraphWriter
from skdeepenc.images.plans import FILTERS


def smooth_image(height, width, seed=0):
    """A drawn image: noise of a few pixels, enlarged, and an edge."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    image = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).copy()
    image[: height // 3, width // 2 :] = 255 - image[: height // 3, width // 2 :]
    return image


def in_graph(write, images, dtype=np.uint8):
    g = GraphWriter()
    x = g.input("x", np.uint8, ["N", "H", "W", 3])
    g.output("y", write(g, x), ["n", "h", "w", "c"], dtype)
    return run_apart(g.model().SerializeToString(), images)[0]


def share_that_differs(height, width, size, interpolation):
    """Return the share of values that a graph makes another level, by one at most."""
    image = smooth_image(height, width)
    expected = Image.fromarray(image).resize(size[::-1], FILTERS[interpolation])
    got = in_graph(lambda g, x: resample(g, x, *size, interpolation), image[None])[0]
    difference = np.abs(got.astype(int) - np.asarray(expected))
    assert difference.max() <= 1
    return (difference > 0).mean()


# Some shrink and some enlarge, by one side or both; of those that lose most of their height Pillow
# filters along columns first.
SIZES = {(97, 83): [(31, 47), (64, 64), (130, 150), (90, 40), (97, 20)]}
SIZES |= {(190, 61): [(40, 40), (60, 90), (20, 61), (191, 30)], (1, 7): [(5, 3)], (8, 1): [(1, 4)]}
CASES = [(*image, size) for image, sizes in SIZES.items() for size in sizes]


@pytest.mark.parametrize(("height", "width", "size"), CASES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_few_pixels_are_another_by_one_level(interpolation, height, width, size):
    assert share_that_differs(height, width, size, interpolation) < 0.015


@pytest.mark.parametrize(("height", "width", "size"), CASES)
@pytest.mark.parametrize("interpolation", ["box", "lanczos", "hamming", "nearest"])
def test_other_filters_give_the_same_pixels(interpolation, height, width, size):
    assert share_that_differs(height, width, size, interpolation) < 0.0005


def test_an_older_pillow_filters_along_rows_first(monkeypatch):
    monkeypatch.setattr(resampling, "_pillow_starts_with_columns", lambda: False)
    tall = smooth_image(190, 61)
    by_rows = Image.fromarray(tall).resize((40, 190), FILTERS["lanczos"])
    expected = by_rows.resize((40, 30), FILTERS["lanczos"])
    got = in_graph(lambda g, x: resample(g, x, 30, 40, "lanczos"), tall[None])[0]
    np.testing.assert_array_equal(got, expected)


def test_a_box_averages_whole_pixels_exactly():
    image = smooth_image(96, 80)
    expected = image.reshape(12, 8, 10, 8, 3).mean(axis=(1, 3))
    got = in_graph(lambda g, x: shrink_to_grid(g, x, 12, 10), image[None], np.float32)[0]
    assert np.abs(got * 255 - expected).max() <= 1


def test_a_filter_that_no_graph_has_is_refused():
    g = GraphWriter()
    x = g.input("x", np.uint8, ["N", "H", "W", 3])
    with pytest.raises(ExportError, match=r"interpolation='mks2013'.*bicubic"):
        resample(g, x, 8, 8, "mks2013")
