"""PASCAL VOC 2007: photographs with several of twenty objects."""

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, below, one_of, positions

SOURCE = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
CLASSES = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def load_voc2007(folder: PathLike) -> Bunch:
    """List the images of PASCAL VOC 2007, their labels and splits.

    Expected are `JPEGImages/*.jpg` and `ImageSets/Main` with `train.txt`, `val.txt`, `test.txt` and
    a file for each class and split, such as `cat_train.txt`.

    Parameters
    ----------
    folder : str or path-like
        The folder `VOCdevkit/VOC2007`, where the archives for training and testing were unpacked.

    Returns
    -------
    Bunch
        With `paths` (list of str), `target` (array of shape (n_images, 20): 1 for images of the
        class, -1 for others, 0 for difficult ones, which `metrics.voc_average_precision` leaves
        out), `target_names` (list of str), `train`, `val` and `test` (arrays of positions).

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    M. Everingham, L. Van Gool, C. Williams, J. Winn, A. Zisserman, "The PASCAL Visual Object
    Classes Challenge 2007".

    Examples
    --------
    >>> from skdeepenc.datasets import load_voc2007
    >>> load_voc2007("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: PASCAL VOC 2007: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "PASCAL VOC 2007", SOURCE)
    splits: dict[str, np.ndarray] = {}
    names: list[str] = []
    labels = []
    for split in ("train", "val", "test"):
        members = published.column(f"ImageSets/Main/{split}.txt", below)
        splits[split] = np.arange(len(names), len(names) + len(members))
        names += members
        labels.append(_read_labels(published, split, members))
    return Bunch(
        paths=published.paths([f"{name}.jpg" for name in names], below="JPEGImages"),
        target=np.vstack(labels),
        target_names=CLASSES.copy(),
        **splits,
    )


def _read_labels(published, split, members):
    """Return the labels (n_members, 20) of one split."""
    labels = np.empty((len(members), len(CLASSES)), dtype=np.int8)
    for column, name in enumerate(CLASSES):
        rows = published.rows(f"ImageSets/Main/{name}_{split}.txt", str, one_of(-1, 0, 1))
        order = positions(members, [image for image, _ in rows], published, f"{split}.txt")
        labels[:, column] = np.array([label for _, label in rows])[order]
    return labels
