"""MIT Indoor 67: scenes inside buildings."""

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, below

SOURCE = "http://web.mit.edu/torralba/www/indoor.html"


def load_indoor67(folder: PathLike) -> Bunch:
    """List the images of MIT Indoor 67 and its split.

    Expected are `Images/<class>/*.jpg`, `TrainImages.txt` and `TestImages.txt` (80 and 20 images
    of each of 67 classes; the other images belong to neither).

    Parameters
    ----------
    folder : str or path-like
        Where the data set was unpacked.

    Returns
    -------
    Bunch
        With `paths` (list of str, the training images before the test images), `target`
        (array), `target_names` (list of str), `train` and `test` (arrays of positions).

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    A. Quattoni, A. Torralba, "Recognizing indoor scenes", CVPR 2009.

    Examples
    --------
    >>> from skdeepenc.datasets import load_indoor67
    >>> load_indoor67("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: MIT Indoor 67: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "MIT Indoor 67", SOURCE)
    train, test = (published.column(name, below) for name in ("TrainImages.txt", "TestImages.txt"))
    names = [*train, *test]
    target_names, target = np.unique([name.split("/")[0] for name in names], return_inverse=True)
    return Bunch(
        paths=published.paths(names, below="Images"),
        target=target,
        target_names=target_names.tolist(),
        train=np.arange(len(train)),
        test=np.arange(len(train), len(names)),
    )
