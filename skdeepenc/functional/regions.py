"""Regional maxima of activations (R-MAC): a grid of overlapping squares at several sizes.

Tolias, Sicre and Jégou, ICLR 2016, section 3.2. With the squares r of the grid and the channel-wise
maxima m_r over them, an image is

    sum_r m_r / |m_r|,   scaled to unit length.

The squares of one size are cut from the map at few rows and columns, so the map is read once: first
the maxima between neighbouring cuts, then every region from those.
"""

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from skdeepenc._typing import Floats, Integers
from skdeepenc.arrays.floats import as_floats
from skdeepenc.arrays.segments import offsets_of, segment_max
from skdeepenc.functional.normalize import l2_normalize

__all__ = ["cluster_maxima", "region_maxima", "rmac", "rmac_regions", "rows_of_regions"]

_WANTED_OVERLAP = 0.4


def literal_regions(height, width, n_levels):
    """Lay the squares step by step, in plain Python floats, as the authors' code does."""
    w, longer = min(height, width), max(height, width)
    distances = []
    for steps in range(2, 8):
        b = (longer - w) / (steps - 1)
        distances.append(abs((w**2 - w * b) / w**2 - 0.4))
    extra = distances.index(min(distances)) + 1
    regions = []
    for level in range(1, n_levels + 1):
        side = math.floor(2 * w / (level + 1))
        if side == 0:
            continue
        starts = []
        for length, other in ((height, width), (width, height)):
            count = level + (extra if length > other else 0)
            b = 0 if count == 1 else (length - side) / (count - 1)
            h = math.floor(side / 2 - 1)
            starts.append([int(math.floor(h + i * b) - h) for i in range(count)])
        regions += [(y, x, y + side, x + side) for y in starts[0] for x in starts[1]]
    return np.array(regions, dtype=int).reshape(-1, 4)


def rmac_regions(height: int, width: int, n_levels: int = 3) -> Integers:
    """Lay the squares of R-MAC over a map.

    At level l the side is ``2 w / (l + 1)``, w being the map's shorter side; l squares lie along
    the shorter side, and as many more along the longer one as bring the overlap of the largest
    squares nearest to 40 %. The whole map is not one of the regions, unless it is a square.

    Parameters
    ----------
    height, width : int
        Size of the map, in positions.
    n_levels : int, default=3
        Number of sizes. Sizes that would be smaller than one position are left out.

    Returns
    -------
    ndarray of int of shape (n_regions, 4)
        Rows ``y0, x0, y1, x1``, half open, largest squares first.

    References
    ----------
    Tolias et al., "Particular object retrieval with integral max-pooling of CNN activations",
    ICLR 2016, section 3.2; the details are those of the authors' code.

    Examples
    --------
    >>> from skdeepenc.functional import rmac_regions
    >>> rmac_regions(4, 6, n_levels=2)
    array([[0, 0, 4, 4],
           [0, 2, 4, 6],
           [0, 0, 2, 2],
           [0, 2, 2, 4],
           [0, 4, 2, 6],
           [2, 0, 4, 2],
           [2, 2, 4, 4],
           [2, 4, 4, 6]])
    >>> len(rmac_regions(7, 7)), len(rmac_regions(12, 16))
    (14, 20)
    """
    return _regions(int(height), int(width), int(n_levels)).copy()


def rows_of_regions(regions, width):
    """Return the positions inside each square, as row-major numbers on a map of a width."""
    return [
        (np.arange(y0, y1)[:, None] * width + np.arange(x0, x1)).ravel()
        for y0, x0, y1, x1 in regions
    ]


def region_maxima(feature_map, regions):
    """Take the maximum of every channel in every region.

    Parameters
    ----------
    feature_map : array-like of shape (H, W, D)
        One map.
    regions : array-like of int of shape (n_regions, 4)
        Rows ``y0, x0, y1, x1``, half open, inside the map and not empty.

    Returns
    -------
    ndarray of shape (n_regions, D)
        The maxima.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.regions import region_maxima
    >>> region_maxima(np.arange(6.0).reshape(2, 3, 1), [[0, 0, 1, 2], [1, 0, 2, 3]])
    array([[1.],
           [5.]])
    """
    feature_map = as_floats(feature_map)
    regions = np.asarray(regions)
    maxima = np.empty((len(regions), feature_map.shape[2]), dtype=feature_map.dtype)
    if not len(regions):
        return maxima
    row_cuts, rows = np.unique(regions[:, [0, 2]], return_inverse=True)
    column_cuts, columns = np.unique(regions[:, [1, 3]], return_inverse=True)
    bands = _maxima_between(feature_map, row_cuts, axis=0)
    cells = _maxima_between(bands, column_cuts, axis=1)
    spans = np.hstack([rows.reshape(-1, 2), columns.reshape(-1, 2)])
    for region, (top, bottom, left, right) in enumerate(spans):
        cells[top:bottom, left:right].max(axis=(0, 1), out=maxima[region])
    return maxima


