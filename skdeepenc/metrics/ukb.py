"""The score of the University of Kentucky Benchmark."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skdeepenc._typing import ItemLists, Items
from skdeepenc.metrics._rankings import check_ranking


def ukb_score(rankings: ItemLists, labels: ArrayLike) -> float:
    """Count the images of the query's object among the first four, as UKB does.

    Every image queries the whole gallery, itself included, and each object has four images: a
    perfect ranking scores 4.

    Parameters
    ----------
    rankings : array-like of shape (n_images, n_ranked)
        Gallery indices, best first; row i is the ranking of image i. At least four a row.
    labels : array-like of shape (n_images,)
        The object of each image.

    Returns
    -------
    float
        Mean number of right images among the first four, from 0 to 4.

    Raises
    ------
    ValueError
        If there is not one ranking per image, fewer than four images are ranked, an index is no
        image of the gallery, or no ranking holds its own query (then at most 3 could be reached).

    References
    ----------
    D. Nistér, H. Stewénius, "Scalable recognition with a vocabulary tree", CVPR 2006.

    Examples
    --------
    >>> from skdeepenc.metrics import ukb_score
    >>> rankings = [[0, 1, 2, 3], [1, 2, 0, 3], [2, 0, 1, 3], [3, 4, 2, 1], [4, 3, 0, 2]]
    >>> ukb_score(rankings, labels=["cup", "cup", "cup", "cup", "lamp"])
    3.2
    """
    labels = np.asarray(labels)
    first = np.array([_first_four(ranked, row) for row, ranked in enumerate(rankings)])
    if len(first) != len(labels):
        raise ValueError(
            f"UKB ranks every image: got {len(first)} rankings for {len(labels)} labels."
        )
    if first.min() < 0 or first.max() >= len(labels):
        raise ValueError(f"rankings must hold gallery indices from 0 to {len(labels) - 1}.")
    if not (first == np.arange(len(labels))[:, None]).any():
        raise ValueError(
            "No ranking holds its own query among the first four: UKB counts the query."
        )
    return float((labels[first] == labels[:, None]).sum(axis=1).mean())


def _first_four(ranked: Items, row: int) -> NDArray[Any]:
    ranked = check_ranking(ranked, f"rankings[{row}]")
    if len(ranked) < 4 or ranked.dtype.kind not in "iu":
        raise ValueError(f"rankings[{row}] must hold at least four gallery indices.")
    return ranked[:4]
