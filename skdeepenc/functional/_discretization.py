"""From the eigenvectors of a graph to clusters: the discretisation of Yu and Shi.

Yu and Shi, "Multiclass spectral clustering", ICCV 2003. The eigenvectors are defined up to a
rotation R. With the embedding's rows scaled to unit length, E, and the clusters as indicators X,
the best clusters for a rotation and the best rotation for the clusters,

    X_il = 1 where l = argmax_l (E R)_il,   R = V U^T of X^T E = U diag(s) V^T,

alternate until the agreement, the sum of s, stays. Unlike scikit-learn's, it survives nodes whose
embedding is exactly zero: they have no direction, take no part and get the label -1, for the
caller to place.
"""

import numpy as np

from skdeepenc.functional.normalize import l2_normalize

__all__ = ["discretize"]

_MAX_ROUNDS = 20


def literal_discretization(embedding):
    """Alternate as the equations read; no row may be zero."""
    n, k = embedding.shape
    directions = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    columns, overlaps = [directions[(n - 1) // 2]], np.zeros(n)
    while len(columns) < k:
        overlaps += np.abs(directions @ columns[-1])
        columns.append(directions[overlaps.argmin()])
    rotation, agreement = np.column_stack(columns), -1.0
    while True:
        indicators = np.zeros((n, k))
        indicators[np.arange(n), (directions @ rotation).argmax(axis=1)] = 1
        u, s, vt = np.linalg.svd(indicators.T @ directions)
        if abs(s.sum() - agreement) < 1e-12 * n:
            return indicators.argmax(axis=1)
        rotation, agreement = vt.T @ u.T, s.sum()


def discretize(embedding):
    """Cluster the rows of a spectral embedding.

    Parameters
    ----------
    embedding : ndarray of shape (n, k)
        Leading eigenvectors of a graph, one node per row.

    Returns
    -------
    ndarray of int of shape (n,)
        Labels below k; some may be unused. Rows of zeros get -1.

    References
    ----------
    Yu and Shi, "Multiclass spectral clustering", ICCV 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional._discretization import discretize
    >>> discretize(np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.9], [1.0, -1.0]]))
    array([ 0, -1,  0,  1])
    """
    directions = l2_normalize(np.asarray(embedding, dtype=np.float64))
    placed = directions.any(axis=1)
    labels = np.full(len(directions), -1)
    if placed.any():
        labels[placed] = _rotate_and_assign(directions[placed])
    return labels


def _rotate_and_assign(directions):
    rotation = _orthogonal_rows(directions)
    members = np.eye(directions.shape[1])
    agreement = 0.0
    for _ in range(_MAX_ROUNDS):
        labels = np.argmax(directions @ rotation, axis=1)
        left, strengths, right = np.linalg.svd(members[labels].T @ directions)
        if abs(strengths.sum() - agreement) < np.finfo(np.float64).eps * len(directions):
            break
        agreement = strengths.sum()
        rotation = (left @ right).T
    return labels


def _orthogonal_rows(directions):
    """Start from the middle node and those that are most nearly orthogonal to all before."""
    chosen = directions[(len(directions) - 1) // 2]
    columns, overlap = [chosen], np.zeros(len(directions))
    for _ in range(1, directions.shape[1]):
        overlap += np.abs(directions @ chosen)
        chosen = directions[np.argmin(overlap)]
        columns.append(chosen)
    return np.column_stack(columns)
