"""Images to search, queries among them and right answers: drawn, or of a standard folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skdeepenc._typing import Floats, Integers
from skdeepenc.datasets import load_holidays, load_oxford5k, load_paris6k, make_scenes
from skdeepenc.exceptions import DataSetError
from skdeepenc.images import decode_image
from skdeepenc.reproduction.photographs import photograph

__all__ = ["SearchedImages", "draw_searched", "open_searched"]

_N_VIEWS = 4
_SCENE_SIDE = 240
# Images that answer no query, where a quick look is asked for.
_FEW = 60


@dataclass(frozen=True)
class SearchedImages:
    """A gallery, the queries in it and their right answers.

    Parameters
    ----------
    images : sequence
        Paths or arrays.
    queries : ndarray of int
        Positions of the queries.
    boxes : ndarray of shape (n_queries, 4)
        What is asked for: left, top, right and bottom, in pixels.
    sizes : ndarray of shape (n_queries, 2)
        Height and width of the queries' images.
    positives, junk : list of ndarray of int
        The right answers, and what counts neither for nor against, for each query.
    ids : ndarray of shape (n_queries,)
        A number for each query that is its own in all turns of a measurement.
    learning : sequence or None, default=None
        Images to learn from; None where there are only those of the gallery.
    """

    images: Sequence[Any]
    queries: Integers
    boxes: Floats
    sizes: Floats
    positives: Sequence[Integers]
    junk: Sequence[Integers]
    ids: Integers
    learning: Sequence[Any] | None = None


def draw_searched(n_scenes, seed):
    """Draw scenes and photograph each from near and far; the first photograph asks for the others.

    What is asked for is the object. Other scenes show the same kind of object, before another
    background: finding the kind is not enough.
    """
    random = np.random.RandomState(seed)
    scenes = make_scenes(n_scenes, image_size=_SCENE_SIDE, random_state=random)
    others = make_scenes(n_scenes, image_size=_SCENE_SIDE, random_state=random)
    shots = [
        photograph(image, box, random)
        for image, box in zip(scenes.images, scenes.boxes, strict=True)
        for _ in range(_N_VIEWS)
    ]
    views = np.arange(len(shots)).reshape(n_scenes, _N_VIEWS)
    queries = views[:, 0]
    return SearchedImages(
        images=[image for image, _ in shots],
        queries=queries,
        boxes=np.array([shots[query][1] for query in queries]),
        sizes=np.array([shots[query][0].shape[:2] for query in queries], dtype=float),
        positives=list(views[:, 1:]),
        junk=list(views[:, :1]),
        ids=seed * n_scenes + np.arange(n_scenes),
        learning=[
            photograph(image, box, random)[0]
            for image, box in zip(others.images, others.boxes, strict=True)
            for _ in range(_N_VIEWS)
        ],
    )


def open_searched(folder, *, few=False):
    """Return what a standard folder is called, and what gives its images for a seed.

    Parameters
    ----------
    folder : path-like
        Oxford5k, Paris6k or INRIA Holidays, as its authors ship it.
    few : bool, default=False
        Whether to leave out most images that answer no query.

    Returns
    -------
    title : str
        What the data set is called, and how many images of it are searched.
    load : callable
        Given a seed, which makes no difference, returns `SearchedImages`.

    Raises
    ------
    DataSetError
        If the folder is none of these.
    """
    title, found = _read(Path(folder))
    images, queries, boxes, sizes = _with_boxes(found)
    searched = SearchedImages(
        images, queries, boxes, sizes, found.positives, _junk(found), np.arange(len(queries))
    )
    searched = _with_few(searched) if few else searched
    return f"{title} ({len(searched.images)} images)", lambda seed: searched


def _read(folder):
    if next(folder.rglob("defense_1_query.txt"), None):
        return "Paris6k", load_paris6k(folder)
    if next(folder.rglob("*_query.txt"), None):
        return "Oxford5k", load_oxford5k(folder)
    if next(folder.rglob("[0-9][0-9][0-9][0-9]00.jpg"), None):
        return "INRIA Holidays", load_holidays(folder)
    raise DataSetError(
        f"{folder} is none of the data sets that are searched: Oxford5k or Paris6k (with their "
        "*_query.txt) or INRIA Holidays (100000.jpg, 100001.jpg, ...), at any depth."
    )


def _with_boxes(found):
    """Return the images, the queries' positions, and boxes and sizes of theirs."""
    if "boxes" in found:
        queries = np.array([found.paths.index(path) for path in found.query_paths])
        return found.paths, queries, np.asarray(found.boxes), _sizes(found.query_paths)
    sizes = _sizes([found.paths[query] for query in found.queries])
    whole = np.column_stack([np.zeros_like(sizes), sizes[:, ::-1]])
    return found.paths, found.queries, whole, sizes


def _sizes(paths):
    return np.array([decode_image(path).shape[:2] for path in paths], dtype=float)


def _junk(found):
    """Return what is left out of rankings: of Holidays, the query itself."""
    return found.junk if "junk" in found else [np.array([query]) for query in found.queries]


def _with_few(searched):
    """Keep what queries ask, find or pass over, and some of the other images."""
    named = np.unique(np.concatenate([searched.queries, *searched.positives, *searched.junk]))
    others = np.setdiff1d(np.arange(len(searched.images)), named)
    some = np.random.default_rng(0).permutation(others)[:_FEW]
    kept = np.sort(np.concatenate([named, some])).astype(np.intp)
    return SearchedImages(
        images=[searched.images[image] for image in kept],
        queries=np.searchsorted(kept, searched.queries),
        boxes=searched.boxes,
        sizes=searched.sizes,
        positives=[np.searchsorted(kept, images) for images in searched.positives],
        junk=[np.searchsorted(kept, images) for images in searched.junk],
        ids=searched.ids,
    )
