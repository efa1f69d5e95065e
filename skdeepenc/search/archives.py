"""Images inside archives: tar files in the manner of webdataset, and Parquet.

They are read from front to back, once, and nothing is ever unpacked onto a disk: names inside an
archive are names, whatever they say.
"""

import lzma
import os
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from skdeepenc._optional import require
from skdeepenc.exceptions import DataSetError
from skdeepenc.search.images import LARGEST, EncodedImage, image_endings
from skdeepenc.search.storage import store_of

__all__ = ["Rows", "Tar", "count_rows"]

_ROWS_AT_ONCE = 64
_NAMES = ("path", "id", "key", "__key__", "url", "file_name", "name")


@dataclass(frozen=True)
class Tar:
    """The images of a tar archive: its members whose names end like an image's.

    An image is called ``ARCHIVE::MEMBER``.

    Parameters
    ----------
    path : str
        A path or URL.
    size : int
        Bytes of the archive.
    """

    path: str
    size: int
    n_images = None

    @classmethod
    def at(cls, path):
        """Find an archive."""
        store, inside = store_of(path)
        with _readable(path):
            return cls(path, store.size(inside))

    @property
    def lines(self):
        """What stands for it in the list that is hashed."""
        return [f"{self.path} {self.size}"]

    def __iter__(self):
        """Yield the images, in the order of the archive."""
        store, inside = store_of(self.path)
        with (
            _readable(self.path),
            store.open(inside, "rb") as file,
            tarfile.open(fileobj=file, mode="r|*") as archive,
        ):
            for member in filter(_is_image, archive):
                if (content := archive.extractfile(member)) is not None:
                    image = content.read(LARGEST + 1)
                    yield EncodedImage(f"{self.path}::{member.name}", image)


def _is_image(member):
    """Tell by the name of a member; links could lead anywhere, and are left out."""
    name = member.name.rpartition("/")[2]
    is_named_so = os.path.splitext(name)[1].lower() in image_endings()
    return member.isfile() and is_named_so and not name.startswith(".")


@dataclass(frozen=True)
class Rows:
    """Rows of a Parquet file that has one column of images, as bytes.

    An image is called what a column of text says that is named "path", "id", "key", "__key__",
    "url", "file_name" or "name", the first of these that is there, and ``FILE#ROW`` otherwise.

    Parameters
    ----------
    path : str
        A path or URL.
    start, stop : int
        The rows.
    """

    path: str
    start: int
    stop: int

    @property
    def n_images(self):
        """How many images the part has."""
        return self.stop - self.start

    @property
    def lines(self):
        """What stands for it in the list that is hashed."""
        return [f"{self.path} {self.start} {self.stop}"]

    def __iter__(self):
        """Yield the images, in the order of the rows."""
        with _readable(self.path), _parquet_file(self.path) as file:
            contents, names = _columns_of(file.schema_arrow, self.path)
            groups, first = _groups_of(file.metadata, self.start, self.stop)
            columns = [contents] if names is None else [contents, names]
            batches = file.iter_batches(_ROWS_AT_ONCE, groups, columns)
            rows = (row for batch in batches for row in batch.to_pylist())
            for position, row in enumerate(rows, first):
                if self.start <= position < self.stop:
                    yield self._image(position, row[contents], names and row[names])

    def _image(self, position, content, name):
        """Make an image of what a row holds, bytes or a struct with them."""
        if isinstance(content, dict):
            name = name or content.get("path")
            content = content["bytes"]
        return EncodedImage(name or f"{self.path}#{position}", content or b"")


def count_rows(path):
    """Return the number of rows of a Parquet file of images."""
    with _readable(path), _parquet_file(path) as file:
        _columns_of(file.schema_arrow, path)
        return file.metadata.num_rows


@contextmanager
def _parquet_file(path):
    pq = require("pyarrow.parquet", extra="search", purpose="Reading Parquet")
    store, inside = store_of(path)
    with store.open(inside, "rb") as source, pq.ParquetFile(source) as file:
        yield file


def _columns_of(schema, path):
    """Return the column of images, and that of names or None."""
    contents = [field.name for field in schema if _holds_bytes(field.type)]
    if len(contents) != 1:
        raise DataSetError(
            f"{path} has {len(contents)} columns of bytes ({', '.join(contents) or 'none'}), and "
            "images are in exactly one. Write a file with that one and a column of names."
        )
    texts = {field.name for field in schema if str(field.type) in ("string", "large_string")}
    return contents[0], next((name for name in _NAMES if name in texts), None)


def _holds_bytes(kind):
    """Tell bytes, and the struct of bytes and path that data sets of Hugging Face have."""
    if str(kind).startswith("struct"):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return str(kind) in ("binary", "large_binary", "binary_view")


def _groups_of(metadata, start, stop):
    """Return the groups that some rows are in, and the number of their first row."""
    ends = np.cumsum([metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)])
    first, last = np.searchsorted(ends, [start, stop - 1], side="right")
    return list(range(first, last + 1)), 0 if first == 0 else int(ends[first - 1])


@contextmanager
def _readable(path):
    """Say which archive it was that cannot be read."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataSetError(f"There is no file {path}.") from error
    except DataSetError:
        raise
    except (OSError, ValueError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        raise DataSetError(f"{path} is damaged or cut off: {error}") from error
