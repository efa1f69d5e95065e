"""Caltech-UCSD Birds 200, of 2011."""

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, below, finite, one_of, positions

SOURCE = "https://www.vision.caltech.edu/datasets/cub_200_2011/"


def load_cub200(folder: PathLike) -> Bunch:
    """List the images of CUB-200-2011, their boxes and split.

    Expected are `images/<class>/*.jpg`, `images.txt`, `classes.txt`, `image_class_labels.txt`,
    `train_test_split.txt` and `bounding_boxes.txt`.

    Parameters
    ----------
    folder : str or path-like
        The folder `CUB_200_2011` of the archive.

    Returns
    -------
    Bunch
        With `paths` (list of str), `target` (array), `target_names` (list of str), `boxes` (array
        of shape (n_images, 4): left, top, right and bottom of the bird, in pixels), `train` and
        `test` (arrays of positions).

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie, "The Caltech-UCSD Birds-200-2011
    dataset", CNS-TR-2011-001.

    Examples
    --------
    >>> from skdeepenc.datasets import load_cub200
    >>> load_cub200("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: CUB-200-2011: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "CUB-200-2011", SOURCE)
    numbers, names = zip(*published.rows("images.txt", str, below), strict=True)
    class_numbers, class_names = zip(*published.rows("classes.txt", str, str), strict=True)
    labels = _column(published, "image_class_labels.txt", numbers, str)[:, 0]
    in_training = _column(published, "train_test_split.txt", numbers, one_of(0, 1))[:, 0] == 1
    boxes = _column(published, "bounding_boxes.txt", numbers, *[finite] * 4)
    boxes[:, 2:] += boxes[:, :2]  # the file has widths and heights
    return Bunch(
        paths=published.paths(names, below="images"),
        target=positions(labels.tolist(), class_numbers, published, "image_class_labels.txt"),
        target_names=list(class_names),
        boxes=boxes,
        train=np.flatnonzero(in_training),
        test=np.flatnonzero(~in_training),
    )


def _column(published, name, numbers, *kinds):
    """Return what a file says of each image, in the order of `numbers`."""
    rows = published.rows(name, str, *kinds)
    order = positions(numbers, [row[0] for row in rows], published, "images.txt")
    return np.array([row[1:] for row in rows])[order]
