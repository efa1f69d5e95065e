"""Leading eigenvectors of a normalised similarity matrix, for Normalized Cut.

The matrix is that of Shi's code: half a self-similarity on the diagonal, one on the degrees. It is
never formed for the fast solver, which multiplies by the similarities as they are.
"""

import numpy as np
import scipy.linalg

__all__ = ["block_krylov", "exact", "nystroem"]

_OFFSET = 0.5
_BLOCK = 16
_FIRST_CHECK, _CHECK_EVERY, _MAX_STEPS = 10, 4, 30
# Where the residuals are below it, clusters of real maps agreed with the exact ones to an adjusted
# Rand index of 0.97 to 0.999 in the median and 0.88 at least (benchmarks/benchmark_ncut.py).
_TOLERANCE = 2e-3


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
    >>> from skdeepenc.functional.eigen import exact
    >>> np.abs(exact(np.ones((4, 4)), 1)).round(3).ravel()
    array([0.224, 0.224, 0.224, 0.224])
    """
    n = len(similarities)
    scale = _inverse_root_degrees(similarities)
    matrix = scale[:, None] * similarities * scale
    matrix[np.diag_indices(n)] += _OFFSET * scale**2
    _, vectors = scipy.linalg.eigh(matrix, subset_by_index=[n - k, n - 1], check_finite=False)
    return scale[:, None] * vectors[:, ::-1]


def block_krylov(similarities, k, random_state):
    """Project on a growing block Krylov space, until the residuals are small.

    The space starts from the matrix's trivial eigenvector, the nodes of least degree (nearly
    isolated nodes are nearly eigenvectors, and what random blocks find last) and seeded noise.

    Parameters
    ----------
    similarities : ndarray of float32 of shape (n, n)
        A symmetric matrix.
    k : int
        Number of eigenvectors, at most n.
    random_state : RandomState
        Draws the noise.

    Returns
    -------
    ndarray of shape (n, k) or None
        As `exact` returns; None if the residuals stay large or the matrix is too small.

    References
    ----------
    Golub and Underwood, "The block Lanczos method for computing eigenvalues", 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.eigen import block_krylov
    >>> ones = np.ones((500, 500), dtype=np.float32)
    >>> vectors = block_krylov(ones, 1, np.random.RandomState(0))
    >>> np.ptp(vectors) < 1e-2 * np.abs(vectors).max()
    np.True_
    """
    n = len(similarities)
    if n < _BLOCK * (_FIRST_CHECK + 1):
        return None
    scale = _inverse_root_degrees(similarities).astype(np.float32)
    noise = random_state.standard_normal((n, _BLOCK)).astype(np.float32)
    basis = np.empty((n, _BLOCK * (_MAX_STEPS + 1)), dtype=np.float32, order="F")
    basis[:, :_BLOCK] = _orthonormal(_start(scale, noise))[0]
    projected = np.zeros((basis.shape[1], basis.shape[1]), dtype=np.float32)
    for step in range(1, _MAX_STEPS + 1):
        done, new = slice(0, _BLOCK * step), slice(_BLOCK * step, _BLOCK * (step + 1))
        latest = slice(new.start - _BLOCK, new.start)
        image = _multiply(similarities, scale, basis[:, latest])
        projected[done, latest], basis[:, new], coupling = _orthogonalize(
            image, basis[:, done], np.roll(noise, step, axis=0)
        )
        if step >= _FIRST_CHECK and (step - _FIRST_CHECK) % _CHECK_EVERY == 0:
            vectors = _leading(projected[done, done], k)
            residuals = np.linalg.norm(coupling @ vectors[latest], axis=0)
            if residuals.max() < _TOLERANCE:
                return scale[:, None] * (basis[:, done] @ vectors)
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
    >>> from skdeepenc.functional.eigen import nystroem
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
    values, vectors = scipy.linalg.eigh(among, subset_by_index=[m - k, m - 1], check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    extension = share * known[:, None] * vectors / np.maximum(values, np.finfo(np.float32).eps)
    return scale[:, None] ** 2 * (cross_similarities @ extension.astype(cross_similarities.dtype))


def _inverse_root_degrees(similarities):
    # Shi's code adds the offset once to the diagonal and twice to the degrees. The second half is
    # what keeps it from cutting off single outliers, whose eigenvalues would be 1 otherwise.
    return 1 / np.sqrt(similarities.sum(axis=1, dtype=np.float64) + 2 * _OFFSET)


def _multiply(similarities, scale, vectors):
    scaled = scale[:, None] * vectors
    return scale[:, None] * (similarities @ scaled + np.float32(_OFFSET) * scaled)


def _start(scale, noise):
    start = 1e-3 * noise
    start[:, 0] += 1 / scale
    loneliest = np.argsort(-scale, kind="stable")[: _BLOCK - 1]
    start[loneliest, np.arange(1, _BLOCK)] += 1
    return start


def _orthogonalize(image, basis, noise):
    """Split a block into its part in the basis and an orthonormal rest.

    Where the basis already holds the whole block, the rest is noise. Projected twice: of a small
    rest, most is rounding.
    """
    inside = basis.T @ image
    rest = image - basis @ inside + np.finfo(np.float32).eps * noise
    rest, first = _orthonormal(rest)
    rest, second = _orthonormal(rest - basis @ (basis.T @ rest))
    return inside, rest, second @ first


def _orthonormal(block):
    # Unlike numpy's, scipy's stays in float32.
    return scipy.linalg.qr(block, mode="economic", overwrite_a=True, check_finite=False)


def _leading(projected, k):
    size = len(projected)
    return scipy.linalg.eigh(
        projected, lower=False, subset_by_index=[size - k, size - 1], check_finite=False
    )[1][:, ::-1]
