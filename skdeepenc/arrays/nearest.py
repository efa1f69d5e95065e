"""Nearest neighbours among many vectors: exactly by tiled products, or nearly by an index of faiss.

Search in an index is approximate, so we never take it on trust: it is built to find a stated share
of what the exact search finds, and the share that it does find is measured and handed back.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import row_norms

from skdeepenc._optional import require
from skdeepenc._typing import Integers
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles
from skdeepenc.exceptions import DegenerateDataError

__all__ = ["build_index", "comfortable_scale", "nearest_vectors", "refill_index", "search_index"]

# A tile of products this large is read back from the cache, not from memory.
_TILE = (1024, 4096)
# Searching in few dimensions, then comparing the best in all, is faster than either alone.
_N_COMPONENTS = 64
_N_COMPARED = 20
# 4 bits name one of 16 values, which are learned.
_FEWEST_TO_COMPRESS = 16
# Squares of float32 end at 1e38, and lose their digits below 1e-38.
_COMFORTABLE = (1e-12, 1e12)


def nearest_vectors(
    queries: NDArray[Any], vectors: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Find the nearest vector to each query, exactly.

    Of vectors equally near the first is taken. Memory is bounded by a tile of products.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, D)
        What to find neighbours of, in float32 or float64.
    vectors : ndarray of shape (n_vectors, D)
        Where to find them.

    Returns
    -------
    indices : ndarray of shape (n_queries,)
        Positions among `vectors`.
    squared_distances : ndarray of shape (n_queries,)
        Squared Euclidean distances, not below zero; infinite where the float type ends.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.nearest import nearest_vectors
    >>> nearest_vectors(np.array([[0.9], [5.0]]), np.array([[0.0], [1.0], [7.0]]))[0]
    array([1, 2])
    """
    scale = comfortable_scale(queries, vectors)
    if scale != 1:
        indices, squared = nearest_vectors(queries * scale, vectors * scale)
        with np.errstate(over="ignore"):  # of distances that no float holds
            return indices, squared / scale / scale
    half_squares = row_norms(vectors, squared=True) / 2
    # Zeros, not whatever memory holds: of vectors that cannot be compared the first is taken.
    indices = np.zeros(len(queries), dtype=np.intp)
    closeness = np.full(len(queries), -np.inf, dtype=queries.dtype)

    def search(rows: slice) -> None:
        for columns in tiles(len(vectors), _TILE[1]):
            tile = queries[rows] @ vectors[columns].T
            tile -= half_squares[columns]
            best = tile.argmax(axis=1)
            values = np.take_along_axis(tile, best[:, None], axis=1)[:, 0]
            better = values > closeness[rows]
            indices[rows][better] = columns.start + best[better]
            closeness[rows][better] = values[better]

    for_each(search, tiles(len(queries), _TILE[0]))
    squared = row_norms(queries, squared=True) - 2 * closeness
    return indices, np.maximum(squared, 0)


def build_index(
    vectors: NDArray[Any],
    queries: NDArray[Any],
    *,
    n_neighbors: int = 1,
    n_found: int | None = None,
    compared: bool = True,
    recall: float = 0.95,
    random_state: int = 0,
) -> tuple[Any, float]:
    """Build a faiss index that finds most of the nearest neighbours.

    An inverted file in the principal components of the vectors finds a few more than asked for, and
    those are compared in all dimensions. How many of its lists are searched, and then how many more
    are compared, is doubled until it finds the stated share of the true neighbours of some queries.

    Where only a few of many vectors found must be true neighbours, nothing needs to be compared:
    the inverted file alone, with components in 4 bits, finds them in a third of the time.

    Parameters
    ----------
    vectors : ndarray of shape (n_vectors, D)
        What to search among; read in float32.
    queries : ndarray of shape (n_queries, D)
        What will be asked for, a few hundred, to measure on.
    n_neighbors : int, default=1
        How many neighbours should be found.
    n_found : int, default=None
        Among how many that the index will be asked for; None means `n_neighbors`.
    compared : bool, default=True
        Whether to compare in all dimensions. Otherwise the order and the distances of what the
        index finds are those of the compressed vectors. Fewer than 16 are always compared.
    recall : float, default=0.95
        The share of the true neighbours to find.
    random_state : int, default=0
        Seed of the lists.

    Returns
    -------
    index : faiss index
        For `search_index`. It pickles.
    found : float
        The share of the true neighbours that it finds, below `recall` only if searching all lists,
        and comparing all vectors, does not find more.

    Raises
    ------
    MissingDependencyError
        If faiss is not installed.
    DegenerateDataError
        If the vectors are so large, or so small, that their squares are not numbers of float32.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.nearest import build_index, search_index
    >>> vectors = np.random.default_rng(0).random((500, 8), dtype=np.float32)
    >>> index, found = build_index(vectors, vectors[:50])
    >>> found >= 0.95, search_index(index, vectors[:3])[0].ravel().tolist()
    (True, [0, 1, 2])
    """
    faiss = require("faiss", extra="ann", purpose="Approximate search")
    if comfortable_scale(vectors) != 1:
        raise DegenerateDataError(
            f"An index compares squares in float32, which values up to {_largest(vectors):.0e} "
            "leave or vanish in: scale the vectors, or search exactly."
        )
    vectors, queries = _as_rows(vectors), _as_rows(queries)
    n_found = n_found or n_neighbors
    n_lists = max(1, int(np.sqrt(len(vectors))))
    projection = faiss.PCAMatrix(vectors.shape[1], min(*vectors.shape, _N_COMPONENTS))
    compared = compared or len(vectors) < _FEWEST_TO_COMPRESS
    lists = _new_lists(faiss, projection.d_out, n_lists, compared)
    lists.cp.seed = random_state
    lists.cp.min_points_per_centroid = 1
    index = faiss.IndexPreTransform(projection, lists)
    if compared:
        index = faiss.IndexRefineFlat(index)
        index.k_factor = max(_N_COMPARED / n_found, 3 * n_neighbors / n_found, 1)
    index.train(vectors)
    index.add(vectors)
    expected = _true_neighbors(queries, vectors, n_neighbors)
    for _ in _ever_slower(index, lists, compared, len(vectors)):
        found = _overlap(search_index(index, queries, n_found)[0], expected)
        if found >= recall:
            break
    return index, found


