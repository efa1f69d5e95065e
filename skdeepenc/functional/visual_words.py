"""Visual words: k-means of descriptors, and how often each word occurs in an image.

The words c_1 ... c_K minimise ``sum_x min_k |x - c_k|^2`` over a sample (k-means), and an image is
the histogram of its descriptors' nearest words,

    h_k = |{x : k = argmin_j |x - c_j|^2}|.

Where bursts of one word outweigh all others, counts are raised to a power: (h_k)^power, then times
the words' weights (Jégou, Douze and Schmid, "On the burstiness of visual elements", CVPR 2009, take
the square root of what a burst counts).

Words of directions maximise ``sum_x max_k x . c_k / |c_k|`` instead (spherical k-means: Dhillon and
Modha, "Concept decompositions for large sparse text data using clustering", 2001).

With 50,000 words nearly all the time of k-means goes into finding the nearest one. Philbin et al.
(CVPR 2007) search for it approximately, which changes few assignments and hardly the words.
"""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from skdeepenc._progress import progress_bar
from skdeepenc.arrays.nearest import build_index, nearest_vectors, refill_index, search_index
from skdeepenc.arrays.tiles import tiles
from skdeepenc.exceptions import DegenerateDataError
from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.samples import check_sample, check_sums

__all__ = [
    "VisualWords",
    "assign_words",
    "bag_of_words",
    "fit_codebook",
    "fit_cosine_codebook",
    "fit_words",
    "open_index",
]

# The error falls little after this many rounds (Philbin et al. stop before convergence, too).
N_ROUNDS = 10
# With fewer words, exact products are faster than building an index and searching it.
FEWEST_WORDS_TO_INDEX = 4096
N_CHECKED = 256
_DESCRIPTORS_AT_ONCE = 65_536
_MOST_COSINE_ROUNDS = 100


def literal_histogram(descriptors, words, power=1.0):
    """Count the nearest words of one image's descriptors, one descriptor after the other."""
    counts = np.zeros(len(words))
    for descriptor in descriptors:
        counts[np.argmin([np.sum((descriptor - word) ** 2) for word in words])] += 1
    return np.array([count**power if count else 0 for count in counts])


@dataclass(frozen=True)
class VisualWords:
    """What a bag of visual words is counted with.

    Attributes
    ----------
    words : ndarray of shape (K, D)
        The words.
    index : faiss index or None
        Finds the nearest word approximately; None for exact search.
    idf : ndarray of shape (K,) or None
        Weights of the words.
    power : float
        Exponent of the counts.
    """

    words: np.ndarray
    index: Any = None
    idf: np.ndarray | None = None
    power: float = 1.0


def bag_of_words(column, record):
    """Count the words of images.

    Parameters
    ----------
    column : Column
        Descriptors of the images.
    record : VisualWords
        The words.

    Returns
    -------
    csr_array of shape (n_images, K)
        Counts to the power, times the words' weights, in the float type of the descriptors.
    """
    labels, _ = assign_words(column.values, record.words, record.index)
    # Much of scikit-learn takes sparse rows with 32-bit indices only.
    indices, starts = labels.astype(np.int32), column.image_offsets.astype(np.int32)
    ones = np.ones(len(labels), column.values.dtype)
    counts = sparse.csr_array((ones, indices, starts), shape=(len(column), len(record.words)))
    counts.sum_duplicates()
    counts.data = power_normalize(counts.data, record.power)
    if record.idf is not None:
        counts.data *= record.idf[counts.indices].astype(counts.dtype, copy=False)
    return counts


def fit_codebook(sample, n_clusters, *, random_state=None):
    """Learn visual words by k-means.

    Parameters
    ----------
    sample : ndarray of shape (n_samples, D)
        The descriptors, float32 or float64.
    n_clusters : int
        Number of words, clipped to the number of distinct samples.
    random_state : int, RandomState or None, default=None
        Seed of the first centres.

    Returns
    -------
    ndarray of shape (n_clusters, D)
        The centres, in the float type of the sample.

    Raises
    ------
    FeatureMapsError
        If the sample is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.visual_words import fit_codebook
    >>> np.sort(fit_codebook(np.array([[0.0], [0.2], [4.0]]), 2, random_state=0), axis=0)
    array([[0.1],
           [4. ]])
    """
    check_sample(sample)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    kmeans = KMeans(min(n_clusters, len(sample)), n_init=1, random_state=seed)
    with warnings.catch_warnings():  # repeated samples leave clusters empty: they are dropped here
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = kmeans.fit_predict(sample)
    return kmeans.cluster_centers_[np.unique(labels)]


