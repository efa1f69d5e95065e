"""Read a data set's folder as its authors ship it, and say what is missing and where to get it.

Files of others are not trusted: what is not as expected is an error that names the file and the
line, and no name that a list holds leads out of the folder.
"""

import math
import os
import stat
from pathlib import Path

import numpy as np

from skdeepenc.datasets._matlab import read_vector
from skdeepenc.exceptions import DataSetError

# The longest list, of 108,754 images, has 5 MB.
_MOST_BYTES = 1 << 26


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
        if not os.path.isdir(folder):
            raise self.error(f"{self.folder} is not a folder")

    def error(self, problem):
        """Return an error that names the problem, the data set and its source."""
        return DataSetError(
            f"{self.title}: {problem}. Get the data set at {self.source} and unpack it there."
        )

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

    def rows(self, name, *kinds, may_be_empty=False):
        """Return the lines of a text file that must exist, split at white space and converted.

        Parameters
        ----------
        name : str or path-like
            The file, in the folder.
        *kinds : callable
            What makes each field of text a value, or raises a ValueError. A line is not split where
            there is a single one.
        may_be_empty : bool, default=False
            Whether a file without lines is one.

        Returns
        -------
        list of list
            The values of each line that is not blank.
        """
        rows = []
        for number, line in enumerate(self.text(name).splitlines(), start=1):
            fields = line.split() if len(kinds) > 1 else [line.strip()]
            if not any(fields):
                continue
            try:
                rows.append([kind(field) for kind, field in zip(kinds, fields, strict=True)])
            except ValueError:
                raise self.error(f"{name}, line {number}: unexpected {line[:80]!r}") from None
        if not rows and not may_be_empty:
            raise self.error(f"{name} is empty")
        return rows

    def column(self, name, kind=str, *, may_be_empty=False):
        """Return the only value of each line of a text file that must exist."""
        return [value for (value,) in self.rows(name, kind, may_be_empty=may_be_empty)]

    def numbers(self, name, key, most=None):
        """Return numbers from 1 to `most`, of a matrix of a MATLAB file that must exist."""
        try:
            numbers = read_vector(self._content(name), key)
        except DataSetError as error:
            raise self.error(f"{name}: {error}") from None
        if not len(numbers) or numbers.min() < 1 or (most is not None and numbers.max() > most):
            upwards = "upwards" if most is None else f"to {most}"
            raise self.error(f"{name}: the numbers of {key!r} are not from 1 {upwards}")
        return numbers.astype(np.intp)

    def images(self, below="."):
        """Return every JPEG file at any depth, by its name without ending, in order of names."""
        found = {path.stem: str(path) for path in (self.folder / below).rglob("*.jpg")}
        if not found:
            raise self.error(f"no .jpg files in {self.folder / below}")
        return dict(sorted(found.items()))

    def text(self, name):
        """Return the content of a text file that must exist."""
        content = self._content(name)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.error(f"{name}, line {line}: not text in UTF-8") from None

    def _content(self, name):
        """Return the bytes of a plain file of reasonable size."""
        (path,) = self.paths([name])
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                raise self.error(f"{name} is not a file, or larger than any list of it")
            return Path(path).read_bytes()
        except OSError as error:
            raise self.error(f"{name} cannot be read ({error.strerror})") from error


def below(text):
    """Return a path that does not lead out of the folder it is in."""
    if os.path.isabs(text) or os.path.splitdrive(text)[0] or ".." in Path(text).parts:
        raise ValueError(text)
    return text


def finite(text):
    """Return a number that is neither NaN nor infinite."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def one_of(*values):
    """Return what takes one of some numbers."""

    def convert(text):
        number = int(text)
        if number not in values:
            raise ValueError(text)
        return number

    return convert


def some(names, limit=5):
    """Return the first few names, and how many there are beside."""
    shown = ", ".join(str(name)[:80] for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def positions(names, of, folder, listed_in="a list"):
    """Return where each of `names` stands in `of`; a name that does not is an error of `folder`."""
    index = {name: position for position, name in enumerate(of)}
    missing = [name for name in names if name not in index]
    if missing:
        raise folder.error(f"{listed_in} names images that are missing: {some(missing)}")
    return np.array([index[name] for name in names], dtype=np.intp)
