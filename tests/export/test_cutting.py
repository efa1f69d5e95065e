"""Views cut the same pieces in the graph as in Python, whatever size the image has."""

import numpy as np
import pytest
from export.test_resampling import smooth_image
from PIL import Image

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError
from skdeepenc.export.cutting import cut_views, sizes_of
from skdeepenc.export.writer import GraphWriter
from skdeepenc.images import Crops, Network, Pyramid, Whole, Windows
from skdeepenc.images.views import View

NETWORK = Network(32, fill=(124, 116, 104))
PATCHES = Network(32, patch_size=14, interpolation="bicubic", fill=(124, 116, 104))
OBLONG = Network((24, 40))
SIZES = [(60, 80), (81, 60), (64, 64), (33, 100), (90, 35)]


@pytest.mark.parametrize(
    ("view", "network"),
    [
        (Whole(), NETWORK),
        (Whole(40, crop_fraction=0.875), NETWORK),
        (Whole(fit="crop", crop_fraction=0.875), NETWORK),
        (Whole(fit="crop", rounding="down"), NETWORK),
        (Whole(fit="crop", crop_fraction=0.9), OBLONG),
        (Whole(fit="pad"), NETWORK),
        (Whole(fit="pad", crop_fraction=0.8, rounding="down"), OBLONG),
        (Whole(fit="pad"), PATCHES),
        (Pyramid(n_scales=3), PATCHES),
        (Pyramid(n_scales=3, aspect="keep"), NETWORK),
        (Pyramid(n_scales=2, aspect="keep", base=30), PATCHES),
        (Windows(image_size=48, sizes=(48, 32, 20), stride=9), NETWORK),
        (Crops(n=1, flip=False, image_size=48), NETWORK),
        (Crops(n=5, image_size=40), OBLONG),
        (Crops(n=25, image_size=48), PATCHES),
    ],
    ids=str,
)
def test_pieces_are_those_of_the_view(view, network):
    graph = graph_of(view, network)
    for size in SIZES:
        image = smooth_image(*size, seed=size[0])
        opened = Image.fromarray(image)
        expected = view.cut(opened, view.plan(opened, network))
        for got, pieces in zip(run_apart(graph, image[None]), expected, strict=True):
            assert got.shape == pieces.shape
            difference = np.abs(got.astype(int) - pieces)
            # Of tall images Pillow may filter columns first, and rounds other numbers then.
            assert difference.max() <= 8
            assert difference.mean() < 0.3


def graph_of(view, network):
    g = GraphWriter()
    scales = cut_views(view, g, g.input("x", np.uint8, ["N", "H", "W", 3]), network)
    for number, scale in enumerate(scales):
        g.output(f"scale {number}", scale.pixels, ["n", "h", "w", "c"], np.uint8)
    return g.model().SerializeToString()


def test_images_of_a_batch_keep_their_pieces_together():
    view = Crops(n=5, image_size=48)
    images = np.stack([smooth_image(60, 70, seed) for seed in range(3)])
    together = run_apart(graph_of(view, NETWORK), images)[0]
    alone = [run_apart(graph_of(view, NETWORK), image[None])[0] for image in images]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_only_sizes_that_follow_the_image_are_unknown():
    assert sizes_of(Pyramid(n_scales=2, ratio=2.0), NETWORK) == [(32, 32), (64, 64)]
    assert sizes_of(Whole(fit="crop"), OBLONG) == [(24, 40)]
    assert sizes_of(Pyramid(n_scales=2, aspect="keep"), NETWORK) == [None, None]


def test_a_view_of_ones_own_is_refused():
    class Left(View):
        def stacks(self, height, width, network):
            return Whole().stacks(height, width, network)

        def smallest_edge(self, network):
            return 1

    with pytest.raises(ExportError, match=r"the view Left.*Windows or Crops"):
        graph_of(Left(), NETWORK)
