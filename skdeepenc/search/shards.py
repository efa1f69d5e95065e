"""The format of encoded images: per shard one array of vectors, one table of what they are of.

::

    vectors-00042.npy        (n_images, n_features), row-major; a vector of zeros per bad image
    images-00042.parquet     image, digest, width, height, error; row for row the same images
    failures-00042.csv       image, error: those that could not be read, if there are any

Each table says in its metadata, under the key "skdeepenc", what made it: digests of the encoder and
of the list of all images, and how many shards there are. So shards need no common file, which
workers would have to agree on. The table comes last: where it is, the vectors are.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skdeepenc._optional import require
from skdeepenc._typing import PathLike
from skdeepenc.arrays.files import open_array, read_array, write_array
from skdeepenc.exceptions import StorageError
from skdeepenc.search.failure_lists import write_failures
from skdeepenc.search.storage import Folder

__all__ = [
    "COLUMNS",
    "Shards",
    "find_numbers",
    "read_description",
    "read_shards",
    "write_shard",
]

#: Raised when the files change so that older versions cannot read them.
FORMAT = 1
COLUMNS = ("image", "digest", "width", "height", "error")
_KEY = b"skdeepenc"
# What shards of one run may differ in.
_OWN = ("failures", "version")
_TABLE_NAME = re.compile(r"images-(\d{5,})\.parquet")


def vectors_name(number):
    """Return the name of the array of a shard."""
    return f"vectors-{number:05d}.npy"


def table_name(number):
    """Return the name of the table of a shard."""
    return f"images-{number:05d}.parquet"


def failures_name(number):
    """Return the name of the list of what failed in a shard."""
    return f"failures-{number:05d}.csv"


def find_numbers(folder):
    """Return the numbers of the shards that are whole, in order."""
    matches = map(_TABLE_NAME.fullmatch, folder.names())
    return sorted(int(match[1]) for match in matches if match)


def write_shard(folder, number, rows, vectors, description):
    """Write a shard.

    Parameters
    ----------
    folder : Folder
        Where to.
    number : int
        Which one.
    rows : list of tuple
        The values of `COLUMNS`, per image.
    vectors : ndarray of shape (n_images, n_features)
        The vectors, in the same order.
    description : dict
        What made it, in values that JSON can hold.

    Raises
    ------
    StorageError
        If the folder cannot be written to.
    """
    pq = _parquet()
    with folder.writing(vectors_name(number)) as path:
        write_array(path, vectors)
    failed = [(row[0], row[-1]) for row in rows if row[-1] is not None]
    if failed:
        with folder.writing(failures_name(number)) as path:
            write_failures(path, failed)
    else:
        folder.remove(failures_name(number))  # of another time, when they could not be read
    text = json.dumps({"format": FORMAT, **description}, sort_keys=True)
    table = _schema_of(rows).replace_schema_metadata({_KEY: text.encode()})
    with folder.writing(table_name(number)) as path:
        pq.write_table(table, path)


def _schema_of(rows):
    import pyarrow as pa

    types = [pa.string(), pa.string(), pa.int32(), pa.int32(), pa.string()]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(COLUMNS))


def read_description(folder, number):
    """Return what the table of a shard says of itself, and the number of its rows.

    Parameters
    ----------
    folder : Folder
        Where it is.
    number : int
        Which one.

    Returns
    -------
    description : dict
        What made it.
    n_images : int
        How many images it has.

    Raises
    ------
    StorageError
        If the file is damaged, or is not one of `encode`.
    """
    with _opened(folder, number) as file:
        return _description_of(file.schema_arrow, folder, number), file.metadata.num_rows


def _opened(folder, number):
    """Open a table; what is wrong with it is one error."""
    pq = _parquet()
    path = folder.local(table_name(number))
    try:
        return pq.ParquetFile(folder.open(table_name(number)) if path is None else path)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{table_name(number)} in {folder} is damaged: {error}. Remove it, and encode again."
        ) from error


def _description_of(schema, folder, number):
    try:
        description = json.loads((schema.metadata or {})[_KEY])
    except (KeyError, ValueError):
        raise StorageError(
            f"{table_name(number)} in {folder} was not written by skdeepenc.search.encode."
        ) from None
    if description["format"] > FORMAT:
        raise StorageError(
            f"{table_name(number)} in {folder} was written by a newer skdeepenc: upgrade it."
        )
    return description


def _parquet():
    return require("pyarrow.parquet", extra="search", purpose="Reading and writing shards")


class Shard(NamedTuple):
    """One shard of encoded images.

    Attributes
    ----------
    number : int
        Which one it is.
    table : pyarrow.Table
        Its images, with the columns "image", "digest", "width", "height" and "error".
    vectors : ndarray of shape (n_images, n_features)
        Their vectors, in the same order; those of images with an error are zeros.
    """

    number: int
    table: Any
    vectors: NDArray[np.floating]


class Shards:
    """A folder of encoded images, read one shard at a time.

    Made by `read_shards`. Iterating yields one `Shard` after the other, with its `table` and its
    `vectors`; these are mapped where the folder is on a disk.

    Parameters
    ----------
    folder : Folder
        Where the shards are, all of them.

    Attributes
    ----------
    description : dict
        What made them: digests of "encoder" and list of "images", "dtype", "shard_size",
        "n_shards".
    sizes : tuple of int
        How many images each shard has.
    n_features : int
        Length of a vector.
    dtype : dtype
        Type of the vectors.

    Examples
    --------
    >>> from skdeepenc.search import read_shards
    >>> shards = read_shards("vectors")  # doctest: +SKIP
    >>> for shard in shards:  # doctest: +SKIP
    ...     print(shard.number, shard.table.num_rows, shard.vectors.shape)
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        numbers = find_numbers(folder)
        if not numbers:
            raise StorageError(f"{folder} holds no encoded images.")
        found = [read_description(folder, number) for number in numbers]
        self.description = _common([description for description, _ in found], numbers, folder)
        missing = sorted(set(range(self.description["n_shards"])) - set(numbers))
        if missing:
            raise StorageError(
                f"{folder} lacks {len(missing)} of {self.description['n_shards']} shards, such as "
                f"number {missing[0]}: run `encode` again, which goes on where it was."
            )
        self.sizes = tuple(n_images for _, n_images in found)
        first = _read_vectors(folder, 0)
        self.n_features, self.dtype = first.shape[-1], first.dtype

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(self.sizes)

    def __repr__(self) -> str:
        return (
            f"{len(self):,} images in {len(self.sizes):,} shards of {self._folder}, "
            f"vectors of {self.n_features} {self.dtype}"
        )

    def __iter__(self) -> Iterator[Shard]:
        """Yield one shard after the other."""
        for number in range(len(self.sizes)):
            yield Shard(number, self.table(number), self.vectors(number))

    def table(self, number: int) -> Any:
        """Return the images of a shard.

        Parameters
        ----------
        number : int
            Which shard.

        Returns
        -------
        pyarrow.Table
            With the columns "image", "digest", "width", "height" and "error".
        """
        with _opened(self._folder, number) as file:
            return file.read()

    def vectors(self, number: int) -> NDArray[np.floating]:
        """Return the vectors of a shard, mapped where it is on a disk.

        Parameters
        ----------
        number : int
            Which shard.

        Returns
        -------
        ndarray of shape (n_images, n_features)
            The vectors, which may not be written to.

        Raises
        ------
        StorageError
            If the file is damaged, or does not fit the table.
        """
        vectors = _read_vectors(self._folder, number)
        expected = self.sizes[number], self.n_features
        if vectors.shape != expected:
            raise StorageError(
                f"{vectors_name(number)} in {self._folder} has the shape {vectors.shape}, not "
                f"{expected}. Remove it and its table, and encode again."
            )
        return vectors

    def listing(self) -> Any:
        """Return the images of all shards as one table.

        Returns
        -------
        pyarrow.Table
            With the columns "image", "digest", "width", "height" and "error"; its method
            `to_pandas` makes a frame of it.
        """
        import pyarrow as pa

        return pa.concat_tables([self.table(number) for number in range(len(self.sizes))])


