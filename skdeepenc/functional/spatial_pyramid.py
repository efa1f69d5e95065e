"""Spatial pyramids: which cells of a map hold each of its positions.

Lazebnik, Schmid and Ponce, "Beyond bags of features", CVPR 2006. A level of R rows and C columns
divides the map evenly, and position (y, x) of H x W lies in the one cell that holds its centre,

    (floor((y + 1/2) R / H), floor((x + 1/2) C / W)).

Cells are numbered level by level, row by row.
"""

from functools import lru_cache

import numpy as np

from skdeepenc.arrays.segments import offsets_of
from skdeepenc.functional.grid_matching import cells_along

__all__ = [
    "WHOLE",
    "cells_of_images",
    "check_pyramid",
    "count_cells",
    "pyramid_cells",
    "pyramid_pieces",
]

WHOLE = ((1, 1),)  # the pyramid of one cell


def literal_cell(y, x, height, width, rows, columns):
    """Return the number of a position's cell in a level, as the formula reads."""
    return int((y + 0.5) * rows / height) * columns + int((x + 0.5) * columns / width)


def check_pyramid(spatial_pyramid):
    """Return the levels of a pyramid as a tuple of pairs; None is one cell, the whole map."""
    levels = WHOLE if spatial_pyramid is None else tuple(map(tuple, spatial_pyramid))
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
    offsets = offsets_of(np.bincount(piece_of.ravel(), minlength=n_pieces))
    membership = np.zeros((count_cells(levels), n_pieces), dtype=bool)
    membership[pieces, np.arange(n_pieces)] = True
    return np.argsort(piece_of.ravel(), kind="stable"), offsets, membership


def cells_of_images(grids, levels):
    """Bring the positions of each cell of many images together, level by level.

    Parameters
    ----------
    grids : ndarray of int of shape (n_images, n_scales, 2)
        Rows and columns of every map.
    levels : tuple of (int, int)
        Rows and columns of cells in each level.

    Yields
    ------
    order : slice or ndarray of int of shape (total,)
        The positions, cell after cell, the cells of one image after those of another. Those of
        all scales of an image that have one number are one cell.
    offsets : ndarray of int of shape (n_images * n_cells + 1,)
        Where each cell starts in `order`.
    """
    n_images, n_positions = len(grids), grids.prod(axis=2).sum(axis=1)
    if levels == WHOLE:
        yield slice(None), offsets_of(n_positions)
        return
    image_of = np.repeat(np.arange(n_images), n_positions)
    for level in levels:
        n_cells = level[0] * level[1]
        cells = [pyramid_cells(*grid, (level,))[0] for grid in grids.reshape(-1, 2)]
        cell_of = image_of * n_cells + np.concatenate(cells)
        sizes = np.bincount(cell_of, minlength=n_images * n_cells)
        yield np.argsort(cell_of, kind="stable"), offsets_of(sizes)
