"""Count the bits in which codes differ from a query where the query is not zero.

numpy writes the result of each step to memory: exclusive or, mask, counts. faiss does all in
registers and reads codes three times as fast, but its Hamming distance has no mask. It needs none:
the two bits of a zero, once as they are and once flipped, differ from any code's in two places
together, so that ::

    popcount((code ^ query) & mask) = (hamming(code, query) + hamming(code, flipped)) / 2 - zeros

and without zeros in the query one distance is enough. benchmarks/speed/sign_codes.py times it.
"""

from importlib.util import find_spec

import numpy as np

from skdeepenc._optional import require


def difference_counter(n_words):
    """Return the faster counter that is installed, for blocks of codes up to so many words."""
    return FaissCounter() if find_spec("faiss") is not None else NumpyCounter(n_words)


class FaissCounter:
    """Counts by Hamming distances of faiss, which reads the codes where they are."""

    def __init__(self):
        self._faiss = require("faiss", extra="ann", purpose="Counting bits by faiss")

    def __call__(self, codes, query):
        """Count the differences of each code.

        Parameters
        ----------
        codes : array of shape (n_codes, n_words), uint64
            Those words of a block of codes that the query needs.
        query : TernaryQuery
            What they are compared with.

        Returns
        -------
        array of shape (n_codes,), int32
            The counts.
        """
        distances = np.empty((len(query.versions), len(codes)), np.int32)
        arrays = query.versions.view(np.uint8), np.ascontiguousarray(codes).view(np.uint8)
        self._faiss.hammings(
            *map(self._faiss.swig_ptr, arrays),
            *distances.shape,
            arrays[0].shape[1],
            self._faiss.swig_ptr(distances),
        )
        return distances.sum(axis=0, dtype=np.int32) // len(distances) - query.n_zeros


class NumpyCounter:
    """Counts by numpy, with arrays to work in that stay in the cache.

    Fresh temporaries of their size would come from the system page by page, at half the speed.

    Parameters
    ----------
    n_words : int
        How many words a block of codes has at most.
    """

    def __init__(self, n_words):
        self._different = np.empty(n_words, np.uint64)
        self._counts = np.empty(n_words, np.uint8)

    def __call__(self, codes, query):
        """Count as `FaissCounter` does."""
        different = self._different[: codes.size].reshape(codes.shape)
        counts = self._counts[: codes.size].reshape(codes.shape)
        np.bitwise_xor(codes, query.words, out=different)
        if query.n_zeros:
            different &= query.mask
        np.bitwise_count(different, out=counts)
        return counts.sum(axis=1, dtype=np.int32)
