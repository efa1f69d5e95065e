"""One state of an index, open for reading, which no writer can take away.

Opening maps every file at once and reads nothing but the manifest, so it takes milliseconds; a
mapped file stays readable when a writer has given up its name. What is in the tables is read when
it is first asked for.
"""

import hashlib
import mmap
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import get_config

from skdeepenc._optional import require
from skdeepenc.arrays.files import open_array
from skdeepenc.exceptions import StorageError
from skdeepenc.search.failure_lists import read_failures
from skdeepenc.search.manifest import Manifest, read_manifest

__all__ = ["IMAGE_COLUMNS", "Snapshot", "read_table"]

IMAGE_COLUMNS = ("image", "digest", "width", "height", "stamp")
_TRIES = 5


class Snapshot:
    """One state of an index.

    Parameters
    ----------
    folder : Path
        The index.

    Attributes
    ----------
    manifest : Manifest
        What it consists of.
    starts : ndarray of shape (n_segments + 1,)
        The first row of each segment, and the number of rows.
    is_kept : ndarray of bool of shape (n_rows,)
        Which rows count.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for tried in range(_TRIES):
            self.manifest: Manifest = read_manifest(folder)
            try:
                self._open_files()
                break
            except FileNotFoundError as error:
                # A writer may have replaced the files since the manifest was read.
                if tried == _TRIES - 1 or read_manifest(folder) == self.manifest:
                    raise StorageError(
                        f"The index {folder} lacks {Path(error.filename).name}: it was copied "
                        "in part, or files were removed. Copy it again, or build it again."
                    ) from None
        self.starts = np.cumsum([0, *(each.n_rows for each in self.manifest.segments)])
        self.is_kept = self._find_kept()

    def _open_files(self):
        segments = self.manifest.segments
        self._vectors = [self._map_vectors(each) for each in segments]
        self._tables = [_map_bytes(self.folder / each.images) for each in segments]
        self._removed = [
            self._map_array(each.removed, np.int64, (each.n_removed,)) if each.removed else ()
            for each in segments
        ]
        neighbors = self.manifest.neighbors
        self._neighbors = _map_bytes(self.folder / neighbors.file) if neighbors else None
        failures = self.manifest.failures
        self._failures = _map_bytes(self.folder / failures) if failures else None

    def _map_vectors(self, segment):
        return self._map_array(
            segment.vectors, np.float16, (segment.n_rows, self.manifest.n_features)
        )

    def _map_array(self, name, dtype, shape):
        try:
            array = open_array(self.folder / name, "r")
        except ValueError as error:
            raise StorageError(f"{self.folder / name} is damaged: {error}") from error
        if array.dtype != dtype or array.shape != shape:
            raise StorageError(
                f"{self.folder / name} has {array.dtype} of shape {array.shape}, not {shape}: it "
                "is not the file that the index was written with."
            )
        return array

    def _find_kept(self):
        is_kept = np.ones(self.n_rows, dtype=bool)
        for start, removed in zip(self.starts, self._removed, strict=False):
            is_kept[start + np.asarray(removed, dtype=np.int64)] = False
        return is_kept

    @property
    def n_rows(self):
        """Rows, with those that were removed."""
        return int(self.starts[-1])

    def __len__(self):
        return self.n_rows - sum(each.n_removed for each in self.manifest.segments)

    @cached_property
    def table(self) -> Any:
        """What is known of the image of each row, as a table of pyarrow."""
        pa = require("pyarrow", extra="search", purpose="An image index")
        if not self._tables:
            return pa.table({name: pa.array([], pa.string()) for name in IMAGE_COLUMNS})
        names = [each.images for each in self.manifest.segments]
        table = pa.concat_tables(map(self._read_table, self._tables, names))
        if len(table) != self.n_rows:
            raise StorageError(f"The tables of {self.folder} have {len(table)} rows, not all.")
        return table

    def _read_table(self, content, name):
        return read_table(content, self.folder / name)

    @cached_property
    def names(self):
        """The name of the image of each row."""
        return np.array(self.table["image"].to_pylist(), dtype=object)

    @cached_property
    def rows_by_name(self):
        """The row of each image that counts, by its name."""
        return {self.names[row]: row for row in np.flatnonzero(self.is_kept).tolist()}

    @cached_property
    def neighbors(self) -> Any:
        """The approximate index of faiss."""
        faiss = require("faiss", extra="ann", purpose="Approximate search")
        content: Any = self._neighbors
        written: Any = self.manifest.neighbors
        # What faiss reads it believes.
        if hashlib.sha256(content).hexdigest() != written.digest:
            raise StorageError(f"{self.folder / written.file} is damaged: build the index again.")
        return faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))

    @cached_property
    def failures(self):
        """Why images could not be read, by their names."""
        if self._failures is None:
            return {}
        return read_failures(bytes(self._failures), self.folder / str(self.manifest.failures))

    def halves(self, rows):
        """Return some consecutive rows as they are stored, in float16."""
        first, last = np.searchsorted(self.starts, [rows.start, rows.stop - 1], side="right") - 1
        parts = []
        for number in range(first, last + 1):
            start = self.starts[number]
            parts.append(self._vectors[number][max(rows.start - start, 0) : rows.stop - start])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def block(self, rows):
        """Return some consecutive rows in float32."""
        if self._in_memory is not None:
            return self._in_memory[rows]
        return self.halves(rows).astype(np.float32)

    def take(self, rows):
        """Return any rows in float32."""
        vectors = np.empty((len(rows), self.manifest.n_features), dtype=np.float32)
        segments = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(segments):
            chosen = segments == number
            vectors[chosen] = self._vectors[number][rows[chosen] - self.starts[number]]
        return vectors

    @property
    def is_in_memory(self):
        """Whether rows are read in float32 already, so that a block of them is no copy."""
        return self._in_memory is not None

    @cached_property
    def _in_memory(self):
        """All rows in float32, where scikit-learn's working memory holds them.

        Turning float16 into float32 takes several times as long as a product with one query.
        """
        n_bytes = 4 * self.n_rows * self.manifest.n_features
        if n_bytes > get_config()["working_memory"] * 2**20 or not self._vectors:
            return None
        vectors = np.empty((self.n_rows, self.manifest.n_features), dtype=np.float32)
        for start, part in zip(self.starts, self._vectors, strict=False):
            vectors[start : start + len(part)] = part
        return vectors


def _map_bytes(path):
    """Map a file, which is closed again; an empty one is no bytes."""
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            return b""


def read_table(content, path):
    """Read a table out of the content of a file.

    Parameters
    ----------
    content : bytes-like
        The content.
    path : Path
        Where it is, for what is said of damage.

    Returns
    -------
    pyarrow.Table
        The table.
    """
    parquet = require("pyarrow.parquet", extra="search", purpose="An image index")
    import pyarrow as pa

    try:
        source = pa.BufferReader(pa.py_buffer(content))
        return parquet.read_table(source, page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}") from error