def refill_index(index: Any, vectors: NDArray[Any]) -> None:
    """Let an index of `build_index` hold other vectors, without learning its lists anew.

    Parameters
    ----------
    index : faiss index
        What `build_index` returned; it is changed.
    vectors : ndarray of shape (n_vectors, D)
        What to search among from now on, distributed as the vectors before were.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.nearest import build_index, refill_index, search_index
    >>> vectors = np.random.default_rng(0).random((500, 8), dtype=np.float32)
    >>> index, _ = build_index(vectors, vectors[:50])
    >>> refill_index(index, vectors[::-1])
    >>> search_index(index, vectors[:2])[0].ravel().tolist()
    [499, 498]
    """
    index.reset()
    index.add(_as_rows(vectors))


def search_index(
    index: Any, queries: NDArray[Any], n_neighbors: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find nearest neighbours by an index of `build_index`.

    Parameters
    ----------
    index : faiss index
        What `build_index` returned.
    queries : ndarray of shape (n_queries, D)
        What to find neighbours of; read in float32.
    n_neighbors : int, default=1
        How many.

    Returns
    -------
    indices : ndarray of shape (n_queries, n_neighbors)
        Positions among the vectors of the index, nearest first; -1 where it found no more.
    squared_distances : ndarray of shape (n_queries, n_neighbors)
        Squared Euclidean distances; the largest float where it found no more.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.nearest import build_index, search_index
    >>> vectors = np.eye(4, dtype=np.float32)
    >>> index, _ = build_index(vectors, vectors)
    >>> indices, squared_distances = search_index(index, vectors[2:])
    >>> indices.tolist(), squared_distances.tolist()
    ([[2], [3]], [[0.0], [0.0]])
    """
    squared_distances, indices = index.search(_as_rows(queries), n_neighbors)
    return indices, squared_distances


def comfortable_scale(*arrays: NDArray[Any]) -> float:
    """Find by what to multiply values so that their squares are numbers of float32.

    Parameters
    ----------
    *arrays : ndarray
        Values, scaled together.

    Returns
    -------
    float
        A power of two; 1 unless the values are extreme.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.nearest import comfortable_scale
    >>> comfortable_scale(np.array([3.0])), comfortable_scale(np.array([2.0**70]))
    (1.0, 4.235164736271502e-22)
    """
    largest = max(_largest(array) for array in arrays)
    if largest == 0 or not np.isfinite(largest) or _COMFORTABLE[0] < largest < _COMFORTABLE[1]:
        return 1.0
    return 2.0 ** -int(np.clip(np.frexp(largest)[1], -120, 120))


def _largest(array: NDArray[Any]) -> float:
    """Return the largest magnitude, without a copy."""
    return max(float(array.max(initial=0)), -float(array.min(initial=0)))


def _new_lists(faiss: Any, n_components: int, n_lists: int, compared: bool) -> Any:
    quantizer = faiss.IndexFlatL2(n_components)
    if compared:
        return faiss.IndexIVFFlat(quantizer, n_components, n_lists)
    return faiss.IndexIVFPQFastScan(quantizer, n_components, n_lists, n_components, 4)


def _ever_slower(index: Any, lists: Any, compared: bool, n_vectors: int) -> Iterator[None]:
    """Let the index search ever more lists, and then compare ever more vectors."""
    lists.nprobe = 1
    yield
    while lists.nprobe < lists.nlist:
        lists.nprobe = min(2 * lists.nprobe, lists.nlist)
        yield
    while compared and index.k_factor < n_vectors:
        index.k_factor *= 2
        yield


def _as_rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 cannot hold is not found
        return np.ascontiguousarray(vectors, dtype=np.float32)


def _true_neighbors(
    queries: NDArray[Any], vectors: NDArray[Any], n_neighbors: int
) -> NDArray[np.intp]:
    half_squares = row_norms(vectors, squared=True) / 2
    rows = [
        np.argpartition(half_squares - query @ vectors.T, n_neighbors - 1)[:n_neighbors]
        for query in queries
    ]
    return np.array(rows)


def _overlap(indices: Integers, expected: Integers) -> float:
    """Return the share of expected neighbours that were found."""
    pairs = zip(indices, expected, strict=True)
    return float(np.mean([np.isin(right, found).mean() for found, right in pairs]))
