"""A network of random maps, so that papers are measured without one."""

import numpy as np
import pytest

from skdeepenc.backbones.survey import Survey
from skdeepenc.images import Crops, Pyramid, Windows
from skdeepenc.maps import FeatureMaps

CHANNELS = {"conv4": 6, "conv5": 8, "fc7": 10, "rgb": 3}


class RandomNetwork:
    """Gives maps of the right shapes; those of equal layers are on one grid."""

    layers = Survey(
        kind="fully connected",
        layer="fc7",
        class_token=None,
        map="conv5",
        before="conv4",
        earlier="conv4",
        n_channels=8,
        input_size=64,
        takes_larger=True,
    )

    def maps(self, images, layers, views=None):
        random = np.random.RandomState(len(images))
        return FeatureMaps.from_layers(
            {
                layer: [
                    [random.rand(*grid, CHANNELS[layer]) for grid in grids(views)] for _ in images
                ]
                for layer in layers
            }
        )


def grids(views):
    """Return the height and width of each scale's map."""
    if isinstance(views, Windows):
        return [(1, 1), (3, 3), (4, 4)]
    if isinstance(views, Crops):
        return [(10, 1)]
    n_scales = views.n_scales if isinstance(views, Pyramid) else 1
    return [(4 + scale, 5 + scale) for scale in range(n_scales)]


@pytest.fixture
def network():
    return RandomNetwork()
