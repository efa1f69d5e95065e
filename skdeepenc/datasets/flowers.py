"""Oxford Flowers, with 17 and with 102 kinds."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._sklearn import Interval, validate_params
from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder

SOURCE_17 = "https://www.robots.ox.ac.uk/~vgg/data/flowers/17/"
SOURCE_102 = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
IMAGES_PER_KIND = 80
SPLITS_102 = {"train": "trnid", "val": "valid", "test": "tstid"}


@validate_params(
    {"folder": "no_validation", "split": [Interval(Integral, 1, 3, closed="both")]},
    prefer_skip_nested_validation=True,
)
def load_flowers17(folder: PathLike, *, split: int = 1) -> Bunch:
    """List the images of Oxford Flowers 17 and one of its three splits.

    Expected are `jpg/image_0001.jpg` ... `jpg/image_1360.jpg`, 80 of each kind one after the other,
    and `datasplits.mat`.

    Parameters
    ----------
    folder : str or path-like
        Where the data set was unpacked.
    split : int, default=1
        Which of the three splits, from 1.

    Returns
    -------
    Bunch
        With `paths` (list of str), `target` (array), `train`, `val` and `test` (arrays of
        positions).

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    M.-E. Nilsback, A. Zisserman, "A visual vocabulary for flower classification", CVPR 2006.

    Examples
    --------
    >>> from skdeepenc.datasets import load_flowers17
    >>> load_flowers17("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: Oxford Flowers 17: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "Oxford Flowers 17", SOURCE_17)
    n_images = 17 * IMAGES_PER_KIND
    splits = {
        name: published.numbers("datasplits.mat", f"{key}{split}", n_images) - 1
        for name, key in {"train": "trn", "val": "val", "test": "tst"}.items()
    }
    names = [f"image_{number:04d}.jpg" for number in range(1, n_images + 1)]
    return Bunch(
        paths=published.paths(names, below="jpg"),
        target=np.arange(n_images) // IMAGES_PER_KIND,
        **splits,
    )


def load_flowers102(folder: PathLike) -> Bunch:
    """List the images of Oxford Flowers 102 and its split.

    Expected are `jpg/image_00001.jpg` ... , `imagelabels.mat` and `setid.mat`.

    Parameters
    ----------
    folder : str or path-like
        Where the data set was unpacked.

    Returns
    -------
    Bunch
        With `paths` (list of str), `target` (array, from 0), `train`, `val` and `test` (arrays of
        positions).

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    M.-E. Nilsback, A. Zisserman, "Automated flower classification over a large number of classes",
    ICVGIP 2008.

    Examples
    --------
    >>> from skdeepenc.datasets import load_flowers102
    >>> load_flowers102("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: Oxford Flowers 102: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "Oxford Flowers 102", SOURCE_102)
    target = published.numbers("imagelabels.mat", "labels", most=102) - 1
    names = [f"image_{number:05d}.jpg" for number in range(1, len(target) + 1)]
    splits = {
        name: published.numbers("setid.mat", key, most=len(target)) - 1
        for name, key in SPLITS_102.items()
    }
    return Bunch(paths=published.paths(names, below="jpg"), target=target, **splits)
