"""Learn very many visual words by approximate k-means, and assign descriptors to them.

With 50,000 words nearly all the time of k-means goes into finding the nearest one. Philbin et al.
(CVPR 2007) search for it approximately, which changes few assignments and hardly the words.
"""

from importlib.util import find_spec

import numpy as np
from scipy import sparse

from skdeepenc._progress import progress_bar
from skdeepenc.arrays.nearest import build_index, nearest_vectors, search_index
from skdeepenc.exceptions import DegenerateDataError

# The error falls little after this many rounds (Philbin et al. stop before convergence, too).
N_ROUNDS = 10
# With fewer words, exact products are faster than building an index and searching it.
FEWEST_WORDS_TO_INDEX = 4096
N_CHECKED = 256
_DESCRIPTORS_AT_ONCE = 65_536


def fit_words(sample, n_words, *, search, random_state, verbose=0):
    """Learn words by k-means with searches that may be approximate.

    Words that no descriptor is assigned to are put on descriptors drawn with a probability that
    grows with the squared distance to their own word, as k-means++ draws.

    Parameters
    ----------
    sample : ndarray of shape (n_samples, D)
        The descriptors. Memory beside them is bounded by a few times the words.
    n_words : int
        How many; fewer where the sample has fewer distinct descriptors.
    search : {"auto", "exact", "faiss"}
        How to find the nearest word.
    random_state : RandomState
        Draws the first words and those put in the place of empty ones.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    ndarray of shape (n_words, D)
        The words.
    """
    n_words = min(n_words, len(sample))
    words = sample[random_state.choice(len(sample), n_words, replace=False)]
    previous = np.empty(0, dtype=np.intp)
    for _ in progress_bar(range(N_ROUNDS), verbose=verbose, description="words", unit="round"):
        index, _ = open_index(words, sample, search, random_state)
        labels, squared_distances = assign_words(sample, words, index)
        if np.array_equal(labels, previous):
            break
        previous = labels
        words = _moved_words(sample, labels, squared_distances, n_words, random_state)
        n_words = len(words)
    return words


def open_index(words, sample, search, random_state):
    """Return an index of the words, None for exact search, and its share of right answers."""
    large = len(words) >= FEWEST_WORDS_TO_INDEX and find_spec("faiss") is not None
    if search == "exact" or (search == "auto" and not large):
        return None, 1.0
    checked = random_state.choice(len(sample), min(N_CHECKED, len(sample)), replace=False)
    seed = random_state.randint(np.iinfo(np.int32).max)
    try:
        return build_index(words, sample[checked], random_state=seed)
    except DegenerateDataError:
        if search == "auto":
            return None, 1.0
        raise


def assign_words(descriptors, words, index):
    """Return the word of each descriptor and the squared distance to it."""
    if index is None:
        return nearest_vectors(descriptors, words)
    labels = np.empty(len(descriptors), dtype=np.intp)
    squared_distances = np.empty(len(descriptors), dtype=descriptors.dtype)
    for start in range(0, len(descriptors), _DESCRIPTORS_AT_ONCE):
        rows = slice(start, start + _DESCRIPTORS_AT_ONCE)
        found, squared = search_index(index, descriptors[rows])
        labels[rows], squared_distances[rows] = found[:, 0], squared[:, 0]
    # An index finds nothing where its nearest lists are empty, or distances overflow.
    missed = np.flatnonzero(labels < 0)
    if len(missed):
        labels[missed], squared_distances[missed] = nearest_vectors(descriptors[missed], words)
    return labels, squared_distances


def _moved_words(sample, labels, squared_distances, n_words, random_state):
    """Return the means of the words' descriptors, empty words put elsewhere or left out."""
    membership = sparse.csr_array(
        (np.ones(len(sample), sample.dtype), labels, np.arange(len(sample) + 1)),
        shape=(len(sample), n_words),
    )
    counts = np.bincount(labels, minlength=n_words)
    words = membership.T @ sample
    words /= np.maximum(counts, 1)[:, None].astype(sample.dtype)
    empty = np.flatnonzero(counts == 0)
    # Distances may be infinite in float32, and their sum in float64 must not be.
    far = np.cumsum(np.minimum(squared_distances, np.finfo(np.float32).max), dtype=np.float64)
    if len(empty) and far[-1] > 0:
        drawn = np.searchsorted(far, far[-1] * random_state.uniform(size=len(empty)), side="right")
        drawn = np.unique(np.minimum(drawn, len(sample) - 1))
        words[empty[: len(drawn)]] = sample[drawn]
        empty = empty[len(drawn) :]
    return np.delete(words, empty, axis=0)
