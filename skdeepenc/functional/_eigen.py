"""Leading eigenvectors of a normalised similarity matrix, for Normalized Cut.

With the similarities S of a graph's nodes, they are the vectors v of the largest eigenvalues l in

    D^-1/2 (S + I/2) D^-1/2 u = l u,   v = D^-1/2 u,   D_ii = sum_j S_ij + 1.

The matrix is that of Shi's code: half a self-similarity on the diagonal, one on the degrees. It is
never formed for the fast solver, which multiplies by the similarities as they are.
"""

import numpy as np
import scipy.linalg

from skdeepenc.arrays.threads import for_each, kept_threads
from skdeepenc.arrays.tiles import tiles

__all__ = ["block_krylov", "exact", "nystroem"]

_OFFSET = 0.5
_MIN_NODES, _MAX_GROUPS = 256, 512
_MAX_STEPS, _N_BEYOND, _LARGEST_SPACE = 40, 4, 5
# Where the residuals are below it, clusters of real maps agreed with the exact ones to an adjusted
# Rand index of 0.98 in the median and 0.6 at least (benchmarks/speed/normalized_cut.py).
_TOLERANCE = 7e-3
_SHORTEST = 1e-3  # of a shorter vector, most is rounding
_TILE_ROWS = 256


def literal_eigenvectors(similarities, k):
    """Return the k leading vectors v as columns, as the equation reads, in float64."""
    similarities = similarities.astype(np.float64)
    inverse_root = (similarities.sum(axis=1) + 1) ** -0.5
    matrix = inverse_root[:, None] * (similarities + np.eye(len(similarities)) / 2) * inverse_root
    values, vectors = np.linalg.eigh(matrix)
    return inverse_root[:, None] * vectors[:, np.argsort(-values)[:k]]


def exact(similarities, k):
    """Decompose the whole matrix in float64.

    Parameters
    ----------
    similarities : ndarray of shape (n, n)
        A symmetric matrix.
    k : int
        Number of eigenvectors, at most n.

    Returns
    -------
    ndarray of shape (n, k)
        Eigenvectors scaled by the inverse roots of the degrees, leading first.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional._eigen import exact
    >>> np.abs(exact(np.ones((4, 4)), 1)).round(3).ravel()
    array([0.224, 0.224, 0.224, 0.224])
    """
    return _decompose(similarities.astype(np.float64), np.ones(len(similarities)), k)


def block_krylov(similarities, k):
    """Refine the eigenvectors of a coarse graph in a Krylov space.

    Groups of similar nodes, nodes of a graph of their own, give a start that is close; noise would
    take three times as many products. The space grows by the residuals of the eigenvectors that
    are not found yet, and of a few beyond; where it grows large it is cut back to those vectors.
    To grow by products of all vectors took 1.5 times as long, and 2 to 5 times on maps of many
    small clusters.

    Parameters
    ----------
    similarities : ndarray of float32 of shape (n, n)
        A symmetric matrix with ones on the diagonal.
    k : int
        Number of eigenvectors, at most n.

    Returns
    -------
    ndarray of shape (n, k) or None
        As `exact` returns; None if the residuals stay large or the matrix is small.

    References
    ----------
    Davidson, "The iterative calculation of a few of the lowest eigenvalues and corresponding
    eigenvectors of large real-symmetric matrices", Journal of Computational Physics, 1975.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional._eigen import block_krylov
    >>> vectors = block_krylov(np.ones((600, 600), dtype=np.float32), 1)
    >>> np.ptp(vectors) < 1e-2 * np.abs(vectors).max()
    np.True_
    """
    if len(similarities) < _MIN_NODES:
        return None
    scale = _inverse_root_degrees(similarities)
    block = _orthonormal(_coarse_vectors(similarities, 2 * k + 8) / scale)
    basis = images = np.empty((len(block), 0), dtype=np.float32)
    projected = np.empty((0, 0), dtype=np.float32)
    with kept_threads():
        for _ in range(_MAX_STEPS):
            image = _multiply(similarities, scale, block)
            basis, images = np.hstack([basis, block]), np.hstack([images, image])
            # What is padded lies under the diagonal, where nobody looks.
            projected = np.pad(projected, [(0, block.shape[1]), (0, 0)])
            projected = np.hstack([projected, basis.T @ image])
            values, rotation = _leading(projected, k + _N_BEYOND)
            vectors, vector_images = basis @ rotation, images @ rotation
            residuals = vector_images - values * vectors
            lengths = np.linalg.norm(residuals, axis=0)
            if lengths[:k].max() < _TOLERANCE:
                return scale * vectors[:, :k] if vectors.shape[1] >= k else None
            if len(projected) > _LARGEST_SPACE * len(values):
                basis, images, projected = vectors, vector_images, np.diag(values)
            unknown = lengths > _TOLERANCE / 2
            block = _rest(residuals[:, unknown] / lengths[unknown], basis)
    return None


