"""Oxford5k and Paris6k, with their own and with the revisited ground truth."""

from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._sklearn import StrOptions, validate_params
from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, finite, positions
from skdeepenc.datasets.revisited import load_revisited

OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/"
PARIS = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/"

_check_parameters = validate_params(
    {
        "folder": "no_validation",
        "ground_truth": [StrOptions({"original", "revisited"})],
        "allow_pickle": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)


@_check_parameters
def load_oxford5k(
    folder: PathLike,
    *,
    ground_truth: Literal["original", "revisited"] = "original",
    allow_pickle: bool = False,
) -> Bunch:
    """List the images of Oxford5k, its queries and right answers.

    Expected are, at any depth, the images, and either the text files of the ground truth
    (`all_souls_1_query.txt`, `all_souls_1_good.txt`, ...) or `gnd_roxford5k.json` of the revisited
    one, which `convert_revisited` makes of the `gnd_roxford5k.pkl` that was published.

    Parameters
    ----------
    folder : str or path-like
        Where the archives were unpacked.
    ground_truth : {"original", "revisited"}, default="original"
        Which ground truth to read. The revisited queries are not in the gallery.
    allow_pickle : bool, default=False
        Whether to read the revisited ground truth from the pickle that was published, where it has
        not been converted. Nothing that the pickle asks for is run either way.

    Returns
    -------
    Bunch
        With `paths` and `names` of the gallery (lists of str), `query_paths` and `query_names`
        (lists of str), `boxes` (array of shape (n_queries, 4): left, top, right and bottom in
        pixels) and lists with an array of gallery positions for each query: `positives` and `junk`,
        as `metrics.mean_average_precision` takes them, or `easy`, `hard` and `junk`, for
        `metrics.revisited_map`.

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set. Also if the pickled
        ground truth holds anything but data.

    References
    ----------
    J. Philbin, O. Chum, M. Isard, J. Sivic, A. Zisserman, "Object retrieval with large vocabularies
    and fast spatial matching", CVPR 2007. F. Radenović, A. Iscen, G. Tolias, Y. Avrithis, O. Chum,
    "Revisiting Oxford and Paris", CVPR 2018.

    Examples
    --------
    >>> from skdeepenc.datasets import load_oxford5k
    >>> load_oxford5k("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: Oxford5k: nowhere is not a folder. ...
    """
    if ground_truth == "revisited":
        return load_revisited(
            folder, "Revisited Oxford5k", "gnd_roxford5k", allow_pickle=allow_pickle
        )
    return load_text_ground_truth(PublishedFolder(folder, "Oxford5k", OXFORD))


@_check_parameters
def load_paris6k(
    folder: PathLike,
    *,
    ground_truth: Literal["original", "revisited"] = "original",
    allow_pickle: bool = False,
) -> Bunch:
    """List the images of Paris6k, its queries and right answers.

    Expected are, at any depth, the images, and either the text files of the ground truth
    (`defense_1_query.txt`, `defense_1_good.txt`, ...) or `gnd_rparis6k.json` of the revisited one,
    which `convert_revisited` makes of the `gnd_rparis6k.pkl` that was published.
    The archives hold a few damaged images, which are not told apart here.

    Parameters
    ----------
    folder : str or path-like
        Where the archives were unpacked.
    ground_truth : {"original", "revisited"}, default="original"
        Which ground truth to read. The revisited queries are not in the gallery.
    allow_pickle : bool, default=False
        Whether to read the revisited ground truth from the pickle that was published, where it has
        not been converted. Nothing that the pickle asks for is run either way.

    Returns
    -------
    Bunch
        As of `load_oxford5k`.

    Raises
    ------
    DataSetError
        If something is missing; it says what, and where to get the data set. Also if the pickled
        ground truth holds anything but data.

    References
    ----------
    J. Philbin, O. Chum, M. Isard, J. Sivic, A. Zisserman, "Lost in quantization: Improving
    particular object retrieval in large scale image databases", CVPR 2008.

    Examples
    --------
    >>> from skdeepenc.datasets import load_paris6k
    >>> load_paris6k("nowhere")
    Traceback (most recent call last):
    skdeepenc.exceptions.DataSetError: Paris6k: nowhere is not a folder. ...
    """
    if ground_truth == "revisited":
        return load_revisited(
            folder, "Revisited Paris6k", "gnd_rparis6k", allow_pickle=allow_pickle
        )
    return load_text_ground_truth(PublishedFolder(folder, "Paris6k", PARIS))


def load_text_ground_truth(published, images=None):
    """Read queries, boxes and lists from the text files that Oxford's group writes."""
    images = published.images() if images is None else images
    names = list(images)
    queries = sorted(published.folder.rglob("*_query.txt"))
    if not queries:
        raise published.error(f"no ground truth (*_query.txt) in {published.folder}")
    read = [_read_query(published, path) for path in queries]
    query_names = [name for name, *_ in read]

    def find(listed, file):
        return positions(listed, names, published, file)

    return Bunch(
        paths=list(images.values()),
        names=names,
        query_names=query_names,
        query_paths=[images[names[at]] for at in find(query_names, "*_query.txt")],
        boxes=np.array([box for _, box, *_ in read]),
        positives=[find(right, f"{query}_good or _ok") for query, _, right, _ in read],
        junk=[find(ignored, f"{query}_junk") for query, _, _, ignored in read],
    )


def _read_query(published, path):
    """Return name, box, right answers (good and ok) and junk of one query."""
    file = path.relative_to(published.folder)
    name, *box = published.rows(file, str, *[finite] * 4)[0]
    good, ok, junk = (
        published.column(file.with_name(path.name.replace("_query", f"_{kind}")), may_be_empty=True)
        for kind in ("good", "ok", "junk")
    )
    # Oxford's own lists name the query's image with the prefix of an older collection.
    return name.removeprefix("oxc1_"), box, [*good, *ok], junk
