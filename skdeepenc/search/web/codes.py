"""Vectors of a site: a byte per value and one scale per vector, a quarter of float32.

Values of unit vectors are small and alike in size, so a byte tells most of what there is to tell;
how much of the exact answer is still found is measured on the vectors themselves.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skdeepenc.search.snapshot import Snapshot

__all__ = ["agreement", "as_codes", "rows_a_shard", "shards_of"]

# Of a file: hosts refuse larger ones than 25 MB, and visitors wait for whole ones.
_BYTES_A_SHARD = 4 << 20
_LARGEST = 127
_N_CHECKED = 32
_N_NEIGHBORS = 10


def rows_a_shard(n_features: int) -> int:
    """Return how many vectors a file holds."""
    return max(1, _BYTES_A_SHARD // (n_features + 4))


def as_codes(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return vectors as bytes, and what each vector's bytes are to be multiplied by.

    Parameters
    ----------
    vectors : ndarray of float32 of shape (n_vectors, n_features)
        The vectors.

    Returns
    -------
    scales : ndarray of float32 of shape (n_vectors,)
        The largest magnitude of each, over 127.
    codes : ndarray of int8 of shape (n_vectors, n_features)
        The vectors over their scales, rounded.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.search.web.codes import as_codes
    >>> scales, codes = as_codes(np.array([[0.0, 0.508, -1.27]], dtype=np.float32))
    >>> scales.astype(float).round(4).tolist(), codes.tolist()
    ([0.01], [[0, 51, -127]])
    """
    scales = np.abs(vectors).max(axis=1, initial=0).astype(np.float32) / np.float32(_LARGEST)
    safe = np.where(scales > 0, scales, 1)[:, None]
    return scales, np.rint(vectors / safe).astype(np.int8)


def shards_of(snapshot: Snapshot, rows: NDArray[np.intp]) -> Iterator[bytes]:
    """Yield the content of each file: scales of some vectors, and behind them their bytes.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    rows : ndarray of int
        Which of its rows.

    Yields
    ------
    bytes
        4 bytes per vector, and then one per value.
    """
    for part in _parts(snapshot, rows):
        scales, codes = as_codes(snapshot.take(part))
        yield scales.astype("<f4").tobytes() + codes.tobytes()


def agreement(snapshot: Snapshot, rows: NDArray[np.intp]) -> float:
    """Return which share of the exact first ten is found by bytes, for vectors of the index."""
    if not len(rows):
        return 1.0
    rng = np.random.default_rng(0)
    queries = snapshot.take(np.sort(rng.choice(rows, min(len(rows), _N_CHECKED), replace=False)))
    exact, found = [], []
    for part in _parts(snapshot, rows):
        vectors = snapshot.take(part)
        scales, codes = as_codes(vectors)
        exact.append(queries @ vectors.T)
        found.append(queries @ codes.T.astype(np.float32) * scales)
    first = [_first(np.concatenate(each, axis=1)) for each in (exact, found)]
    shares = [np.isin(right, coded).mean() for right, coded in zip(*first, strict=True)]
    return float(np.mean(shares))


def _parts(snapshot, rows):
    step = rows_a_shard(snapshot.manifest.n_features)
    return (rows[first : first + step] for first in range(0, len(rows), step))


def _first(similarities):
    return np.argsort(-similarities, axis=1, kind="stable")[:, :_N_NEIGHBORS]
