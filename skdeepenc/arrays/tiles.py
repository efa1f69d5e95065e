"""Cut rows into slices that are worked on one by one, or by several threads.

What is computed from a tile is read back from the processor's cache, and the memory that the work
takes beside its input and output is that of one tile, however many rows there are.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["tiles", "tiles_by_size"]


def tiles(n_rows: int, size: int, *, multiple: int = 1) -> list[slice]:
    """Cut rows into tiles of at most `size` rows, as equal as they can be.

    Equal ones keep threads busy alike.

    Parameters
    ----------
    n_rows : int
        How many rows there are.
    size : int
        Most rows of a tile.
    multiple : int, default=1
        Where there are several tiles, their number is a multiple of this, as long as there are
        rows enough.

    Returns
    -------
    list of slice
        Consecutive slices; none where there are no rows.

    Examples
    --------
    >>> from skdeepenc.arrays.tiles import tiles
    >>> tiles(5, 2)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    n_tiles = -(-n_rows // size)
    if n_tiles > 1:
        n_tiles = min(n_tiles + -n_tiles % multiple, n_rows)
    return [
        slice(n_rows * tile // n_tiles, n_rows * (tile + 1) // n_tiles) for tile in range(n_tiles)
    ]


def tiles_by_size(sizes: ArrayLike, most: float) -> Iterator[slice]:
    """Cut rows of unequal sizes into tiles, each as large as allowed.

    Parameters
    ----------
    sizes : ndarray of shape (n_rows,)
        How much each row counts.
    most : float
        Most that the rows of a tile count together. One row makes a tile whatever it counts.

    Yields
    ------
    slice
        The rows of the next tile.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.tiles import tiles_by_size
    >>> list(tiles_by_size(np.array([1, 2, 9, 1]), 4))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    ends = np.cumsum(sizes)
    start = 0
    while start < len(ends):
        allowed = most + (ends[start - 1] if start else 0)
        stop = max(start + 1, int(np.searchsorted(ends, allowed, side="right")))
        yield slice(start, stop)
        start = stop
