"""Images are resampled in the graph as Pillow resamples them."""

import numpy as np
import pytest
from PIL import Image

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError
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


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "hamming", "nearest"])
@pytest.mark.parametrize("size", [(31, 47), (64, 64), (130, 150), (90, 40)])
def test_a_pixel_in_a_hundred_is_another_by_one_level_at_most(interpolation, size):
    image = smooth_image(97, 83)
    expected = Image.fromarray(image).resize(size[::-1], FILTERS[interpolation])
    got = in_graph(lambda g, x: resample(g, x, *size, interpolation), image[None])[0]
    difference = np.abs(got.astype(int) - np.asarray(expected))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


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
