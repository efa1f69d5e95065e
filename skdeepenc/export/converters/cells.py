"""Cells of spatial pyramids, and two layers on one grid, cut by one rule.

As in `skdeepenc.functional.grid_matching`, position i of an axis of n lies in the one of r cells
that holds its centre, (i + 1/2) / n. So cell j starts at the first i with (2 i + 1) r >= 2 n j, and
cells are rectangles.
"""

import numpy as np

from skdeepenc.export.converters.normalize import power_normalize

__all__ = ["cells_of", "match_grids"]


def cells_of(maps, rows, columns):
    """Return the cells of maps (N, H, W, D), row by row, each maps of its own."""
    return [cell for band in _cut(maps, rows, axis=1) for cell in _cut(band, columns, axis=2)]


def _cut(maps, n_cells, axis):
    """Cut an axis into even parts."""
    if n_cells == 1:
        return [maps]
    starts = (maps.side(axis) * (2 * np.arange(n_cells + 1)) + (n_cells - 1)) // (2 * n_cells)
    bounds = [starts.cut(cell, cell + 1, axis=0) for cell in range(n_cells + 1)]
    return [maps.cut(*bounds[cell : cell + 2], axis=axis) for cell in range(n_cells)]


def match_grids(g, maps, others):
    """Return two layers' maps (N, H, W, D) on the coarser of their grids.

    Where each is finer in one direction, which Python refuses, both are pooled.
    """
    if maps is others:
        return maps, others
    height, width = (g.Min(maps.side(axis), others.side(axis)) for axis in (1, 2))
    return [_onto(g, each, height, width) for each in (maps, others)]


def _onto(g, maps, height, width):
    """Sum maps over the cells of a coarser grid, then take signed square roots."""
    n, rows, columns, channels = (maps.side(axis) for axis in range(4))

    def pool():
        flat = maps.reshape(n, rows, columns * channels)
        bands = _membership(g, rows, height) @ flat
        bands = bands.reshape(n, height, columns, channels)
        return power_normalize(g, _membership(g, columns, width) @ bands, 0.5)

    is_finer = rows * columns > height * width
    return g.choose(is_finer, pool, lambda: maps)


def _membership(g, n_positions, n_cells):
    """Return which positions (columns) of an axis are in which of its cells (rows), 1 or 0."""
    one = np.array(1)
    of_positions, of_cells = (
        g.Range(np.array(0), g.Squeeze(n), one) for n in (n_positions, n_cells)
    )
    cells = (of_positions * 2 + 1) * n_cells // (n_positions * 2)
    return g.cast(g.Equal(of_cells.reshape(n_cells, 1), cells), np.float32)
