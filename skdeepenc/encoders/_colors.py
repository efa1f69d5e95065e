"""The layer "rgb": when ClusterMAC reads it, and whether it fits the layer that is encoded."""

import numpy as np

from skdeepenc.exceptions import FeatureMapsError

_COLORS = "rgb"
_UNNAMED = ("features",)  # the one layer of maps that were made of a plain array


def layers_to_partition(maps, layers, n_clusters, n_color_clusters):
    """Return the names of the layers that partitions need.

    Parameters
    ----------
    maps : FeatureMaps
        The maps, all their layers.
    layers : tuple of str
        The layer to encode.
    n_clusters : int or sequence of int
        Number of clusters of each partition by activations.
    n_color_clusters : int
        Number of clusters by colour, 0 for none.

    Returns
    -------
    tuple of str
        The layer to encode, then "rgb" where colours are clustered; plain arrays have none.

    Raises
    ------
    FeatureMapsError
        If colours are to be clustered and the maps have no layer "rgb".
    ValueError
        If there is no partition to make.
    """
    colorless = n_color_clusters == 0
    if colorless or maps.layers == _UNNAMED:
        if not np.size(n_clusters):
            cause = "n_color_clusters=0" if colorless else "no colours to cluster"
            raise ValueError(f"n_clusters is empty, and {cause}: there is no partition to make.")
        return layers
    if _COLORS not in maps.layers:
        raise FeatureMapsError(
            f'n_color_clusters={n_color_clusters} needs the layer "rgb", but the maps '
            f'have {maps.layers}. Extract it too (layers=[..., "rgb"]), or set '
            "n_color_clusters=0."
        )
    return (*layers, _COLORS)


def color_column(maps):
    """Return the colours of the positions of the first layer, or None where there are none."""
    if len(maps.layers) == 1:
        return None
    layer, colors = maps.layers
    different = np.any(maps.grid(layer) != maps.grid(colors), axis=(1, 2))
    if different.any():
        image = np.flatnonzero(different)[0]
        raise FeatureMapsError(
            f'The layer "{colors}" has other grids than {layer!r} (image {image} of a batch: '
            f"{maps.grid(colors)[image].tolist()}, {maps.grid(layer)[image].tolist()}). "
            f"The extractor gives it those of the last layer asked for: ask for {layer!r} last."
        )
    return maps.column(colors)
