"""The folders of images, by their names alone, as a list in which a folder is a range.

Folders stand in the order of a walk, each before those inside it. What is in a folder, at any
depth, then has the numbers from its own to its end.
"""

from collections.abc import Sequence
from itertools import accumulate, takewhile

import numpy as np
from numpy.typing import NDArray

__all__ = ["Folders"]

#: More than these nobody looks through; deeper ones count as the folder that they are in.
MOST_FOLDERS = 1000


class Folders:
    """Where images are, by their names.

    Parameters
    ----------
    names : sequence of str
        Names of images, with "/" between folders.

    Attributes
    ----------
    root : str
        What all names begin with, up to a "/".
    parts : list of tuple of str
        The folders below it, the root itself first.
    of_images : ndarray of int of shape (n_images,)
        The number of each image's folder.
    ends : ndarray of int of shape (n_folders,)
        Behind which number what is inside each folder ends.

    Examples
    --------
    >>> from skdeepenc.search.web.folders import Folders
    >>> folders = Folders(["photos/a/1.png", "photos/a/old/2.png", "photos/b/3.png"])
    >>> folders.root, folders.parts
    ('photos/', [(), ('a',), ('a', 'old'), ('b',)])
    >>> folders.holds(1).tolist()
    [True, True, False]
    """

    def __init__(self, names: Sequence[str]) -> None:
        paths = [name.replace("\\", "/").rpartition("/")[0] for name in names]
        parts_of = {path: tuple(path.split("/")) if path else () for path in set(paths)}
        shared = _shared(list(parts_of.values()))
        self.root = "".join(f"{part}/" for part in shared)
        below = {path: parts[len(shared) :] for path, parts in parts_of.items()}
        depth = _depth_of(set(below.values()))
        ways = {way for parts in below.values() for way in _ways(parts[:depth])}
        self.parts = sorted({(), *ways})
        numbers = {parts: number for number, parts in enumerate(self.parts)}
        self.of_images = np.array([numbers[below[path][:depth]] for path in paths], dtype=np.intp)
        self.ends = _ends_of(self.parts)

    def holds(self, number: int) -> NDArray[np.bool_]:
        """Return which images are in a folder, at any depth."""
        return (self.of_images >= number) & (self.of_images < self.ends[number])

    def counts(self) -> NDArray[np.intp]:
        """Return how many images are in each folder, at any depth."""
        before = np.concatenate(
            [[0], np.cumsum(np.bincount(self.of_images, minlength=len(self.parts)))]
        )
        return before[self.ends] - before[:-1]


def _shared(ways):
    """Return the parts that all ways begin with."""
    levels = zip(*ways, strict=False)
    return [level[0] for level in takewhile(lambda level: len({*level}) == 1, levels)]


def _ways(parts):
    """Yield a folder's parts, and those of all that it is in."""
    return accumulate(((part,) for part in parts), initial=())


def _depth_of(ways):
    """Return how deep folders may be told apart, so that there are not too many."""
    deepest = max(map(len, ways), default=0)
    depths = range(deepest, 0, -1)
    return next((d for d in depths if len({way[:d] for way in ways}) <= MOST_FOLDERS), 0)


def _ends_of(parts):
    """Return behind which folder those inside each one end."""
    ends = np.full(len(parts), len(parts), dtype=np.intp)
    open_folders: list[int] = []
    for number, folder in enumerate(parts):
        while open_folders and folder[: len(parts[open_folders[-1]])] != parts[open_folders[-1]]:
            ends[open_folders.pop()] = number
        open_folders.append(number)
    return ends
