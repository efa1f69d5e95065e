"""The squares of R-MAC over a map of any size, as `skdeepenc.functional.regions` lays them.

Level l has squares of side 2 w / (l + 1), w being the map's shorter side; l of them along it, and
as many more along the longer side as bring the overlap of the largest squares nearest to 40 %.
Places are rounded in float64, as float32 gives other squares for some sizes.
"""

import numpy as np

from skdeepenc.export.converters.positions import highest

__all__ = ["region_maxima", "regions_of"]

_WANTED_OVERLAP = 0.4
_STEPS = np.arange(1, 7)
_MOST_EXTRA = len(_STEPS)  # squares along the longer side beyond those along the shorter one


def region_maxima(g, maps, n_levels=3):
    """Return the maxima (R, N, D) of maps (N, H, W, D) over their squares.

    The map is read once: first the maxima between neighbouring cuts, then every square from those.
    """
    regions = regions_of(g, maps.side(1), maps.side(2), n_levels)
    row_cuts, rows = _cuts(g, regions, (0, 2))
    column_cuts, columns = _cuts(g, regions, (1, 3))
    bands = _maxima_between(g, maps, row_cuts, axis=1)  # (n_bands, N, W, D)
    cells = _maxima_between(g, bands, column_cuts, axis=2)  # (n_columns, n_bands, N, D)
    cells = cells.transpose(2, 1, 0, 3)
    starts, ends = (
        g.concat([each.cut(end, end + 1, axis=1) for each in (rows, columns)], axis=1)
        for end in (0, 1)
    )

    def of_region(i):
        corners = (g.Gather(each, i, axis=0).reshape(2) for each in (starts, ends))
        return highest(g.Slice(cells, *corners, np.array([1, 2])))

    return g.stack(regions.side(0), of_region)


def _cuts(g, regions, ends):
    """Return where squares are cut along an axis, and between which cuts (R, 2) each lies."""
    places = g.Gather(regions, np.array(ends), axis=1).reshape(-1)
    cuts, _, between = g.Unique(places, sorted=1, n_outputs=3)
    return cuts, between.reshape(-1, 2)


def _maxima_between(g, maps, cuts, axis):
    """Return the maxima of the slices between neighbouring cuts along an axis, stacked."""

    def of_slice(i):
        return maps.cut(g.Gather(cuts, i), g.Gather(cuts, i + 1), axis).max(axis)

    return g.stack(cuts.side(0) - 1, of_slice)


def regions_of(g, height, width, n_levels):
    """Return the squares (R, 4), rows ``y0, x0, y1, x1``, largest first."""
    levels = np.arange(1, n_levels + 1)[:, None]
    slots = np.arange(n_levels + _MOST_EXTRA)
    shorter, longer = g.Min(height, width), g.Max(height, width)
    sides, extra = shorter * 2 // (levels + 1), _extra_positions(g, shorter, longer)
    n_rows, n_columns = (
        g.Where(length > other, extra + levels, levels)
        for length, other in ((height, width), (width, height))
    )
    # Every level has as many slots as any may need: those that it fills are its squares.
    filled = [
        g.Unsqueeze(g.And(sides > 0, n > slots), np.array([axis]))
        for n, axis in ((n_rows, 2), (n_columns, 1))
    ]
    level, row, column = g.Split(g.NonZero(g.And(*filled)), axis=0, num_outputs=3, n_outputs=3)
    top = _pick(g, _starts(g, height, sides, n_rows, slots), level, row)
    left = _pick(g, _starts(g, width, sides, n_columns, slots), level, column)
    side = g.Gather(sides, level).reshape(-1, 1)
    return g.concat([top, left, top + side, left + side], axis=1)


def _extra_positions(g, shorter, longer):
    """Return how many more squares than levels go along the longer side."""
    shorter, longer = (g.cast(length, np.float64) for length in (shorter, longer))
    steps, wanted = (g.constant(x, np.float64) for x in (_STEPS, _WANTED_OVERLAP))
    squared = shorter * shorter
    overlaps = (squared - shorter * ((longer - shorter) / steps)) / squared
    return g.ArgMin(g.Abs(overlaps - wanted), axis=0, keepdims=1) + 1


def _starts(g, length, sides, counts, slots):
    """Return where the square in each slot (n_levels, n_slots) starts along a side."""
    one, two, slots = (g.constant(x, np.float64) for x in (1, 2, slots))
    half = g.Floor(g.cast(sides, np.float64) / two - one)
    gaps = g.Max(counts - 1, np.array([1]))
    shift = g.cast(length - sides, np.float64) / g.cast(gaps, np.float64)
    return g.cast(g.Floor(half + slots * shift) - half, np.int64)


def _pick(g, table, rows, columns):
    """Return the entries (R, 1) of a table at rows and columns (1, R)."""
    places = g.concat([rows, columns], axis=0).transpose(1, 0)
    return g.GatherND(table, places).reshape(-1, 1)
