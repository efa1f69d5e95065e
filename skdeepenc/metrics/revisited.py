"""The revisited Oxford and Paris protocols: easy, medium and hard.

The revisited ground truth sorts each query's images into easy, hard and junk; the three setups
differ in which of them are right answers and which are ignored.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skdeepenc._typing import Floats, Integers, ItemLists, Items
from skdeepenc.metrics._rankings import check_queries, check_query, hit_ranks
from skdeepenc.metrics.oxford import average_precisions


def revisited_map(
    rankings: ItemLists,
    easy: ItemLists,
    hard: ItemLists,
    junk: ItemLists,
) -> dict[str, float]:
    """Measure rankings by the revisited Oxford and Paris protocols.

    Easy: easy images are right and hard ones ignored. Medium: easy and hard ones are right. Hard:
    hard ones are right and easy ones ignored. Junk is always ignored. Average precision is
    Oxford's.

    Parameters
    ----------
    rankings : array-like of shape (n_queries, n_gallery), or sequence of 1-D array-likes
        Gallery indices, or names, best first, for each query.
    easy, hard, junk : sequence of array-likes
        The images of each kind, for each query.

    Returns
    -------
    dict of str to float
        Mean average precision of "easy", "medium" and "hard", over the queries that have positives
        in that setup; NaN where none has.

    Raises
    ------
    ValueError
        As `mean_average_precision`; also if an image is of two kinds for one query.

    See Also
    --------
    revisited_precision_at_k : The second measure of the same protocol.

    References
    ----------
    F. Radenović, A. Iscen, G. Tolias, Y. Avrithis, O. Chum, "Revisiting Oxford and Paris:
    Large-scale image retrieval benchmarking", CVPR 2018, section 3.

    Examples
    --------
    >>> from skdeepenc.metrics import revisited_map
    >>> revisited_map([[0, 1, 2, 3]], easy=[[0]], hard=[[2]], junk=[[1]])
    {'easy': 1.0, 'medium': 1.0, 'hard': 1.0}
    """
    setups = _setups(rankings, easy, hard, junk)
    return {
        name: float(_mean(average_precisions(rankings, right, ignored)))
        for name, (right, ignored) in setups.items()
    }


def revisited_precision_at_k(
    rankings: ItemLists,
    easy: ItemLists,
    hard: ItemLists,
    junk: ItemLists,
    k: int | Sequence[int] = (1, 5, 10),
) -> dict[str, float | Floats]:
    """Measure how many of the first k images are right, by the revisited protocols.

    A query whose last positive stands before rank k is divided by that rank instead of k, so that
    it can reach 1.

    Parameters
    ----------
    rankings : array-like of shape (n_queries, n_gallery), or sequence of 1-D array-likes
        Gallery indices, or names, best first, for each query.
    easy, hard, junk : sequence of array-likes
        The images of each kind, for each query.
    k : int or sequence of int, default=(1, 5, 10)
        How many images to look at.

    Returns
    -------
    dict of str to float or ndarray of shape (len(k),)
        Mean precision for "easy", "medium" and "hard"; NaN where no query has positives.

    Raises
    ------
    ValueError
        As `revisited_map`; also if a `k` is not positive.

    See Also
    --------
    revisited_map : The setups and their source.

    Examples
    --------
    >>> from skdeepenc.metrics import revisited_precision_at_k
    >>> revisited_precision_at_k([[0, 1, 2, 3]], easy=[[0]], hard=[[3]], junk=[[1]], k=5)
    {'easy': 1.0, 'medium': 0.6666666666666666, 'hard': 0.5}
    """
    depths = check_depths(k)
    setups = _setups(rankings, easy, hard, junk)
    means = {}
    for name, (right, ignored) in setups.items():
        rows = [
            _precisions_at(*lists, depths) for lists in zip(rankings, right, ignored, strict=True)
        ]
        means[name] = _mean(np.array(rows)) if np.ndim(k) else _mean(np.array(rows)[:, 0])
    return means


def check_depths(k: int | Sequence[int]) -> Integers:
    """Return `k` as a 1-D array of positive integers."""
    depths = np.atleast_1d(k)
    if depths.ndim != 1 or depths.dtype.kind not in "iu" or (depths < 1).any():
        raise ValueError(f"k must be a positive integer, or several, got {k!r}.")
    return depths


def _setups(
    rankings: ItemLists, easy: ItemLists, hard: ItemLists, junk: ItemLists
) -> dict[str, tuple[ItemLists, ItemLists]]:
    """Return the (positives, ignored) lists of the three setups."""
    _, easy, hard, junk = check_queries(rankings, easy=easy, hard=hard, junk=junk)
    for query, kinds in enumerate(zip(easy, hard, junk, strict=True)):
        _check_disjoint(query, [set(np.asarray(kind).tolist()) for kind in kinds])
    return {
        "easy": (easy, _joined(junk, hard)),
        "medium": (_joined(easy, hard), junk),
        "hard": (hard, _joined(junk, easy)),
    }


def _check_disjoint(query: int, kinds: list[set[Any]]) -> None:
    if len(set.union(*kinds)) < sum(map(len, kinds)):
        raise ValueError(f"An image is in two of the lists easy, hard and junk of query {query}.")


def _joined(*lists: ItemLists) -> ItemLists:
    return [[item for part in parts for item in part] for parts in zip(*lists, strict=True)]


def _precisions_at(ranked: Items, positives: Items, ignored: Items, depths: Integers) -> Floats:
    ranked, positives, ignored = check_query(ranked, positives, ignored)
    if len(positives) == 0:
        return np.full(len(depths), np.nan)
    positions = hit_ranks(ranked, positives, ignored) + 1
    reached = np.minimum(depths, positions.max())
    return (positions <= reached[:, None]).sum(axis=1) / reached


def _mean(values: Floats) -> float | Floats:
    """Average over queries, leaving out those without positives."""
    counted = values[~np.isnan(values).reshape(len(values), -1).any(axis=1)]
    if len(counted) == 0:
        return float("nan") if values.ndim == 1 else np.full(values.shape[1], np.nan)
    mean = counted.mean(axis=0)
    return float(mean) if values.ndim == 1 else mean