def fit_cosine_codebook(sample, n_clusters, *, random_state=None):
    """Learn visual words by spherical k-means: words that are near by their angle.

    Each descriptor belongs to the word at the smallest angle, and a word is the mean of its
    descriptors, which is not brought to unit length. The rounds begin with the clusters of k-means,
    which are nearly these where descriptors are of unit length, and end where no descriptor changes
    its word.

    Parameters
    ----------
    sample : ndarray of shape (n_samples, D)
        The descriptors, float32 or float64.
    n_clusters : int
        Number of words, clipped to the number of distinct samples.
    random_state : int, RandomState or None, default=None
        Seed of the first centres.

    Returns
    -------
    ndarray of shape (n_clusters, D)
        The means, in the float type of the sample.

    Raises
    ------
    FeatureMapsError
        If the sample is empty.

    Examples
    --------
    Two directions; the length of what points there says nothing.

    >>> import numpy as np
    >>> from skdeepenc.functional.visual_words import fit_cosine_codebook
    >>> sample = np.array([[1.0, 0.0], [9.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    >>> np.sort(fit_cosine_codebook(sample, 2, random_state=0), axis=0)
    array([[0. , 0. ],
           [5. , 1.5]])
    """
    check_sample(sample)
    unit = l2_normalize(sample)
    words = fit_codebook(unit, n_clusters, random_state=random_state)
    previous = np.empty(0, dtype=np.intp)
    for _ in range(_MOST_COSINE_ROUNDS):
        # Of unit vectors the nearest is the one at the smallest angle.
        nearest, _ = nearest_vectors(unit, l2_normalize(words))
        used, labels = np.unique(nearest, return_inverse=True)
        if np.array_equal(labels, previous):
            break
        previous = labels
        words, _ = _means(sample, labels, len(used))
    return words


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
    check_sums(sample)
    n_words = min(n_words, len(sample))
    words = sample[random_state.choice(len(sample), n_words, replace=False)]
    previous = np.empty(0, dtype=np.intp)
    index, _ = open_index(words, sample, search, random_state)
    for _ in progress_bar(range(N_ROUNDS), verbose=verbose, description="words", unit="round"):
        labels, squared_distances = assign_words(sample, words, index)
        if np.array_equal(labels, previous):
            break
        words = _moved_words(sample, labels, squared_distances, n_words, random_state)
        # Without words that were left out, the numbers of the others are new.
        previous = labels if len(words) == n_words else previous[:0]
        n_words = len(words)
        if index is not None:
            refill_index(index, words)
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
    for rows in tiles(len(descriptors), _DESCRIPTORS_AT_ONCE):
        found, squared = search_index(index, descriptors[rows])
        labels[rows], squared_distances[rows] = found[:, 0], squared[:, 0]
    # An index finds nothing where its nearest lists are empty, or distances overflow.
    missed = np.flatnonzero(labels < 0)
    if len(missed):
        labels[missed], squared_distances[missed] = nearest_vectors(descriptors[missed], words)
    return labels, squared_distances


def _moved_words(sample, labels, squared_distances, n_words, random_state):
    """Return the means of the words' descriptors, empty words put elsewhere or left out."""
    words, counts = _means(sample, labels, n_words)
    empty = np.flatnonzero(counts == 0)
    # Distances may be infinite in float32, and their sum in float64 must not be.
    far = np.cumsum(np.minimum(squared_distances, np.finfo(np.float32).max), dtype=np.float64)
    if len(empty) and far[-1] > 0:
        drawn = np.searchsorted(far, far[-1] * random_state.uniform(size=len(empty)), side="right")
        drawn = np.unique(np.minimum(drawn, len(sample) - 1))
        words[empty[: len(drawn)]] = sample[drawn]
        empty = empty[len(drawn) :]
    return np.delete(words, empty, axis=0)


def _means(sample, labels, n_words):
    """Return the mean of each word's descriptors, zeros for an empty word, and their number."""
    membership = sparse.csr_array(
        (np.ones(len(sample), sample.dtype), labels, np.arange(len(sample) + 1)),
        shape=(len(sample), n_words),
    )
    counts = np.bincount(labels, minlength=n_words)
    words = membership.T @ sample
    words /= np.maximum(counts, 1)[:, None].astype(sample.dtype)
    return words, counts
