"""The largest few of many values, exactly, with ties broken by position.

Sorting a whole row of similarities to show its first hundred is wasted work, and so is keeping the
row: we take the first few of each block of the gallery, and the first few of those.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import Integers
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles

__all__ = ["best_first", "row_blocks", "top_k", "top_k_of_blocks"]

# Long enough for full speed of the product, short enough for it to be read back from the cache.
ROWS_A_BLOCK = 8192
# Of equal blocks, as many for each thread: with 13 blocks the second of two threads waits for one.
_BLOCKS_TOGETHER = 4


def top_k_of_blocks(
    read: Callable[[slice], NDArray[Any]],
    n_gallery: int,
    n_kept: int,
    rows_a_block: int = ROWS_A_BLOCK,
) -> tuple[NDArray[Any], Integers]:
    """Find the largest similarities of each query, reading the gallery block by block.

    Parameters
    ----------
    read : callable
        Returns the similarities (n_queries, n_rows) with a slice of the gallery. It is called from
        several threads.
    n_gallery : int
        Number of gallery rows.
    n_kept : int
        How many to keep for each query.
    rows_a_block : int, default=8192
        Most rows of a block.

    Returns
    -------
    similarities, indices : ndarray of shape (n_queries, n_kept)
        Best first. Of equal similarities the earlier row comes first.
    """

    def first_of(rows: slice) -> tuple[NDArray[Any], Integers]:
        similarities = read(rows)
        columns = top_k(similarities, min(n_kept, similarities.shape[1]))
        return np.take_along_axis(similarities, columns, axis=1), columns + rows.start

    blocks = for_each(first_of, row_blocks(n_gallery, rows_a_block))
    similarities, indices = (np.hstack(parts) for parts in zip(*blocks, strict=True))
    columns = top_k(similarities, n_kept)
    return best_first(
        np.take_along_axis(similarities, columns, axis=1),
        np.take_along_axis(indices, columns, axis=1),
    )


def row_blocks(n_rows: int, rows_a_block: int = ROWS_A_BLOCK) -> list[slice]:
    """Return the slices that cut the rows of a gallery into blocks of equal length."""
    return tiles(n_rows, rows_a_block, multiple=_BLOCKS_TOGETHER)


def best_first(similarities: NDArray[Any], indices: Integers) -> tuple[NDArray[Any], Integers]:
    """Sort each row by falling similarity; equal ones keep their order."""
    order = np.argsort(-similarities, axis=1, kind="stable")
    return (
        np.take_along_axis(similarities, order, axis=1),
        np.take_along_axis(indices, order, axis=1),
    )


def top_k(values: NDArray[Any], n_kept: int) -> Integers:
    """Return the columns (n_rows, n_kept) of each row's largest values, in ascending order.

    Among equal values the leftmost are taken. NaN is less than any number.
    """
    n_rows, n_columns = values.shape
    if n_kept == n_columns:
        return np.broadcast_to(np.arange(n_columns), values.shape)
    place = n_columns - n_kept
    partitioned = np.partition(values, place, axis=1)[:, place:]
    if np.isnan(partitioned).any():  # they stand behind the largest
        return top_k(np.where(np.isnan(values), -np.inf, values), n_kept)
    threshold = partitioned[:, :1]
    kept = values >= threshold
    if np.count_nonzero(kept) > n_rows * n_kept:
        above = values > threshold
        tied = kept & ~above
        room = n_kept - above.sum(axis=1, keepdims=True)
        kept = above | (tied & (np.cumsum(tied, axis=1) <= room))
    # The positions of a flat array are found five times as fast as rows and columns.
    return np.flatnonzero(kept).reshape(n_rows, n_kept) % n_columns
