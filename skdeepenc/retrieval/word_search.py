"""Find the nearest of many visual words, by an index where there are very many."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from skdeepenc.arrays.nearest import build_index, nearest_vectors, search_index
from skdeepenc.arrays.tiles import tiles
from skdeepenc.functional.visual_words import FEWEST_WORDS_TO_INDEX
from skdeepenc.retrieval.products import GalleryProducts

_DESCRIPTORS_AT_ONCE = 4096


class WordSearch:
    """The nearest words of descriptors, exactly or by an index of faiss.

    The index is built when it is first asked for. It is neither pickled nor saved: words, seed and
    the descriptors that its answers are measured on make it again.

    Parameters
    ----------
    words : ndarray of shape (K, D)
        The words.
    checked : ndarray of shape (n, D)
        A few hundred descriptors.
    search : {"auto", "exact", "faiss"}
        How to search; "auto" takes an index where faiss is installed and it is faster.
    seed : int
        Seed of the index.
    """

    def __init__(self, words, checked, search, seed):
        large = len(words) >= FEWEST_WORDS_TO_INDEX and find_spec("faiss") is not None
        self.words, self.checked, self.seed = words, checked, seed
        self.exact = search == "exact" or (search == "auto" and not large)
        self._index: Any = None

    def build(self):
        """Build the index, if there should be one and is none."""
        if not self.exact and self._index is None:
            self._index, _ = build_index(self.words, self.checked, random_state=self.seed)

    def find(self, descriptors, n_assigned):
        """Return the nearest words (n, n_assigned) of descriptors, the nearest first."""
        n_assigned = min(n_assigned, len(self.words))
        self.build()
        found = np.empty((len(descriptors), n_assigned), dtype=np.intp)
        for rows in tiles(len(descriptors), _DESCRIPTORS_AT_ONCE):
            if self.exact:
                found[rows] = self._exactly(descriptors[rows], n_assigned)
            else:
                found[rows] = search_index(self._index, descriptors[rows], n_assigned)[0]
        missed = np.flatnonzero((found < 0).any(axis=1))
        found[missed] = self._exactly(descriptors[missed], n_assigned)
        return found

    def _exactly(self, descriptors, n_assigned):
        if n_assigned == 1:
            return nearest_vectors(descriptors, self.words)[0][:, None]
        return GalleryProducts(self.words, "euclidean").nearest(descriptors, n_assigned)[1]

    def __getstate__(self):
        return {**self.__dict__, "_index": None}
