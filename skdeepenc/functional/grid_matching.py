"""Bring the maps of two layers onto one grid.

Two layers of one image often differ in resolution. Position i of a fine axis of n then belongs to
the cell of the coarse axis that holds its centre, (i + 1/2) / n: every position to one cell, every
cell with a position of its own. Cells of spatial pyramids are cut by the same rule. In section
4.2.1 of Liu, Shen and van den Hengel the finer map x is summed over each cell c,

    x_c = sign(s) sqrt(|s|),   s = sum_{i in c} x_i.
"""

from itertools import pairwise

import numpy as np

from skdeepenc._typing import Floats
from skdeepenc.arrays.floats import as_floats
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.normalize import power_normalize

__all__ = ["cells_along", "match_grids", "pool_to_grid"]


def literal_pool_to_grid(maps, height, width):
    """Put every position into the cell that holds its centre, one by one."""
    n_rows, n_columns, n_channels = maps.shape
    sums = np.zeros((height, width, n_channels))
    for i in range(n_rows):
        for j in range(n_columns):
            row = int((i + 0.5) / n_rows * height)
            column = int((j + 0.5) / n_columns * width)
            sums[row, column] += maps[i, j]
    return np.sign(sums) * np.sqrt(np.abs(sums))


def match_grids(features: Floats, guidance: Floats) -> tuple[Floats, Floats]:
    """Sum the finer of two maps over the cells of the coarser one, then take signed square roots.

    Parameters
    ----------
    features : array-like of shape (..., H, W, D)
        Maps of one layer.
    guidance : array-like of shape (..., H', W', K)
        Maps of another layer on the same images.

    Returns
    -------
    features : ndarray of shape (..., min(H, H'), min(W, W'), D)
        The maps on the coarser grid; as they are, where theirs is the coarser.
    guidance : ndarray of shape (..., min(H, H'), min(W, W'), K)
        The same.

    Raises
    ------
    FeatureMapsError
        If one map is finer in one direction and the other map in the other, or only one is empty.

    Notes
    -----
    Section 4.2.1, "FC-Conv cross-layer pooling", of Liu, Shen and van den Hengel,
    "Cross-Convolutional-Layer Pooling for Image Recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import match_grids
    >>> fine, coarse = np.full((4, 4, 1), 4.0), np.ones((2, 2, 3))
    >>> features, guidance = match_grids(fine, coarse)
    >>> features[..., 0]
    array([[4., 4.],
           [4., 4.]])
    """
    features, guidance = as_floats(features), as_floats(guidance)
    fine, coarse = features.shape[-3:-1], guidance.shape[-3:-1]
    if fine == coarse:
        return features, guidance
    if 0 not in (*fine, *coarse):
        if fine[0] >= coarse[0] and fine[1] >= coarse[1]:
            return pool_to_grid(features, *coarse), guidance
        if fine[0] <= coarse[0] and fine[1] <= coarse[1]:
            return features, pool_to_grid(guidance, *fine)
    raise FeatureMapsError(
        f"Features on a grid of {fine[0]} x {fine[1]} and guidance on {coarse[0]} x {coarse[1]} "
        "cannot be matched: one grid must be at least as fine as the other in both directions. "
        "Choose two layers of one network, extracted from the same images."
    )


def pool_to_grid(maps, height, width):
    """Sum maps over the cells of a coarser grid, then take signed square roots.

    Parameters
    ----------
    maps : array-like of shape (..., H, W, D)
        The maps.
    height, width : int
        Rows and columns of the coarser grid, at most H and W.

    Returns
    -------
    ndarray of shape (..., height, width, D)
        The pooled maps.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.grid_matching import pool_to_grid
    >>> pool_to_grid(np.array([[[1.0], [7.0], [9.0]]]), 1, 2)[..., 0]
    array([[1., 4.]])
    """
    maps = _sum_cells(as_floats(maps), height, axis=-3)
    return power_normalize(_sum_cells(maps, width, axis=-2))


def _sum_cells(maps, n_cells, axis):
    """Sum along an axis, cell by cell: `np.add.reduceat` takes sixteen times as long."""
    maps = np.moveaxis(maps, axis, 0)
    bounds = np.searchsorted(cells_along(len(maps), n_cells), np.arange(n_cells + 1))
    sums = np.stack([maps[start:stop].sum(axis=0) for start, stop in pairwise(bounds)])
    return np.moveaxis(sums, 0, axis)


def cells_along(n_positions, n_cells):
    """Say which cell of an axis holds each position's centre.

    Parameters
    ----------
    n_positions : int
        Number of positions along the axis.
    n_cells : int
        Number of cells that divide it evenly.

    Returns
    -------
    ndarray of int of shape (n_positions,)
        The cells, from 0, in ascending order.

    Examples
    --------
    >>> from skdeepenc.functional.grid_matching import cells_along
    >>> cells_along(5, 2)
    array([0, 0, 1, 1, 1])
    """
    return (2 * np.arange(n_positions) + 1) * n_cells // max(2 * n_positions, 1)
