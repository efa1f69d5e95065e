"""Regions of maps, and the maxima over them: clusters of positions, squares of a grid, whole maps.

What is here takes a batch of maps whose first layer is encoded. A second one holds their colours.
"""

from itertools import chain, pairwise

import numpy as np

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import normalized_cut, rmac_regions
from skdeepenc.functional.regions import cluster_maxima, region_maxima

__all__ = [
    "color_values",
    "cut_in_any_order",
    "layers_to_partition",
    "maxima_of_clusters",
    "maxima_of_rectangles",
    "most_regions",
    "partition_maps",
    "similarity_bytes",
]

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


def partition_maps(maps, criteria, cut):
    """Partition the positions of every map.

    Parameters
    ----------
    maps : FeatureMaps
        The maps.
    criteria : list of tuple (values, n_clusters, weights)
        What to partition by: a row of values for every position of the first layer, the number of
        clusters of each partition, and the weights of the columns of values.
    cut : callable
        ``cut(points, n_clusters, weights)`` labels the positions of one map, a column a partition.

    Returns
    -------
    list of list of ndarray of int of shape (H, W, n_partitions)
        The labels of each image and scale.
    """
    labels = []
    for rows, grid in _rows_and_grids(maps):
        columns = np.hstack([cut(values[rows], *how) for values, *how in criteria])
        labels.append(columns.reshape(*grid, columns.shape[1]))
    starts = range(0, len(labels), maps.n_scales)
    return [labels[start : start + maps.n_scales] for start in starts]


def cut_in_any_order(points, n_clusters, **options):
    """Partition points by Normalized Cut so that their order cannot matter.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        The points.
    n_clusters : sequence of int
        Number of clusters of each partition.
    **options
        Other parameters of `skdeepenc.functional.normalized_cut`.

    Returns
    -------
    ndarray of int of shape (n, n_partitions)
        The labels, a column a partition.
    """
    # Sorted: the rotation of Yu and Shi starts from the middle row, and the eigen solvers from the
    # first or from seeded ones.
    order = np.lexsort(points.T)
    labels = np.empty((len(points), len(n_clusters)), dtype=np.intp)
    labels[order] = normalized_cut(points[order], n_clusters, **options)
    return labels


def color_values(maps):
    """Return the colours of the positions of the first layer.

    Parameters
    ----------
    maps : FeatureMaps
        Maps of two layers, the second of colours.

    Returns
    -------
    ndarray of shape (total, 3)
        A row for every descriptor of the first layer.

    Raises
    ------
    FeatureMapsError
        If the layers have different grids; the message names the first image.
    """
    layer, colors = maps.layers
    different = np.any(maps.grid(layer) != maps.grid(colors), axis=(1, 2))
    if different.any():
        image = np.flatnonzero(different)[0]
        raise FeatureMapsError(
            f'The layer "{colors}" has other grids than {layer!r} (image {image} of a batch: '
            f"{maps.grid(colors)[image].tolist()}, {maps.grid(layer)[image].tolist()}). "
            f"The extractor gives it those of the last layer asked for: ask for {layer!r} last."
        )
    return maps.values(colors)


def maxima_of_clusters(maps, labels):
    """Yield the channel-wise maxima of the clusters of every image and scale.

    Parameters
    ----------
    maps : FeatureMaps
        The maps.
    labels : list of list of ndarray of int of shape (H, W, n_partitions)
        What `partition_maps` returns of them.

    Yields
    ------
    ndarray of shape (n_clusters of all partitions, D)
        The maxima of the next scale of an image.
    """
    values = maps.values(maps.layers[0])
    every_map = zip(_rows_and_grids(maps), chain.from_iterable(labels), strict=True)
    for (rows, _), partitions in every_map:
        columns = partitions.reshape(-1, partitions.shape[2]).T
        yield np.concatenate([cluster_maxima(values[rows], column) for column in columns])


def maxima_of_rectangles(maps, kind):
    """Yield the channel-wise maxima of rectangles of every image and scale.

    Parameters
    ----------
    maps : FeatureMaps
        The maps.
    kind : {"rmac", "mac"}
        The squares of R-MAC, or the whole map.

    Yields
    ------
    ndarray of shape (n_regions, D)
        The maxima of the next scale of an image; a map without positions has no region.
    """
    values = maps.values(maps.layers[0])
    for rows, grid in _rows_and_grids(maps):
        feature_map = values[rows].reshape(*grid, values.shape[1])
        whole = [(0, 0, *grid)] if grid.all() else np.empty((0, 4), dtype=np.intp)
        yield region_maxima(feature_map, rmac_regions(*grid) if kind == "rmac" else whole)


def most_regions(kind, n_clusters, n_color_clusters):
    """Return how many regions a map has at most, or usually for the squares of R-MAC.

    Parameters
    ----------
    kind : {"clusters", "rmac", "mac"}
        What the regions are.
    n_clusters : int or sequence of int
        Number of clusters of each partition by activations.
    n_color_clusters : int
        Number of clusters by colour.

    Returns
    -------
    int
        The number.
    """
    if kind == "clusters":
        return int(np.sum(n_clusters)) + n_color_clusters
    return 20 if kind == "rmac" else 1


def similarity_bytes(maps):
    """Return the memory that partitioning takes: the similarities of each image's largest map.

    Parameters
    ----------
    maps : FeatureMaps
        The maps.

    Returns
    -------
    ndarray of int64 of shape (n_images,)
        Bytes, with those of the eigen solver's basis.
    """
    largest = maps.grid(maps.layers[0]).prod(axis=2).max(axis=1).astype(np.int64)
    return 4 * largest * (np.minimum(largest, 6_144) + 512)


def _rows_and_grids(maps):
    """Yield the rows of descriptors (a slice) and the grid of every image and scale."""
    layer = maps.layers[0]
    bounds = pairwise(maps.offsets(layer))
    for (start, stop), grid in zip(bounds, maps.grid(layer).reshape(-1, 2), strict=True):
        yield slice(start, stop), grid
