"""Oxford Flowers 17 as the benchmarks read and split it: 80 images of each of 17 classes."""

import math
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

N_CLASSES = 17
N_TRAIN = 40


def load(data):
    """Return the paths and classes of all images, by the folders' numbers and the files' names.

    `data` is the folder that SKDEEPENC_DATA names; classes count from 0.
    """
    folder = Path(data) / "images" / "flowers17"
    images = [sorted((folder / f"c{n}").glob("*.jpg")) for n in range(1, N_CLASSES + 1)]
    labels = np.repeat(np.arange(N_CLASSES), [len(paths) for paths in images])
    return [str(path) for paths in images for path in paths], labels


def split_by_name(labels, n_train=N_TRAIN, n_test=math.inf):
    """Return (train, test): the first images of each class, and those that follow."""
    position = np.arange(len(labels)) - np.searchsorted(labels, labels)
    is_train = position < n_train
    is_test = ~is_train & (position < n_train + n_test)
    return np.flatnonzero(is_train), np.flatnonzero(is_test)


def splits(labels, n_seeds, n_train=N_TRAIN):
    """Yield (seed, train, test): by the order of names first, then stratified random halves."""
    yield 0, *split_by_name(labels, n_train)
    for seed in range(n_seeds):
        halves = StratifiedShuffleSplit(1, train_size=0.5, test_size=0.5, random_state=seed)
        train, test = next(halves.split(labels, labels))
        yield seed, np.sort(train), np.sort(test)
