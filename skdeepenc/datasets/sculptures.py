"""Sculptures 6k: works by Henry Moore and Auguste Rodin, photographed by many."""

from typing import Literal

from sklearn.utils import Bunch

from skdeepenc._sklearn import StrOptions, validate_params
from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder
from skdeepenc.datasets.buildings import load_text_ground_truth

SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/sculptures6k/"


@validate_params(
    {"folder": "no_validation", "subset": [StrOptions({"train", "test"})]},
    prefer_skip_nested_validation=True,
)
def load_sculptures6k(folder: PathLike, *, subset: Literal["train", "test"] = "test") -> Bunch:
    """List the images of one half of Sculptures 6k, its queries and right answers.

    Expected are the images in `train` and `test`, and at any depth the ground truth in the text
    files that Oxford's group writes for its other collections: `<query>_query.txt`,
    `<query>_good.txt`, `<query>_ok.txt` and `<query>_junk.txt`.

    Parameters
    ----------
    folder : str or path-like
        Where the archives were unpacked.
    subset : {"train", "test"}, default="test"
        Which half; the ground truth is of the test half.

    Returns
    -------
    Bunch
        With `paths` and `names` (lists of str); for the test half also what `load_oxford5k`
        returns.

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set.

    References
    ----------
    R. Arandjelović, A. Zisserman, "Smooth object retrieval using a bag of boundaries", ICCV 2011.

    Examples
    --------
    >>> from skdeepenc.datasets import load_sculptures6k
    >>> load_sculptures6k("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: Sculptures 6k: nowhere is not a folder. ...
    """
    published = PublishedFolder(folder, "Sculptures 6k", SOURCE)
    images = published.images(subset)
    if subset == "test":
        return load_text_ground_truth(published, images)
    return Bunch(paths=list(images.values()), names=list(images))
