"""Recall at k, as metric learning and place recognition report it."""

from collections.abc import Sequence

import numpy as np

from skdeepenc._typing import Floats, ItemLists, Items
from skdeepenc.metrics._rankings import as_items, check_queries, check_ranking
from skdeepenc.metrics.revisited import check_depths


def recall_at_k(
    rankings: ItemLists, positives: ItemLists, k: int | Sequence[int]
) -> float | Floats:
    """Measure how many queries find at least one right image among their first k.

    Queries without positives are left out.

    Parameters
    ----------
    rankings : array-like of shape (n_queries, n_ranked), or sequence of 1-D array-likes
        Gallery indices, or names, best first, for each query; at least `k` of them. A query that is
        itself in the gallery must not be in its own ranking.
    positives : sequence of array-likes
        The right answers of each query; the ranking need not hold them all.
    k : int or sequence of int
        How many images to look at.

    Returns
    -------
    float or ndarray of shape (len(k),)
        Share of the queries, from 0 to 1.

    Raises
    ------
    ValueError
        If fewer than `k` images are ranked, the lists differ in length, or no query has a positive.

    References
    ----------
    H. Oh Song, Y. Xiang, S. Jegelka, S. Savarese, "Deep metric learning via lifted structured
    feature embedding", CVPR 2016, section 6.

    Examples
    --------
    >>> from skdeepenc.metrics import recall_at_k
    >>> recall_at_k([[3, 1, 2], [2, 1, 3]], positives=[[1], [2]], k=[1, 2])
    array([0.5, 1. ])
    """
    depths = check_depths(k)
    rankings, positives = check_queries(rankings, positives=positives)
    first_hits = [
        _first_hit(ranked, right, depths.max(), query)
        for query, (ranked, right) in enumerate(zip(rankings, positives, strict=True))
        if len(right)
    ]
    if not first_hits:
        raise ValueError("No query has a positive: the recall is not defined.")
    recalls = (np.array(first_hits)[:, None] < depths).mean(axis=0)
    return recalls if np.ndim(k) else float(recalls[0])


def _first_hit(ranked: Items, positives: Items, depth: int, query: int) -> float:
    """Return the rank, from 0, of the first positive, or infinity."""
    ranked = check_ranking(ranked, f"rankings[{query}]")
    if len(ranked) < depth:
        raise ValueError(f"rankings[{query}] holds {len(ranked)} images, fewer than k = {depth}.")
    hits = np.flatnonzero(np.isin(ranked, as_items(positives, "positives", like=ranked)))
    return hits[0] if len(hits) else np.inf