def read_shards(folder: PathLike) -> Shards:
    """Open a folder of encoded images.

    Parameters
    ----------
    folder : path-like
        What `encode` wrote to: a folder, or a URL that fsspec knows.

    Returns
    -------
    Shards
        The images and vectors, read one shard at a time.

    Raises
    ------
    StorageError
        If shards are missing, damaged, or of several encoders.

    Examples
    --------
    >>> import tempfile
    >>> from skdeepenc import ActivationExtractor, GlobalPooler
    >>> from skdeepenc.datasets import make_scenes
    >>> from skdeepenc.search import encode, read_shards
    >>> from sklearn.pipeline import make_pipeline
    >>> scenes = list(make_scenes(6, image_size=64, random_state=0).images)
    >>> pipeline = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler()).fit(scenes)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = encode(pipeline, scenes, folder, shard_size=4)
    ...     shards = read_shards(folder)
    ...     [shard.vectors.shape for shard in shards]
    [(4, 224), (2, 224)]
    """
    return Shards(Folder(folder))


def _read_vectors(folder, number):
    name = vectors_name(number)
    path = folder.local(name)
    try:
        if path is not None:
            return open_array(path, "r")
        content = folder.read(name)
        return read_array(io.BytesIO(content), len(content))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{name} in {folder} is damaged: {error}. Remove it and its table, and encode again."
        ) from error


def _common(descriptions, numbers, folder):
    """Return what made all shards; they must agree."""
    shared = [
        {key: value for key, value in description.items() if key not in _OWN}
        for description in descriptions
    ]
    for number, description in zip(numbers, shared, strict=True):
        if description != shared[0]:
            raise StorageError(
                f"{folder} holds shards of several runs: number {number} is of another encoder or "
                f"other images than number {numbers[0]}. Give each run a folder of its own."
            )
    return shared[0]
