"""Read a data set's folder as its authors ship it, and say what is missing and where to get it."""

import os
from pathlib import Path

import numpy as np

from skdeepenc.exceptions import DataSetError


class PublishedFolder:
    """A folder that should hold a published data set.

    Parameters
    ----------
    folder : str or path-like
        Where the data set was unpacked.
    title : str
        What the data set is called.
    source : str
        Where it is published.
    """

    def __init__(self, folder, title, source):
        self.folder = Path(folder)
        self.title = title
        self.source = source
        if not self.folder.is_dir():
            raise self.error(f"{self.folder} is no folder")

    def error(self, problem):
        """Return an error that names the problem, the data set and its source."""
        return DataSetError(
            f"{self.title}: {problem}. Get the data set at {self.source} and unpack it there."
        )

    def path(self, name):
        """Return the path of a file or folder that must exist."""
        return self.paths([name])[0]

    def paths(self, names, below="."):
        """Return the paths of files that must all exist, as strings where they are many."""
        parent = self.folder / below
        paths = [os.path.join(parent, name) for name in names]
        missing = [
            name for name, path in zip(names, paths, strict=True) if not os.path.exists(path)
        ]
        if missing:
            raise self.error(f"missing in {parent}: {some(missing)}")
        return paths

    def rows(self, name):
        """Return the lines of a text file that must exist, each split at white space."""
        text = Path(self.path(name)).read_text(encoding="utf-8")
        return [line.split() for line in text.splitlines() if line.strip()]

    def matrix(self, name, key):
        """Return a vector of a MATLAB file that must exist."""
        from scipy.io import loadmat

        try:
            return np.ravel(loadmat(self.path(name))[key])
        except (KeyError, ValueError, OSError) as error:
            raise self.error(f"{name} is no MATLAB file with {key!r}") from error

    def pictures(self, below="."):
        """Return every JPEG file at any depth, by its name without ending, in order of names."""
        found = {path.stem: str(path) for path in (self.folder / below).rglob("*.jpg")}
        if not found:
            raise self.error(f"no .jpg files in {self.folder / below}")
        return dict(sorted(found.items()))


def some(names, limit=5):
    """Return the first few names, and how many there are beside."""
    shown = ", ".join(str(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def positions(names, of, folder):
    """Return where each of `names` stands in `of`; a name that does not is an error of `folder`."""
    index = {name: position for position, name in enumerate(of)}
    missing = [name for name in names if name not in index]
    if missing:
        raise folder.error(f"its lists name images that are missing: {some(missing)}")
    return np.array([index[name] for name in names], dtype=np.intp)
