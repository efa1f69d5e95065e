"""Mean average precision as the INRIA Holidays data set defines it."""

import numpy as np

from skdeepenc._typing import ItemLists, Items
from skdeepenc.metrics._rankings import as_items, check_queries
from skdeepenc.metrics.oxford import mean_average_precision


def holidays_map(rankings: ItemLists, queries: Items, positives: ItemLists) -> float:
    """Measure rankings by the INRIA Holidays protocol.

    The first image of each group is a query and also in the gallery: it is taken out of its own
    list before ranks are counted. Average precision then is the trapezoid rule of
    `average_precision`.

    Parameters
    ----------
    rankings : array-like of shape (n_queries, n_gallery), or sequence of 1-D array-likes
        Gallery indices, or names, best first, for each query.
    queries : array-like of shape (n_queries,)
        Which gallery image each query is.
    positives : sequence of array-likes
        The other images of each query's group.

    Returns
    -------
    float
        Mean average precision from 0 to 1.

    Raises
    ------
    ValueError
        If a query is among its own positives, which would give it a hit for nothing; otherwise as
        `mean_average_precision`.

    References
    ----------
    H. Jégou, M. Douze, C. Schmid, "Hamming embedding and weak geometric consistency for large scale
    image search", ECCV 2008, and its program `holidays_map.py`.

    Examples
    --------
    >>> from skdeepenc.metrics import holidays_map
    >>> holidays_map([[0, 1, 2], [2, 0, 3]], queries=[0, 2], positives=[[1], [3]])
    0.625
    """
    rankings, queries, positives = check_queries(rankings, queries=queries, positives=positives)
    asked = as_items(queries, "queries")
    for query, right in zip(asked, positives, strict=True):
        if query in np.asarray(right):
            raise ValueError(
                f"The query {query!r} is among its own positives: "
                "Holidays does not count it as a hit."
            )
    return mean_average_precision(rankings, positives, junk=asked[:, None])
