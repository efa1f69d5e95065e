"""One state of an index as the page shows it, and the newest one of an index that changes.

The page knows an image by its number, the row of the index, and the beginning of its digest. So a
page that is older than the index asks for nothing wrong: another image has another digest.
"""

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc.exceptions import StorageError
from skdeepenc.search.manifest import MANIFEST
from skdeepenc.search.near_duplicates import find_copies
from skdeepenc.search.snapshot import Snapshot
from skdeepenc.search.web.folders import Folders

__all__ = ["Collection", "NewestCollection", "UnknownImageError"]

_DIGITS = 16


class UnknownImageError(LookupError):
    """The index has no such image any more."""


class Collection:
    """One state of an index, its images in the order of their names.

    Parameters
    ----------
    folder : Path
        The index.

    Attributes
    ----------
    snapshot : Snapshot
        The index.
    rows : ndarray of int of shape (n_images,)
        The rows of the images that count.
    folders : Folders
        Where the images are.
    """

    def __init__(self, folder: Path) -> None:
        self.snapshot = Snapshot(folder)
        rows = np.flatnonzero(self.snapshot.is_kept)
        self.rows: NDArray[np.intp] = rows[np.argsort(self.snapshot.names[rows], kind="stable")]
        self.folders = Folders(self.snapshot.names[self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _columns(self):
        return {name: self.snapshot.table[name] for name in ("digest", "width", "height")}

    @cached_property
    def _places(self):
        """The place in `rows` of each row."""
        places = np.full(self.snapshot.n_rows, -1, dtype=np.intp)
        places[self.rows] = np.arange(len(self.rows))
        return places

    def name(self, row: int) -> str:
        """Return the name of an image, as the index has it."""
        return str(self.snapshot.names[row])

    def digest(self, row: int) -> str:
        """Return the digest of an image's content."""
        return str(self._columns["digest"][row].as_py())

    def row(self, reference: str) -> int:
        """Return the row of an image that the page refers to.

        Raises
        ------
        UnknownImageError
            If there is none, or the row has another image by now.
        """
        number, _, digest = reference.partition("-")
        is_number = number.isascii() and number.isdecimal() and len(number) < 12
        row = int(number) if is_number else self.snapshot.n_rows
        is_there = row < self.snapshot.n_rows and self.snapshot.is_kept[row]
        if not is_there or self.digest(row)[:_DIGITS] != digest:
            raise UnknownImageError(f"There is no image {reference[:40]!r} in the index.")
        return row

    def entry(self, row: int) -> dict[str, Any]:
        """Return what the page is told of an image."""
        name = self.name(row)
        shown = name.removeprefix(self.folders.root)
        return {
            "ref": f"{row}-{self.digest(row)[:_DIGITS]}",
            "name": shown or name,
            "folder": int(self.folders.of_images[self._places[row]]),
            "width": self._columns["width"][row].as_py(),
            "height": self._columns["height"][row].as_py(),
        }

    def rows_in(self, folder: int) -> NDArray[np.intp]:
        """Return the rows of the images of a folder, in order; 0 is all of them."""
        return self.rows[self.folders.holds(folder)] if folder else self.rows

    def allowed_in(self, folder: int) -> NDArray[np.bool_]:
        """Return which rows are of images of a folder."""
        allowed = np.zeros(self.snapshot.n_rows, dtype=bool)
        allowed[self.rows_in(folder)] = True
        return allowed

    @cached_property
    def copies(self) -> list[list[dict[str, Any]]]:
        """Groups of images that are copies of one another, with their similarities."""
        found = find_copies(self.snapshot, "auto")
        groups: dict[int, list[dict[str, Any]]] = {}
        for group, name, similarity in zip(*found.values(), strict=True):
            entry = self.entry(self.snapshot.rows_by_name[name])
            groups.setdefault(int(group), []).append({**entry, "similarity": float(similarity)})
        return list(groups.values())


class NewestCollection:
    """An index that others may change meanwhile: opened again when its manifest is another one.

    Parameters
    ----------
    folder : Path
        The index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._collection: Collection | None = None

    def __call__(self) -> Collection:
        """Return its present state.

        Raises
        ------
        StorageError
            If it is not an index any more.
        """
        with self._lock:
            stamp = _stamp_of(self.folder / MANIFEST)
            if self._collection is None or stamp != self._stamp:
                self._collection, self._stamp = Collection(self.folder), stamp
            return self._collection


def _stamp_of(path):
    try:
        status = path.stat()
    except OSError as error:
        raise StorageError(f"{path.parent} is not an index any more: {error.strerror}.") from None
    return status.st_ino, status.st_mtime_ns, status.st_size
