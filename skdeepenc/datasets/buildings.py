"""Oxford5k and Paris6k, with their own and with the revisited ground truth."""

from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._sklearn import StrOptions, validate_params
from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, finite, positions
from skdeepenc.datasets._restricted_pickle import read_pickle
from skdeepenc.exceptions import DataSetError

OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/"
PARIS = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/"
REVISITED = "http://cmp.felk.cvut.cz/revisitop/"

_check_parameters = validate_params(
    {"folder": "no_validation", "ground_truth": [StrOptions({"original", "revisited"})]},
    prefer_skip_nested_validation=True,
)


@_check_parameters
def load_oxford5k(
    folder: PathLike, *, ground_truth: Literal["original", "revisited"] = "original"
) -> Bunch:
    """List the images of Oxford5k, its queries and right answers.

    Expected are, at any depth, the images, and either the text files of the ground truth
    (`all_souls_1_query.txt`, `all_souls_1_good.txt`, ...) or `gnd_roxford5k.pkl` of the revisited
    one.

    Parameters
    ----------
    folder : str or path-like
        Where the archives were unpacked.
    ground_truth : {"original", "revisited"}, default="original"
        Which ground truth to read. The revisited queries are not in the gallery.

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
        return _load_revisited(folder, "Revisited Oxford5k", "gnd_roxford5k.pkl")
    return load_text_ground_truth(PublishedFolder(folder, "Oxford5k", OXFORD))


@_check_parameters
def load_paris6k(
    folder: PathLike, *, ground_truth: Literal["original", "revisited"] = "original"
) -> Bunch:
    """List the images of Paris6k, its queries and right answers.

    Expected are, at any depth, the images, and either the text files of the ground truth
    (`defense_1_query.txt`, `defense_1_good.txt`, ...) or `gnd_rparis6k.pkl` of the revisited one.
    The archives hold a few damaged images, which are not told apart here.

    Parameters
    ----------
    folder : str or path-like
        Where the archives were unpacked.
    ground_truth : {"original", "revisited"}, default="original"
        Which ground truth to read. The revisited queries are not in the gallery.

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
        return _load_revisited(folder, "Revisited Paris6k", "gnd_rparis6k.pkl")
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


def _load_revisited(folder, title, file_name):
    """Read the revisited ground truth."""
    published = PublishedFolder(folder, title, REVISITED)
    path = next(iter(sorted(Path(folder).rglob(file_name))), None)
    if path is None:
        raise published.error(f"missing in {folder}: {file_name}")
    truth, images = read_pickle(path), published.images()
    try:
        names, query_names = _names(truth["imlist"]), _names(truth["qimlist"])
        positions([*names, *query_names], images, published, file_name)
        answers = _answers(truth["gnd"], len(query_names), len(names))
    except DataSetError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise published.error(f"{file_name} lacks what it should hold ({error})") from error
    return Bunch(
        paths=[images[name] for name in names],
        names=names,
        query_names=query_names,
        query_paths=[images[name] for name in query_names],
        **answers,
    )


def _answers(queries, n_queries, n_images):
    """Return boxes and lists of positions of the revisited ground truth, or raise a ValueError."""
    if len(queries) != n_queries:
        raise ValueError(f"{n_queries} queries, {len(queries)} answers")
    lists = {
        kind: [_positions(query[kind], n_images) for query in queries]
        for kind in ("easy", "hard", "junk")
    }
    return {"boxes": np.array([_numbers(query["bbx"], 4) for query in queries]), **lists}


def _names(value):
    """Return a list of names, or raise a ValueError."""
    names = list(value)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name is not text")
    return names


def _numbers(value, n_numbers=None):
    """Return finite numbers as a vector, or raise a ValueError."""
    numbers = np.asarray(value, dtype=np.float64).ravel()
    if not np.isfinite(numbers).all() or n_numbers not in (None, len(numbers)):
        raise ValueError(f"unexpected numbers {value!r:.60}")
    return numbers


def _positions(value, n_images):
    """Return positions in the gallery, or raise a ValueError."""
    numbers = _numbers(value)
    if ((numbers < 0) | (numbers >= n_images) | (numbers % 1 != 0)).any():
        raise ValueError(f"an answer is not one of {n_images} images")
    return numbers.astype(np.intp)
