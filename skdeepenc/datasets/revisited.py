"""The revisited ground truth of Oxford5k and Paris6k, as JSON or as the pickle that was published.

A pickle is a program. It is read here by stand-ins that run nothing, and yet a file that nobody has
to trust is better: `convert_revisited` writes what it holds as JSON, once, and the loaders read
that. A pickle is only read where that is asked for.
"""

import json
import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skdeepenc._typing import PathLike
from skdeepenc.datasets._published import PublishedFolder, positions
from skdeepenc.datasets._restricted_pickle import read_pickle
from skdeepenc.exceptions import DataSetError

__all__ = ["convert_revisited"]

SOURCE = "http://cmp.felk.cvut.cz/revisitop/"
_LISTS = ("easy", "hard", "junk")


def convert_revisited(path: PathLike) -> Path:
    """Write the pickled ground truth of revisited Oxford5k or Paris6k as JSON, beside the pickle.

    Parameters
    ----------
    path : path-like
        `gnd_roxford5k.pkl` or `gnd_rparis6k.pkl`, as published.

    Returns
    -------
    Path
        The same name with the ending `.json`, which `load_oxford5k` and `load_paris6k` read.

    Raises
    ------
    DataSetError
        If the file cannot be read, holds anything but data, or lacks what it should hold; or if the
        JSON cannot be written.

    Examples
    --------
    >>> from skdeepenc.datasets import convert_revisited
    >>> convert_revisited("revisited/gnd_roxford5k.pkl")  # doctest: +SKIP
    PosixPath('revisited/gnd_roxford5k.json')
    """
    path = Path(path)
    names, query_names, answers = _parsed(read_pickle(path), path)
    queries = [
        {"bbx": box.tolist(), **{kind: answers[kind][query].tolist() for kind in _LISTS}}
        for query, box in enumerate(answers["boxes"])
    ]
    converted = path.with_suffix(".json")
    aside = converted.with_suffix(".json.part")
    try:
        text = json.dumps({"imlist": names, "qimlist": query_names, "gnd": queries})
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, converted)
    except OSError as error:
        raise DataSetError(f"{converted} cannot be written ({error.strerror}).") from error
    return converted


def load_revisited(folder, title, name, allow_pickle):
    """Read images and the ground truth ``name.json``, or, if allowed, ``name.pkl``."""
    published = PublishedFolder(folder, f"Revisited {title}", SOURCE)
    path = _find(published, name, allow_pickle)
    truth = read_pickle(path) if path.suffix == ".pkl" else _read_json(published, path)
    names, query_names, answers = _parsed(truth, path)
    images = published.images()
    positions([*names, *query_names], images, published, path.name)
    return Bunch(
        paths=[images[name] for name in names],
        names=names,
        query_names=query_names,
        query_paths=[images[name] for name in query_names],
        **answers,
    )


def _find(published, name, allow_pickle):
    """Return the file of the ground truth; a pickle that is not allowed is an error."""
    found = {
        ending: next(iter(sorted(published.folder.rglob(f"{name}.{ending}"))), None)
        for ending in ("json", "pkl")
    }
    path = found["json"] or found["pkl"]
    if path is None:
        raise published.error(f"missing in {published.folder}: {name}.pkl")
    if path.suffix == ".pkl" and not allow_pickle:
        raise DataSetError(
            f"{published.title}: {path} is a pickle, which is read only on request. Convert it to "
            f"JSON once, with `skdeepenc convert {path}` or "
            "skdeepenc.datasets.convert_revisited(path), or give allow_pickle=True."
        )
    return path


def _read_json(published, path):
    try:
        return json.loads(published.text(path.relative_to(published.folder)))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataSetError):
            raise
        raise published.error(f"{path.name} is not readable JSON ({error})") from None


def _parsed(truth, path):
    """Return names of images and queries, and the answers, of a ground truth that was read."""
    try:
        names, query_names = _names(truth["imlist"]), _names(truth["qimlist"])
        return names, query_names, _answers(truth["gnd"], len(query_names), len(names))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataSetError(f"{path} lacks what it should hold ({error!s:.200}).") from error


def _answers(queries, n_queries, n_images):
    """Return boxes and lists of positions, or raise a ValueError."""
    if len(queries) != n_queries:
        raise ValueError(f"{n_queries} queries, {len(queries)} answers")
    lists = {kind: [_positions(query[kind], n_images) for query in queries] for kind in _LISTS}
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
