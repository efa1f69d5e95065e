"""Images with classes, and halves of them to learn from and to test: drawn, or of a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from skdeepenc._typing import Integers
from skdeepenc.datasets import (
    load_flowers17,
    load_flowers102,
    load_image_folder,
    load_indoor67,
    load_sun397,
    make_scenes,
)
from skdeepenc.exceptions import DataSetError

__all__ = ["LabelledImages", "draw_labelled", "halves", "open_classes", "open_labelled"]

# What a standard folder is known by: its title, its loader, and how many splits it has.
_STANDARD: dict[str, tuple[str, Callable[..., Any], int]] = {
    "TrainImages.txt": ("MIT Indoor 67", load_indoor67, 1),
    "Partitions": ("SUN397", load_sun397, 10),
    "setid.mat": ("Oxford Flowers 102", load_flowers102, 1),
    "datasplits.mat": ("Oxford Flowers 17", load_flowers17, 3),
}
# Images of a class where a quick look is asked for.
_FEW = 8


@dataclass(frozen=True)
class LabelledImages:
    """Images with their classes, and which of them train and which test.

    Parameters
    ----------
    images : sequence
        Paths or arrays.
    target : ndarray of shape (n_images,)
        Their classes.
    train, test : ndarray of int
        Positions of the images to learn from and of the others.
    ids : ndarray of shape (n_images,)
        A number for each image that is its own in all turns of a measurement.
    """

    images: Sequence[Any]
    target: Any
    train: Integers
    test: Integers
    ids: Integers


def draw_labelled(n_images, seed):
    """Draw scenes: each turn other ones, the first half to learn from."""
    scenes = make_scenes(n_images, random_state=seed)
    positions = np.arange(n_images)
    train, test = np.split(positions, [n_images // 2])
    return LabelledImages(scenes.images, scenes.target, train, test, seed * n_images + positions)


def open_labelled(folder, *, few=False):
    """Return what a folder of classes is called, and what gives its images for a seed.

    Parameters
    ----------
    folder : path-like
        A standard data set as its authors ship it, or one subfolder for each class.
    few : bool, default=False
        Whether to take only some images of each class.

    Returns
    -------
    title : str
        What the data set is called.
    load : callable
        Given a seed, returns `LabelledImages`: a split of the data set's own where it has any, else
        halves of each class.

    Raises
    ------
    DataSetError
        If the folder is neither, or a class has too few images.
    """
    markers = [marker for marker in _STANDARD if Path(folder, marker).exists()]
    if markers:
        title, loader, n_splits = _STANDARD[markers[0]]
        return title, lambda seed: _own_split(folder, loader, n_splits, seed, few)
    _, load = open_classes(folder, few=few)
    return Path(folder).name, load


def open_classes(folder, *, few=False):
    """Return the names of a folder's classes, and what halves them for a seed.

    Parameters
    ----------
    folder : path-like
        One subfolder for each class, two at least.
    few : bool, default=False
        Whether to take only some images of each class.

    Returns
    -------
    names : list of str
        The subfolders.
    load : callable
        Given a seed, returns `LabelledImages`.

    Raises
    ------
    DataSetError
        If there is one class alone, or a class of one image.
    """
    found = load_image_folder(folder)
    if len(found.target_names) < 2:
        raise DataSetError(f"The image folder {folder} has only one class: give at least two.")
    halves(found.target, found.target_names, 0)  # says at once what is wrong

    def load(seed):
        train, test = halves(found.target, found.target_names, seed)
        return _labelled(found, train, test, few)

    return found.target_names, load


def halves(target, names, seed):
    """Halve each class at random, for each seed in its own way.

    Parameters
    ----------
    target : ndarray of shape (n_images,)
        The classes.
    names : list of str
        Their names.
    seed : int
        Which halves.

    Returns
    -------
    train, test : ndarray of int
        The positions of both halves.

    Raises
    ------
    DataSetError
        If a class has one image alone.
    """
    counts = np.bincount(target)
    if counts.min() < 2:
        few = ", ".join(repr(name) for name, n in zip(names, counts, strict=True) if n < 2)
        raise DataSetError(f"Every class needs at least two images; there are too few in {few}.")
    indices = np.arange(len(target))
    return train_test_split(indices, test_size=0.5, stratify=target, random_state=seed)


def _own_split(folder, loader, n_splits, seed, few):
    found = loader(folder, split=1 + seed % n_splits) if n_splits > 1 else loader(folder)
    train = np.concatenate([found.train, found.get("val", np.array([], dtype=np.intp))])
    return _labelled(found, train, found.test, few)


def _labelled(found, train, test, few):
    """Keep the images that the split has, or some of each class."""
    if few:
        train, test = (_first_of_each(found.target, part, _FEW) for part in (train, test))
    kept = np.sort(np.concatenate([train, test]))
    return LabelledImages(
        images=[found.paths[image] for image in kept],
        target=found.target[kept],
        train=np.searchsorted(kept, np.sort(train)),
        test=np.searchsorted(kept, np.sort(test)),
        ids=kept,
    )


def _first_of_each(target, part, count):
    return np.concatenate([part[target[part] == label][:count] for label in np.unique(target)])
