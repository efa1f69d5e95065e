"""Say which cells of a spatial pyramid hold each position of a map.

Cells are numbered level by level, row by row. Every position lies in one cell of each level: the
one that holds its centre.
"""

from functools import lru_cache

import numpy as np

from skdeepenc.functional.grid_matching import cells_along

__all__ = ["check_pyramid", "count_cells", "pyramid_cells", "pyramid_pieces"]


def check_pyramid(spatial_pyramid):
    """Return the levels of a pyramid as a tuple of pairs; None is one cell, the whole map."""
    levels = ((1, 1),) if spatial_pyramid is None else tuple(map(tuple, spatial_pyramid))
    numbers = [number for level in levels for number in level]
    pairs = bool(levels) and all(len(level) == 2 for level in levels)
    sound = pairs and all(isinstance(n, int | np.integer) and n > 0 for n in numbers)
    if not sound:
        raise ValueError(
            "spatial_pyramid should be None or a list of (rows, columns), such as [(1, 1), (3, 1)] "
            f"for the whole and its thirds from top to bottom; got {spatial_pyramid!r}."
        )
    return levels


def count_cells(levels):
    """Return the number of cells of all levels together."""
    return sum(rows * columns for rows, columns in levels)


@lru_cache(maxsize=256)
def pyramid_cells(height, width, levels):
    """Return the number of each position's cell in every level, (n_levels, height * width)."""
    numbers, first = [], 0
    for rows, columns in levels:
        in_level = cells_along(height, rows)[:, None] * columns + cells_along(width, columns)
        numbers.append(in_level.ravel() + first)
        first += rows * columns
    return np.stack(numbers)


@lru_cache(maxsize=256)
def pyramid_pieces(height, width, levels):
    """Cut a map into the pieces that no border of the pyramid crosses.

    Parameters
    ----------
    height, width : int
        Rows and columns of the map.
    levels : tuple of (int, int)
        Rows and columns of cells in each level.

    Returns
    -------
    order : ndarray of int of shape (height * width,)
        The positions, piece after piece.
    offsets : ndarray of int of shape (n_pieces + 1,)
        Where each piece starts in `order`.
    membership : ndarray of bool of shape (n_cells, n_pieces)
        Which pieces make up each cell.
    """
    cells = pyramid_cells(height, width, levels)
    pieces, piece_of = np.unique(cells, axis=1, return_inverse=True)
    n_pieces = pieces.shape[1]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(piece_of.ravel(), minlength=n_pieces))])
    membership = np.zeros((count_cells(levels), n_pieces), dtype=bool)
    membership[pieces, np.arange(n_pieces)] = True
    return np.argsort(piece_of.ravel(), kind="stable"), offsets, membership