def nystroem(cross_similarities, landmarks, k):
    """Extend the eigenvectors of a few landmarks to all nodes.

    Parameters
    ----------
    cross_similarities : ndarray of shape (n, m)
        Similarities of all nodes to the landmarks.
    landmarks : ndarray of int of shape (m,)
        Which nodes are landmarks.
    k : int
        Number of eigenvectors, at most m.

    Returns
    -------
    ndarray of shape (n, k)
        Approximations of what `exact` returns.

    References
    ----------
    Fowlkes et al., "Spectral grouping using the Nyström method", TPAMI 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional._eigen import nystroem
    >>> similarities = np.kron(np.eye(2), np.ones((3, 3)))
    >>> np.linalg.matrix_rank(nystroem(similarities[:, [0, 3]], np.array([0, 3]), 2))
    np.int64(2)
    """
    n, m = cross_similarities.shape
    share = n / m  # each landmark stands for as many nodes
    degrees = share * cross_similarities.sum(axis=1, dtype=np.float64) + 2 * _OFFSET
    scale = (1 / np.sqrt(degrees)).astype(cross_similarities.dtype)
    known = scale[landmarks]
    among = share * (known[:, None] * cross_similarities[landmarks] * known).astype(np.float64)
    values, vectors = _leading(among, k)
    extension = share * known[:, None] * vectors / np.maximum(values, np.finfo(np.float32).eps)
    return scale[:, None] ** 2 * (cross_similarities @ extension.astype(cross_similarities.dtype))


def _inverse_root_degrees(similarities):
    # Shi's code adds the offset once to the diagonal and twice to the degrees. The second half is
    # what keeps it from cutting off single outliers, whose eigenvalues would be 1 otherwise.
    return 1 / np.sqrt(similarities.sum(axis=1, keepdims=True) + 2 * _OFFSET)


def _decompose(similarities, sizes, k):
    """Return the scaled eigenvectors of a graph, each node of which stands for `sizes` equal ones.

    `similarities` are between nodes; all those that they stand for are as similar.
    """
    matrix = sizes[:, None] * similarities * sizes
    scale = 1 / np.sqrt(matrix.sum(axis=1) + 2 * _OFFSET * sizes)
    matrix[np.diag_indices(len(matrix))] += _OFFSET * sizes
    matrix *= scale[:, None] * scale
    return scale[:, None] * _leading(matrix, k)[1]


def _coarse_vectors(similarities, k):
    """Give all nodes of a group the value of the group in the eigenvectors of a coarse graph."""
    landmarks, groups = _group(similarities)
    sizes = np.bincount(groups).astype(similarities.dtype)
    coarse = similarities[np.ix_(landmarks, landmarks)]
    return _decompose(coarse, sizes, min(k, len(landmarks)))[groups]


def _group(similarities):
    """Choose landmarks, each the node least similar to those before; group nodes by the nearest.

    Single outliers are among them, which are nearly eigenvectors and what random starts find last.
    """
    landmarks, nearest = [0], similarities[0].copy()
    groups = np.zeros(len(similarities), dtype=np.intp)
    while len(landmarks) < min(_MAX_GROUPS, len(similarities) // 4):
        farthest = int(nearest.argmin())
        if nearest[farthest] > 1 - _SHORTEST:  # what is in a group is equal already
            break
        groups[similarities[farthest] > nearest] = len(landmarks)
        landmarks.append(farthest)
        np.maximum(nearest, similarities[farthest], out=nearest)
    return landmarks, groups


def _multiply(similarities, scale, vectors):
    scaled = scale * vectors
    by_rows = tiles(len(similarities), _TILE_ROWS)
    product = np.concatenate(for_each(lambda rows: similarities[rows] @ scaled, by_rows))
    return scale * (product + np.float32(_OFFSET) * scaled)


def _rest(vectors, basis):
    """Span what the basis lacks of the vectors. Twice: the first time, rounding remains."""
    for _ in range(2):
        vectors = _orthonormal(vectors - basis @ (basis.T @ vectors))
    return vectors


def _orthonormal(vectors):
    """Span the same space, but for what is shorter than `_SHORTEST`; a QR takes 4 times as long."""
    squares, rotation = np.linalg.eigh(vectors.T @ vectors)
    kept = squares > _SHORTEST**2
    return vectors @ (rotation[:, kept] / np.sqrt(squares[kept]))


def _leading(matrix, k):
    """Return the k largest eigenvalues and their vectors, or all of a smaller matrix."""
    size = len(matrix)
    values, vectors = scipy.linalg.eigh(
        matrix, lower=False, subset_by_index=[max(size - k, 0), size - 1], check_finite=False
    )
    return values[::-1], vectors[:, ::-1]
