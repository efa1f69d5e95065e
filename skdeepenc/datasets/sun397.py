"""SUN397: scenes of every kind."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._sklearn import Interval, validate_params
from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, below, positions

SOURCE = "https://vision.princeton.edu/projects/2010/SUN/"


@validate_params(
    {"folder": "no_validation", "split": [Interval(Integral, 1, 10, closed="both")]},
    prefer_skip_nested_validation=True,
)
def load_sun397(folder: PathLike, *, split: int = 1) -> Bunch:
    """List the images of SUN397 and one of its ten splits.

    Expected are `SUN397/<letter>/<class>/*.jpg`, and in `Partitions` the files `ClassName.txt`,
    `Training_01.txt` ... `Training_10.txt` and `Testing_01.txt` ... `Testing_10.txt` (50 and 50
    images of each of 397 classes).

    Parameters
    ----------
    folder : str or path-like
        Where both archives were unpacked.
    split : int, default=1
        Which of the ten splits, from 1.

    Returns
    -------
    Bunch
        With `paths` (list of str, the training images before the test images), `target`
        (array), `target_names` (list of str such as "abbey" or "apse/indoor"), `train` and `test`
        (arrays of positions).

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    J. Xiao, J. Hays, K. Ehinger, A. Oliva, A. Torralba, "SUN database: Large-scale scene
    recognition from abbey to zoo", CVPR 2010.

    Examples
    --------
    >>> from skdeepenc.datasets import load_sun397
    >>> load_sun397("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: SUN397: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "SUN397", SOURCE)
    classes = published.column("Partitions/ClassName.txt", _below_letter)
    train, test = (
        published.column(f"Partitions/{part}_{split:02d}.txt", _below_letter)
        for part in ("Training", "Testing")
    )
    names = [*train, *test]
    return Bunch(
        paths=published.paths([name.lstrip("/") for name in names], below="SUN397"),
        target=positions([name.rpartition("/")[0] for name in names], classes, published),
        target_names=[name.split("/", maxsplit=2)[2] for name in classes],  # without the letter
        train=np.arange(len(train)),
        test=np.arange(len(train), len(names)),
    )


def _below_letter(text):
    """Return the name of a class or image below its letter, such as /a/abbey."""
    before, letter, name = text.split("/", maxsplit=2)
    if before or not below(letter) or not below(name):
        raise ValueError(text)
    return text
