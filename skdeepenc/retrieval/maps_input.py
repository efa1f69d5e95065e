"""Where rankers of maps let images in: one layer, whatever form it comes in."""

import numpy as np

from skdeepenc._sklearn import validate_data
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.maps import as_feature_maps
from skdeepenc.maps.checks import check_finite
from skdeepenc.maps.coercion import is_table


def checked_maps(ranker, X, *, reset, scales=None):
    """Return the layer that a ranker compares.

    Parameters
    ----------
    ranker : Ranker
        With the parameter `layer`; in `fit` it gets `layer_` and `n_features_in_`.
    X : FeatureMaps, array-like or sequence
        What encoders accept.
    reset : bool
        Whether to remember what is given (in `fit`) or to compare it with what was.
    scales : sequence of int or None, default=None
        Scales to compare, None for all.

    Returns
    -------
    FeatureMaps
        The layer, at the scales.

    Raises
    ------
    FeatureMapsError
        If there is no image, or the layer has other channels than were fitted.
    """
    if is_table(X):
        X = validate_data(ranker, X, dtype=[np.float64, np.float32], reset=reset)
    maps, name = as_feature_maps(X), type(ranker).__name__
    if len(maps) == 0:
        raise FeatureMapsError(f"Found no image, and {name} needs at least one.")
    if reset:
        ranker.layer_ = maps.deepest_layer if ranker.layer is None else ranker.layer
    maps = maps.select(layers=[ranker.layer_], scales=scales)
    n_channels = maps.n_channels(ranker.layer_)
    if reset:
        ranker.n_features_in_ = n_channels
    if n_channels != ranker.n_features_in_:
        raise FeatureMapsError(
            f"Layer {ranker.layer_!r} has {n_channels} channels, and {name} was fitted on "
            f"{ranker.n_features_in_}."
        )
    if maps.in_memory:
        check_finite(maps)
    return maps


class PairedMaps:
    """Maps, and the same images in another form: as vectors, or as another ranker takes them."""

    def __init__(self, maps, images):
        self.maps = maps
        self.images = images
        self.shape = (len(maps),)

    def __getitem__(self, chosen):
        return PairedMaps(self.maps[chosen], self.images[chosen])

    def __setstate__(self, state):
        self.maps, self.shape = state["maps"], state["shape"]
        # The first files of 0.1.0 say "vectors".
        self.images = state["images"] if "images" in state else state["vectors"]
