"""Average precision as the Oxford Buildings and Paris benchmarks define it.

Both come with a small program, `compute_ap`, that goes down the ranked list and sums the area
under the precision-recall curve by the trapezoid rule. It is not the rectangle rule of information
retrieval (`sklearn.metrics.average_precision_score`), which gives other numbers.
"""

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import ItemLists, Items
from skdeepenc.metrics._rankings import check_queries, check_query, hit_ranks


def trapezoid_average_precision(ranks: NDArray[np.intp], n_positives: int) -> float:
    """Return the area under the precision-recall curve of hits at `ranks`, which count from 0.

    The j-th hit, from 0, at rank r adds ``(j / r + (j + 1) / (r + 1)) / 2`` over the positives; the
    precision left of rank 0 is 1. Without positives the area is not defined: NaN.
    """
    if n_positives == 0:
        return float("nan")
    hits = np.arange(len(ranks))
    before = np.divide(hits, ranks, out=np.ones(len(ranks)), where=ranks > 0)
    after = (hits + 1) / (ranks + 1)
    return float((before + after).sum() / (2 * n_positives))


def average_precision(ranked: Items, positives: Items, junk: Items = ()) -> float:
    """Measure one ranking by the Oxford Buildings protocol.

    Junk images are taken out of the list before ranks are counted. The precision-recall curve is
    then integrated by the trapezoid rule: the j-th hit (from 0) at rank r (from 0) adds ``(j / r +
    (j + 1) / (r + 1)) / (2 P)`` for P positives, with 1 in the place of 0 / 0.

    Parameters
    ----------
    ranked : array-like of shape (n_gallery,)
        Gallery indices, or names, best first. It must hold every positive.
    positives : array-like of int or str
        The images that are right answers.
    junk : array-like of int or str, default=()
        Images that count neither for nor against.

    Returns
    -------
    float
        Average precision from 0 to 1; NaN if there are no positives.

    Raises
    ------
    ValueError
        If the ranking is empty or repeats an image, lacks a positive, or if a positive is also
        junk.

    References
    ----------
    J. Philbin, O. Chum, M. Isard, J. Sivic, A. Zisserman, "Object retrieval with large vocabularies
    and fast spatial matching", CVPR 2007, and its program `compute_ap`.

    Examples
    --------
    >>> from skdeepenc.metrics import average_precision
    >>> average_precision([4, 2, 0, 1, 3], positives=[4, 0])
    0.7916666666666666
    >>> average_precision([4, 2, 0, 1, 3], positives=[4, 0], junk=[2])
    1.0
    """
    ranked, positives, junk = check_query(ranked, positives, junk)
    return trapezoid_average_precision(hit_ranks(ranked, positives, junk), len(positives))


def mean_average_precision(
    rankings: ItemLists, positives: ItemLists, junk: ItemLists | None = None
) -> float:
    """Average the precision of many queries, as Oxford5k and Paris6k are reported.

    Queries without positives are left out of the mean.

    Parameters
    ----------
    rankings : array-like of shape (n_queries, n_gallery), or sequence of 1-D array-likes
        Gallery indices, or names, best first, for each query.
    positives : sequence of array-likes
        The right answers of each query.
    junk : sequence of array-likes, default=None
        What counts neither for nor against, for each query; None means nothing.

    Returns
    -------
    float
        Mean average precision from 0 to 1.

    Raises
    ------
    ValueError
        As `average_precision`; also if the lists differ in length or no query has a positive.

    See Also
    --------
    average_precision : The measure of one query, and its source.

    Examples
    --------
    >>> from skdeepenc.metrics import mean_average_precision
    >>> mean_average_precision([[0, 1, 2], [2, 0, 1]], positives=[[0], [0]])
    0.625
    """
    precisions = average_precisions(rankings, positives, junk)
    if np.isnan(precisions).all():
        raise ValueError("No query has a positive: the mean average precision is not defined.")
    return float(np.nanmean(precisions))


def average_precisions(
    rankings: ItemLists, positives: ItemLists, junk: ItemLists | None = None
) -> NDArray[np.float64]:
    """Return the average precision of every query, NaN for those without positives."""
    rankings, positives, junk = check_queries(rankings, positives=positives, junk=junk)
    precisions = np.empty(len(rankings))
    for query, lists in enumerate(zip(rankings, positives, junk, strict=True)):
        ranked, right, ignored = check_query(*lists, name=f"rankings[{query}]")
        ranks = hit_ranks(ranked, right, ignored)
        precisions[query] = trapezoid_average_precision(ranks, len(right))
    return precisions
