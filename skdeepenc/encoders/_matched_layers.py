"""Two layers seen on one grid: the finer one is pooled as it is read."""

import numpy as np
from sklearn import config_context

from skdeepenc.arrays.segments import equal_runs
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.grid_matching import pool_to_grid
from skdeepenc.maps import FeatureMaps, Store

__all__ = ["match_layers"]


def match_layers(maps, layer, other_layer):
    """Return maps of two layers on the coarser of their grids, image by image and scale by scale.

    Parameters
    ----------
    maps : FeatureMaps
        Maps that have both layers.
    layer, other_layer : str
        Their names, which may be the same.

    Returns
    -------
    FeatureMaps
        A view that pools what is finer when it is read; `maps` where all grids are equal.

    Raises
    ------
    FeatureMapsError
        If an image has grids that cannot be matched; the message names the first one.
    """
    grid, other_grid = maps.grid(layer), maps.grid(other_layer)
    if np.array_equal(grid, other_grid):
        return maps
    _check_grids(grid, other_grid, layer, other_layer)
    return FeatureMaps(_MatchedLayers(maps, np.minimum(grid, other_grid)))


def _check_grids(grid, other_grid, layer, other_layer):
    finer = (grid >= other_grid).all(axis=2) | (grid <= other_grid).all(axis=2)
    both_or_none = (grid.prod(axis=2) == 0) == (other_grid.prod(axis=2) == 0)
    if not (finer & both_or_none).all():
        image, scale = np.argwhere(~(finer & both_or_none))[0]
        size, other_size = (" x ".join(map(str, g[image, scale])) for g in (grid, other_grid))
        raise FeatureMapsError(
            f"Image {image} has a grid of {size} in layer {layer!r} and of {other_size} in layer "
            f"{other_layer!r} at scale {scale}: they cannot be matched, as one must be at least as "
            "fine as the other in both directions. Choose two layers of one network, extracted "
            "from the same views."
        )


class _MatchedLayers(Store):
    """The layers of maps, pooled onto the coarser grid when they are read."""

    def __init__(self, maps, grid):
        self._maps = maps
        self.layers = maps.layers
        self.grids = dict.fromkeys(maps.layers, grid)
        self.channels = {layer: maps.n_channels(layer) for layer in maps.layers}
        # Pooling ends in float32 or float64 whatever is stored.
        self.dtypes = dict.fromkeys(maps.layers, np.result_type(maps.dtype, np.float32))
        self.in_memory = maps.in_memory

    def read(self, layer, images, scales):
        """Read batch by batch: the finer grid may need many times the memory of the coarser."""
        source = self._maps[images].select(layers=[layer], scales=scales)
        sizes = self.grids[layer][np.ix_(images, scales)]
        pooled = np.empty((sizes.prod(axis=2).sum(), self.channels[layer]), self.dtypes[layer])
        image = row = 0
        # Whoever reads these maps looks for NaN, and knows the numbers of the images.
        with config_context(assume_finite=True):
            for batch in source.iter_batches():
                coarse = sizes[image : image + len(batch)].reshape(-1, 2)
                n_rows = coarse.prod(axis=1).sum()
                _pool_batch(batch, layer, coarse, out=pooled[row : row + n_rows])
                image, row = image + len(batch), row + n_rows
        return pooled


def _pool_batch(batch, layer, coarse, out):
    fine, offsets = batch.grid(layer).reshape(-1, 2), batch.offsets(layer)
    values, row = batch.values(layer), 0
    for first, last in equal_runs(np.hstack([fine, coarse])):
        maps = values[offsets[first] : offsets[last]]
        if len(maps) and not np.array_equal(fine[first], coarse[first]):
            maps = maps.reshape(last - first, *fine[first], -1)
            maps = pool_to_grid(maps, *coarse[first]).reshape(-1, values.shape[1])
        out[row : row + len(maps)] = maps
        row += len(maps)
