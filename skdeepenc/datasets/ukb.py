"""University of Kentucky Benchmark: four images of each object."""

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder

SOURCE = "https://archive.org/details/ukbench"


def load_ukb(folder: PathLike) -> Bunch:
    """List the images of the University of Kentucky Benchmark.

    Expected are `ukbench00000.jpg`, `ukbench00001.jpg` ..., at any depth; each four in a row show
    one object.

    Parameters
    ----------
    folder : str or path-like
        Where the archive was unpacked.

    Returns
    -------
    Bunch
        With `paths` (list of str) and `target` (array, the object of each image), as
        `metrics.ukb_score` takes it.

    Raises
    ------
    DataSetError
        If there are no images, or one of them is missing.

    References
    ----------
    D. Nistér, H. Stewénius, "Scalable recognition with a vocabulary tree", CVPR 2006.

    Examples
    --------
    >>> from skdeepenc.datasets import load_ukb
    >>> load_ukb("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: UKB: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "UKB", SOURCE)
    images = published.images()
    n_images = -(-len(images) // 4) * 4
    expected = [f"ukbench{number:05d}" for number in range(n_images)]
    missing = [name for name in expected if name not in images]
    if missing:
        raise published.error(f"missing in {folder}: {missing[0]}.jpg")
    return Bunch(paths=[images[name] for name in expected], target=np.arange(n_images) // 4)
