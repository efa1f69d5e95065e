"""Above a million images: a first look by an index of faiss, and an exact second one.

An inverted file of compressed components names some hundred candidates per query; they are
compared by the vectors that are kept anyway. How many lists it searches is raised until it finds
most of what the exact search finds for vectors of the index itself, and the share that it does
find is said.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from skdeepenc._optional import require
from skdeepenc.arrays.nearest import build_index, search_index
from skdeepenc.search.manifest import Neighbors
from skdeepenc.search.similar import most_similar
from skdeepenc.search.snapshot import Snapshot

__all__ = ["are_wanted", "build_neighbors", "similar_images"]

#: Rows from which on an index is worth its recall.
FEWEST_ROWS = 1_000_000
RECALL = 0.95
N_CANDIDATES = 500
_N_NEIGHBORS = 10
_N_CHECKED = 64
_LARGEST_SAMPLE = 200_000
_ROWS_AT_ONCE = 50_000


def build_neighbors(snapshot: Snapshot, path: Path) -> Neighbors:
    """Write an approximate index over all rows of an index.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    path : Path
        The file to write.

    Returns
    -------
    Neighbors
        What it is, with the recall that was measured.
    """
    faiss = require("faiss", extra="ann", purpose="Approximate search")
    rng = np.random.default_rng(0)
    n_rows = snapshot.n_rows
    sample = np.sort(rng.choice(n_rows, min(n_rows, _LARGEST_SAMPLE), replace=False))
    kept = np.flatnonzero(snapshot.is_kept)
    checked = np.sort(rng.choice(kept, min(len(kept), _N_CHECKED), replace=False))
    queries, vectors = snapshot.take(checked), snapshot.take(sample)
    index, _ = build_index(vectors, queries, n_found=_N_NEIGHBORS, compared=False, recall=0)
    index.reset()
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        index.add(snapshot.block(slice(first, min(first + _ROWS_AT_ONCE, n_rows))))
    _, expected = most_similar(snapshot, queries, _N_NEIGHBORS, snapshot.is_kept)
    recall = _raise_recall(faiss, index, snapshot, queries, expected)
    faiss.write_index(index, str(path))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Neighbors(path.name, digest, n_rows, N_CANDIDATES, recall)


def _raise_recall(faiss, index, snapshot, queries, expected):
    """Search ever more lists until enough is found; return the share that is."""
    lists = faiss.extract_index_ivf(index)
    lists.nprobe = min(8, lists.nlist)
    while True:
        _, found = nearly_most_similar(snapshot, index, queries, expected.shape[1], N_CANDIDATES)
        pairs = zip(expected, found, strict=True)
        recall = float(np.mean([np.isin(right, rows).mean() for right, rows in pairs]))
        if recall >= RECALL or lists.nprobe == lists.nlist:
            return recall
        lists.nprobe = min(2 * lists.nprobe, lists.nlist)


def are_wanted(snapshot: Snapshot) -> bool:
    """Tell whether an index is so large, and so much larger than when it was last indexed."""
    known = snapshot.manifest.neighbors
    n_known = 0 if known is None else known.n_rows
    is_large = snapshot.n_rows >= FEWEST_ROWS and 10 * (snapshot.n_rows - n_known) > snapshot.n_rows
    return is_large and find_spec("faiss") is not None


def similar_images(snapshot, queries, n_neighbors):
    """Find the images most similar to each query, nearly all of them where there are very many.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    queries : ndarray of shape (n_queries, n_features)
        Of unit length.
    n_neighbors : int
        How many images to find.

    Returns
    -------
    similarities, rows : ndarray of shape (n_queries, n_found)
        Best first.
    """
    neighbors = snapshot.manifest.neighbors
    n_found = min(n_neighbors, len(snapshot))
    if neighbors is None or n_found > neighbors.n_candidates // 2 or find_spec("faiss") is None:
        return most_similar(snapshot, queries, n_neighbors, snapshot.is_kept)
    return nearly_most_similar(
        snapshot, snapshot.neighbors, queries, n_found, neighbors.n_candidates
    )


def nearly_most_similar(snapshot, index, queries, n_neighbors, n_candidates):
    """Find most of the rows most similar to each query.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    index : faiss index
        Over its first rows; the rows behind them are compared all.
    queries : ndarray of shape (n_queries, n_features)
        Of unit length.
    n_neighbors, n_candidates : int
        How many rows to find, and to compare.

    Returns
    -------
    similarities, rows : ndarray of shape (n_queries, n_neighbors)
        Best first.
    """
    candidates, _ = search_index(index, queries, n_candidates)
    behind = np.arange(index.ntotal, snapshot.n_rows)
    similarities = np.full((len(queries), n_neighbors), -np.inf, dtype=np.float32)
    rows = np.zeros((len(queries), n_neighbors), dtype=np.intp)
    for number, query in enumerate(queries):
        few = np.concatenate([candidates[number][candidates[number] >= 0], behind])
        few = few[snapshot.is_kept[few]]
        products = snapshot.take(few) @ query
        best = np.argsort(-products, kind="stable")[:n_neighbors]
        rows[number, : len(best)], similarities[number, : len(best)] = few[best], products[best]
    short = np.flatnonzero(np.isneginf(similarities).any(axis=1))
    if len(short):  # too many candidates were removed
        exact = most_similar(snapshot, queries[short], n_neighbors, snapshot.is_kept)
        similarities[short], rows[short] = exact
    return similarities, rows
