"""INRIA Holidays: the same scene, seen again."""

import re

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder

SOURCE = "https://thoth.inrialpes.fr/~jegou/data.php"
NAME = re.compile("[0-9]{3,9}")


def load_holidays(folder: PathLike) -> Bunch:
    """List the images of INRIA Holidays and its queries.

    Expected are the images of both archives, at any depth: `100000.jpg`, `100001.jpg` ... The
    last two digits count within a group, and the first image of each group is the query.

    Parameters
    ----------
    folder : str or path-like
        Where the archives were unpacked.

    Returns
    -------
    Bunch
        With `paths` (list of str), `target` (array, the group of each image), `queries` (array of
        positions) and `positives` (list of arrays of positions, without the query itself), as
        `metrics.holidays_map` takes them.

    Raises
    ------
    DataSetError
        If there are no images, names are not numbers, or a group has no query or nothing else.

    References
    ----------
    H. Jégou, M. Douze, C. Schmid, "Hamming embedding and weak geometric consistency for large scale
    image search", ECCV 2008.

    Examples
    --------
    >>> from skdeepenc.datasets import load_holidays
    >>> load_holidays("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: INRIA Holidays: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "INRIA Holidays", SOURCE)
    images = published.images()
    strange = [name for name in images if not NAME.fullmatch(name)]
    if strange:
        raise published.error(f"{strange[0]}.jpg is not one of its images")
    groups, within = np.divmod([int(name) for name in images], 100)
    queries = np.flatnonzero(within == 0)
    positives = [np.flatnonzero((groups == groups[query]) & (within > 0)) for query in queries]
    alone = [int(groups[q]) for q, right in zip(queries, positives, strict=True) if not len(right)]
    alone += np.setdiff1d(groups, groups[queries]).tolist()
    if alone:
        raise published.error(f"group {alone[0]} lacks its query, or all but its query")
    return Bunch(paths=list(images.values()), target=groups, queries=queries, positives=positives)
