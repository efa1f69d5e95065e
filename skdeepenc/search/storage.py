"""Folders on disks and in object stores, in which files appear whole or not at all.

A file is written on this machine, aside, and gets its name last. Stores that are not disks get it
under another name first, since some of them show files that are still being sent.
"""

import os
import tempfile
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

from skdeepenc._aside import written_aside
from skdeepenc._optional import require
from skdeepenc.exceptions import StorageError

__all__ = ["Folder", "is_url", "store_of"]


def is_url(path):
    """Tell whether a path names a store: ``s3://bucket/photos``."""
    return "://" in os.fspath(path)


def store_of(path):
    """Return the file system of fsspec that a path or URL is of, and the path in it."""
    fsspec = require("fsspec", extra="search", purpose="Reading and writing shards")
    try:
        return fsspec.core.url_to_fs(os.fspath(path))
    except (ImportError, ValueError) as error:  # a store whose library is missing, or unknown
        raise StorageError(f"{path} cannot be opened: {error}") from error


class Folder:
    """A folder of plain files, wherever it is; it is made when something is written.

    Parameters
    ----------
    path : str or path-like
        A path, or what fsspec knows: ``s3://bucket/vectors``.
    """

    def __init__(self, path):
        self.name = os.fspath(path)
        self._store, self._path = store_of(path)
        self._is_local = not is_url(path)
        if self._store.exists(self._path) and not self._store.isdir(self._path):
            raise StorageError(f"{self.name} is a file, not a folder.")

    def __str__(self):
        return self.name

    def names(self):
        """Return the names of the files, as a set."""
        self._store.invalidate_cache()
        try:
            found = self._store.ls(self._path, detail=False)
        except FileNotFoundError:
            return set()
        return {path.rstrip("/").rpartition("/")[2] for path in found}

    def local(self, name):
        """Return the path of a file on this machine's disks, or None where it is elsewhere."""
        return Path(self._path, name) if self._is_local else None

    def read(self, name):
        """Return the content of a file."""
        return self._store.cat_file(self._join(name))

    def open(self, name):
        """Open a file for reading, at any place of it."""
        return self._store.open(self._join(name), "rb")

    @contextmanager
    def writing(self, name):
        """Yield a path to write to; the file appears in the folder if nothing is raised.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        try:
            self._store.makedirs(self._path, exist_ok=True)
            if self._is_local:
                with written_aside(Path(self._path, name), durably=True) as aside:
                    yield aside / name
            else:
                with tempfile.TemporaryDirectory() as aside:
                    yield Path(aside, name)
                    self._send(Path(aside, name), name)
        except OSError as error:
            raise StorageError(f"{name} cannot be written to {self.name}: {error}") from error

    def remove(self, name):
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self._store.rm_file(self._join(name))

    def _send(self, file, name):
        beside = self._join(f".{name}.{uuid.uuid4().hex}")
        try:
            self._store.put_file(str(file), beside)
            self._store.mv(beside, self._join(name))
        except BaseException:
            if self._store.exists(beside):
                self._store.rm(beside)
            raise

    def _join(self, name):
        return f"{self._path.rstrip('/')}/{name}"
