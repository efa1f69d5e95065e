"""Vectors of signs in 2 bits a value, compared by counting bits, never unpacked.

Cross-layer pooling makes 262,144 values per image. Their signs alone serve nearly as well, and
100,000 images of them are 6.6 GB instead of 105 GB: small enough for a file that the system maps
into memory.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from skdeepenc._sklearn import get_chunk_n_rows
from skdeepenc._typing import PathLike
from skdeepenc.arrays.files import open_array, read_description, write_array, write_description
from skdeepenc.arrays.threads import count_jobs, for_each
from skdeepenc.arrays.tiles import tiles
from skdeepenc.exceptions import StorageError
from skdeepenc.retrieval.ternary_bits import (
    WORD,
    TernaryQuery,
    compare,
    count_nonzeros,
    pack_signs,
    unpack_signs,
    words_for,
)

_CODES, _SHAPE, _PARTIAL = "codes.npy", "codes.json", "partial.npy"


class SignCodes:
    """Signs of vectors in 2 bits a value, with exact ternary dot products.

    A dot product of two codes takes as many operations on words as a Hamming distance. Words of the
    codes where the query is all zero are not compared at all: a query restricted to a few channels
    costs as little as these do. Bits are counted by faiss where the extra `ann` is installed, else
    by numpy in two to three times as long.

    Parameters
    ----------
    words : array of shape (n_codes, 2 * ceil(n_values / 64)), uint64
        Packed codes, as :meth:`encode` makes them; may be a memory map. 64 values take two words
        side by side, first their "not negative" bits, then their "positive" bits, lowest bit first.
    n_values : int
        Number of values of a vector; the bits after them stand for zeros.

    Attributes
    ----------
    shape : tuple of int
        ``(n_codes, n_values)``.
    nbytes : int
        Size of the packed codes.

    Notes
    -----
    Section 3.4, "Feature Sign Quantization", and Section 3.5 of Liu, Shen and van den Hengel,
    "Cross-Convolutional-Layer Pooling for Image Recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import SignCodes
    >>> gallery = SignCodes.encode(np.array([[1.5, 0.0, -2.0], [-0.1, 3.0, -1.0]]))
    >>> gallery.decode()
    array([[ 1,  0, -1],
           [-1,  1, -1]], dtype=int8)
    >>> gallery.similarity(np.array([[1.0, 1.0, 1.0]]))
    array([[ 0, -1]], dtype=int32)
    """

    def __init__(self, words: NDArray[np.uint64], n_values: int) -> None:
        n_words = words_for(n_values)
        if words.ndim != 2 or words.dtype != WORD or words.shape[1] != n_words:
            raise ValueError(
                f"Codes of {n_values} values are rows of {n_words} unsigned 64-bit words; got "
                f"shape {words.shape} and dtype {words.dtype}. Make codes with SignCodes.encode."
            )
        self._words = words
        self._n_values = int(n_values)

    @classmethod
    def encode(cls, X: ArrayLike) -> Self:
        """Pack the signs of vectors.

        Parameters
        ----------
        X : array-like of shape (n_codes, n_values)
            Vectors; only their signs are kept.

        Returns
        -------
        SignCodes
            The codes, in memory.
        """
        vectors = check_array(X, ensure_min_samples=0)
        words = np.empty((len(vectors), words_for(vectors.shape[1])), WORD)
        pack_signs(vectors, words)
        return cls(words, vectors.shape[1])

    @classmethod
    def encode_batches(cls, batches: Iterable[ArrayLike], n_codes: int, folder: PathLike) -> Self:
        """Pack more vectors than memory holds, straight into a folder.

        Parameters
        ----------
        batches : iterable of array-like, each of shape (n, n_values)
            Vectors in order, some at a time.
        n_codes : int
            How many vectors the batches hold together.
        folder : path-like
            Where to save, as :meth:`save` does.

        Returns
        -------
        SignCodes
            The codes, mapped from the folder.

        Raises
        ------
        ValueError
            If the batches hold another number of vectors, or vectors of different lengths.
        """
        target = _start_folder(folder)
        words, n_values, done = None, 0, 0
        for batch in batches:
            batch = check_array(batch)
            if words is None:
                n_values = batch.shape[1]
                shape = (n_codes, words_for(n_values))
                words = np.lib.format.open_memmap(target / _PARTIAL, "w+", WORD, shape)
            if batch.shape[1] != n_values or done + len(batch) > n_codes:
                raise ValueError(
                    f"Expected {n_codes} vectors of {n_values} values; after {done} vectors came "
                    f"{len(batch)} of {batch.shape[1]}."
                )
            pack_signs(batch, words[done : done + len(batch)])
            done += len(batch)
        if words is None or done != n_codes:
            raise ValueError(f"Expected {n_codes} vectors, the batches held {done}.")
        words.flush()
        _finish_folder(target, n_codes, n_values)
        return cls.load(target)

    @classmethod
    def concatenate(cls, parts: Sequence["SignCodes"]) -> Self:
        """Join codes of equally many values.

        Parameters
        ----------
        parts : list of SignCodes
            At least one.

        Returns
        -------
        SignCodes
            All codes in order, in memory.

        Raises
        ------
        ValueError
            If they differ in their number of values.
        """
        lengths = {part._n_values for part in parts}
        if len(lengths) != 1:
            raise ValueError(f"Only codes of equally many values can be joined, not of {lengths}.")
        return cls(np.concatenate([part._words for part in parts]), lengths.pop())

    @property
    def shape(self) -> tuple[int, int]:
        """Number of codes and of values in each."""
        return len(self._words), self._n_values

    @property
    def nbytes(self) -> int:
        """Size of the packed codes in bytes."""
        return self._words.nbytes

    def __len__(self) -> int:
        """Count the codes."""
        return len(self._words)

    def __repr__(self) -> str:
        """Name the size, not the content."""
        return f"SignCodes({len(self)} codes of {self._n_values} values, {self.nbytes:,} bytes)"

    def __getitem__(self, rows: int | slice | ArrayLike) -> "SignCodes":
        """Take some of the codes, as codes.

        Parameters
        ----------
        rows : int, slice, mask or array of int
            Which codes; an int gives one code, still as a `SignCodes`.

        Returns
        -------
        SignCodes
            The chosen codes; a slice is a view.
        """
        chosen: Any = [rows] if isinstance(rows, int | np.integer) else rows
        return SignCodes(self._words[chosen], self._n_values)

    def decode(self) -> NDArray[np.int8]:
        """Unpack the codes.

        Returns
        -------
        signs : array of shape (n_codes, n_values), int8
            -1, 0 or 1.
        """
        return unpack_signs(self._words, self._n_values)

    def count_nonzero(self) -> NDArray[np.int64]:
        """Count the values of each code that are not zero.

        Returns
        -------
        ndarray of shape (n_codes,), int64
            The counts: the similarity of each code with itself.
        """
        return count_nonzeros(self._words)

    def similarity(
        self, queries: "SignCodes | ArrayLike", *, n_jobs: int | None = None
    ) -> NDArray[np.int32]:
        """Ternary dot products with all codes, exact.

        Parameters
        ----------
        queries : SignCodes or array-like of shape (n_queries, n_values)
            Codes, or vectors whose signs count; zeros leave values out.
        n_jobs : int, default=None
            Threads, in scikit-learn's meaning.

        Returns
        -------
        similarity : array of shape (n_queries, n_codes), int32
            Number of equal signs less number of opposite signs.

        Raises
        ------
        ValueError
            If the queries have another number of values.
        """
        ternary = [TernaryQuery(row) for row in self._check_queries(queries)._words]
        result = np.empty((len(ternary), len(self)), np.int32)
        if not len(self):
            return result
        n_threads = count_jobs(n_jobs)

        def fill(rows):
            compare(self._words[rows], ternary, result[:, rows])

        # joblib asks for results every 10 ms, which is as long as all the rest.
        for_each(fill, tiles(len(self), -(-len(self) // n_threads)), n_threads=n_threads)
        return result

    def search(
        self, queries: "SignCodes | ArrayLike", n_neighbors: int = 10, *, n_jobs: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Find the most similar codes, reading all codes once, block by block.

        Parameters
        ----------
        queries : SignCodes or array-like of shape (n_queries, n_values)
            Codes, or vectors whose signs count.
        n_neighbors : int, default=10
            How many codes to return; all of them where there are fewer.
        n_jobs : int, default=None
            Threads, in scikit-learn's meaning.

        Returns
        -------
        similarity : array of shape (n_queries, n_neighbors), int32
            The largest dot products, from the largest.
        indices : array of shape (n_queries, n_neighbors), int64
            Whose they are; of equal ones the first code comes first.
        """
        codes = self._check_queries(queries)
        best = np.empty((len(codes), 0), np.int64)
        bytes_per_code = 4 * best.itemsize * max(len(codes), 1)
        for rows in tiles(len(self), get_chunk_n_rows(bytes_per_code)):
            similarity = self[rows].similarity(codes, n_jobs=n_jobs).astype(np.int64)
            # One whole number orders by similarity, then by position: ties depend on no block.
            keys = (similarity << 32) - np.arange(rows.start, rows.stop)
            best = _largest(np.hstack([best, keys]), n_neighbors)
        similarity = (best + 0x7FFF_FFFF) >> 32
        return similarity.astype(np.int32), (similarity << 32) - best

    def save(self, folder: PathLike) -> None:
        """Save to a folder of one ``.npy`` and one JSON file.

        Parameters
        ----------
        folder : path-like
            Created where it does not exist; codes that it holds are replaced.
        """
        target = _start_folder(folder)
        write_array(target / _PARTIAL, self._words)
        _finish_folder(target, *self.shape)

    @classmethod
    def load(cls, folder: PathLike, mmap_mode: Literal["r", "c"] | None = "r") -> Self:
        """Open codes that were saved.

        Parameters
        ----------
        folder : path-like
            What :meth:`save` wrote.
        mmap_mode : {"r", "c"} or None, default="r"
            Map the file, whose size is compared with what was saved; or, with None, read it into
            memory and compare all of it.

        Returns
        -------
        SignCodes
            The codes.

        Raises
        ------
        StorageError
            If the folder does not hold whole codes.
        """
        place = Path(folder)
        try:
            description, _ = read_description(place / _SHAPE)
            n_codes, n_values = description["shape"]
            words = open_array(place / _CODES, mmap_mode or "r")
            codes = cls(words if mmap_mode else np.array(words), n_values)
            if mmap_mode is None and _digest(codes._words) != description["codes"]:
                raise ValueError(f"{_CODES} is damaged")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{place} does not hold whole sign codes ({error}); save them again."
            ) from error
        if len(codes) != n_codes:
            raise StorageError(f"{place} should hold {n_codes} codes and holds {len(codes)}.")
        return codes

    def _check_queries(self, queries):
        if not isinstance(queries, SignCodes):
            queries = SignCodes.encode(queries)
        if queries.shape[1] != self._n_values:
            raise ValueError(
                f"Queries have {queries.shape[1]} values, the codes {self._n_values}: "
                "encode both with the same encoder."
            )
        return queries


def _largest(keys, n_largest):
    """Keep the largest keys of every row, from the largest."""
    if n_largest < keys.shape[1]:
        keys = -np.partition(-keys, n_largest, axis=1)[:, :n_largest]
    return -np.sort(-keys, axis=1)


def _start_folder(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _finish_folder(folder, n_codes, n_values):
    """Put the codes in place of older ones, which may be mapped and so must not be written over."""
    (folder / _SHAPE).unlink(missing_ok=True)
    (folder / _PARTIAL).replace(folder / _CODES)
    digest = _digest(open_array(folder / _CODES, "r"))
    write_description(folder / _SHAPE, {"shape": [n_codes, n_values], "codes": digest})


def _digest(words):
    return hashlib.sha256(words.data).hexdigest()