def cluster_maxima(descriptors, labels):
    """Take the maximum of every channel in every cluster of positions.

    Parameters
    ----------
    descriptors : ndarray of shape (n, D)
        The descriptors of one map.
    labels : ndarray of int of shape (n,)
        The cluster of each, from 0.

    Returns
    -------
    ndarray of shape (n_clusters, D)
        The maxima of the clusters that occur, in the order of their labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.regions import cluster_maxima
    >>> cluster_maxima(np.array([[1.0], [2.0], [3.0]]), np.array([0, 7, 0]))
    array([[3.],
           [2.]])
    """
    sizes = np.bincount(labels)
    offsets = offsets_of(sizes[sizes > 0])
    return segment_max(descriptors[np.argsort(labels, kind="stable")], offsets)


def rmac(feature_map: Floats, n_levels: int = 3) -> Floats:
    """Sum the L2-normalised maxima of the regions of a grid (R-MAC), and L2-normalise.

    Parameters
    ----------
    feature_map : array-like of shape (H, W, D)
        One map.
    n_levels : int, default=3
        Number of region sizes.

    Returns
    -------
    ndarray of shape (D,)
        The unit vector; zeros if the map has no positions.

    See Also
    --------
    skdeepenc.functional.rmac_regions : The grid.
    skdeepenc.encoders.ClusterMAC : With the whitening of region vectors (``regions="rmac"``).

    References
    ----------
    Tolias et al., ICLR 2016, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import rmac
    >>> rmac(np.ones((6, 8, 4), dtype="float32"))
    array([0.5, 0.5, 0.5, 0.5], dtype=float32)
    """
    feature_map = as_floats(feature_map)
    regions = _regions(*feature_map.shape[:2], n_levels)
    return l2_normalize(l2_normalize(region_maxima(feature_map, regions)).sum(axis=0))


def _maxima_between(feature_map, cuts, axis):
    """Return the maxima of the slices between neighbouring cuts along an axis."""
    # Measured: np.maximum.reduceat takes ten times as long on rows as one maximum a slice.
    whole = (slice(None),) * axis
    slices = [feature_map[(*whole, slice(*span))] for span in pairwise(cuts)]
    return np.stack([part.max(axis=axis) for part in slices], axis=axis)


@lru_cache(maxsize=256)  # images of a data set share few sizes
def _regions(height, width, n_levels):
    short = min(height, width)
    if short < 1:
        return np.empty((0, 4), dtype=np.intp)
    extra = 0 if height == width else _extra_positions(short, max(height, width))
    corners = []
    for level in range(1, n_levels + 1):
        side = 2 * short // (level + 1)
        if side:
            tops = _starts(height, side, level + (extra if height > width else 0))
            lefts = _starts(width, side, level + (extra if width > height else 0))
            corners += [(y, x, y + side, x + side) for y in tops for x in lefts]
    return np.array(corners, dtype=np.intp).reshape(-1, 4)


def _extra_positions(short, longer):
    """Return how many more squares than levels go along the longer side."""
    steps = np.arange(2, 8)
    shifts = (longer - short) / (steps - 1)
    overlaps = (short**2 - short * shifts) / short**2
    return int(np.argmin(np.abs(overlaps - _WANTED_OVERLAP))) + 1


def _starts(length, side, n_positions):
    """Spread squares evenly; float64 throughout, as float32 gives other grids for some sizes."""
    shift = (length - side) / (n_positions - 1) if n_positions > 1 else 0.0
    half = np.floor(side / 2 - 1)
    return (np.floor(half + np.arange(n_positions) * shift) - half).astype(np.intp).tolist()
