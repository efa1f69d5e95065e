"""The largest few of many values, exactly, with ties broken by position.

Sorting a whole row of similarities to show its first hundred is wasted work, and so is keeping the
row: we partition a block of it, and let a later block in only where it beats the worst kept so far.
"""

import numpy as np


class FirstResults:
    """The `n_kept` largest similarities of each query among the gallery blocks seen so far.

    Blocks come in the order of the gallery. Of equal similarities the earlier one is kept.

    Parameters
    ----------
    n_kept : int
        How many to keep for each query.
    """

    def __init__(self, n_kept):
        self.n_kept = n_kept
        self.similarities = np.empty((0, 0))
        self.indices = np.empty((0, 0), dtype=np.intp)

    def add(self, similarities, start):
        """Take in a block (n_queries, n_rows) whose first column is gallery row `start`."""
        n_seen = self.similarities.shape[1]
        if n_seen == self.n_kept:
            self._append(*_better(similarities, self.similarities.min(axis=1), start))
            return
        columns = np.arange(start, start + similarities.shape[1])
        (self._append if n_seen else self._keep)(
            similarities, np.broadcast_to(columns, similarities.shape)
        )

    def sorted(self):
        """Return similarities and gallery indices, (n_queries, n_kept), best first."""
        order = np.argsort(-self.similarities, axis=1, kind="stable")
        return (
            np.take_along_axis(self.similarities, order, axis=1),
            np.take_along_axis(self.indices, order, axis=1),
        )

    def _append(self, similarities, indices):
        if similarities.shape[1]:
            self._keep(
                np.hstack([self.similarities, similarities]), np.hstack([self.indices, indices])
            )

    def _keep(self, similarities, indices):
        columns = largest_columns(similarities, min(self.n_kept, similarities.shape[1]))
        self.similarities = np.take_along_axis(similarities, columns, axis=1)
        self.indices = np.take_along_axis(indices, columns, axis=1)


def largest_columns(values, n_kept):
    """Return the columns (n_rows, n_kept) of each row's largest values, in ascending order.

    Among equal values the leftmost are taken.
    """
    n_rows, n_columns = values.shape
    if n_kept == n_columns:
        return np.broadcast_to(np.arange(n_columns), values.shape)
    place = n_columns - n_kept
    threshold = np.partition(values, place, axis=1)[:, place, None]
    kept = values >= threshold
    if np.count_nonzero(kept) > n_rows * n_kept:
        above = values > threshold
        tied = kept & ~above
        room = n_kept - above.sum(axis=1, keepdims=True)
        kept = above | (tied & (np.cumsum(tied, axis=1) <= room))
    return np.nonzero(kept)[1].reshape(n_rows, n_kept)


def _better(similarities, worst, start):
    """Return the values above each row's `worst`, padded by -inf, and their gallery indices."""
    n_queries, n_columns = similarities.shape
    rows, columns = np.divmod(np.flatnonzero(similarities > worst[:, None]), n_columns)
    counts = np.bincount(rows, minlength=n_queries)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = counts.max(initial=0)
    values = np.full((n_queries, width), -np.inf, dtype=similarities.dtype)
    indices = np.zeros((n_queries, width), dtype=np.intp)
    values[rows, places] = similarities[rows, columns]
    indices[rows, places] = start + columns
    return values, indices
