"""Maps in the batches that a graph takes: images of one grid at each scale."""

import numpy as np

__all__ = ["equal_grids", "stacked"]

# Positions of a batch: what the graph makes of them should stay near the processor.
_MOST_POSITIONS = 4096


def equal_grids(maps, places):
    """Yield the numbers of images whose maps have one size in each layer and scale.

    Parameters
    ----------
    maps : FeatureMaps
        The maps.
    places : sequence of (str, int)
        The layers and scales that are read.

    Yields
    ------
    ndarray of int
        Numbers of images, in ascending order.
    """
    sizes = np.hstack([maps.grid(layer)[:, scale] for layer, scale in places])
    _, group_of, counts = np.unique(sizes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group_of.ravel(), kind="stable")
    for group in np.split(order, np.cumsum(counts)[:-1]):
        n_positions = int(sizes[group[0]].reshape(-1, 2).prod(axis=1).sum())
        step = max(_MOST_POSITIONS // max(n_positions, 1), 1)
        yield from (group[first : first + step] for first in range(0, len(group), step))


def stacked(maps, places):
    """Return maps of one size as arrays (N, H, W, D) of float32, one for each layer and scale.

    Parameters
    ----------
    maps : FeatureMaps
        Images that `equal_grids` named.
    places : sequence of (str, int)
        Layers and scales.

    Returns
    -------
    list of ndarray
        The arrays.
    """
    return [_stack(maps.select(layers=[layer], scales=[scale])) for layer, scale in places]


def _stack(maps):
    (layer,) = maps.layers
    height, width = maps.grid(layer)[0, 0]
    values = maps.values(layer).reshape(len(maps), height, width, maps.n_channels(layer))
    return np.ascontiguousarray(values, dtype=np.float32)
