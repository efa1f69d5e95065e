"""Normalized Cut of the positions of a map, by what they respond to and not where they are.

Shi and Malik, TPAMI 2000; Chen et al., 2017, section 3.2. With weighted distances d of descriptors,

    d_ij = sqrt(sum_k w_k (f_ik - f_jk)^2),   S_ij = exp(-d_ij / z)^2,   z = 0.05 max d,

the leading eigenvectors of ``D^-1/2 (S + I/2) D^-1/2``, D being the degrees plus 1, are scaled by
``D^-1/2`` and rotated until each descriptor lies near one axis: its cluster.
"""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils import check_random_state

from skdeepenc._sklearn import Interval, StrOptions, validate_params
from skdeepenc._typing import Floats, Integers, RandomState
from skdeepenc.arrays.threads import one_blas_thread
from skdeepenc.functional import _eigen
from skdeepenc.functional._affinity import feature_affinity, literal_affinity, weighted_coordinates
from skdeepenc.functional._discretization import discretize

__all__ = ["normalized_cut"]

# Sizes at which the next solver is faster, measured by benchmarks/speed/normalized_cut.py; a matrix
# of 6,144 x 6,144 float32 similarities takes 151 MB.
_EXACT_UP_TO = 512
_KRYLOV_UP_TO = 6_144
_N_LANDMARKS = 1_024


def literal_embedding(features, n_clusters, affinity="exponential", scale=0.05):
    """Follow Shi's code step by step, in float64, with every eigenvector; `discretize` follows."""
    vectors = _eigen.literal_eigenvectors(literal_affinity(features, affinity, scale), n_clusters)
    return vectors / np.linalg.norm(vectors, axis=0) * np.sqrt(len(vectors))


@validate_params(
    {
        "features": ["array-like"],
        "n_clusters": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "affinity": [StrOptions({"exponential", "gaussian"})],
        "affinity_scale": [Interval(Real, 0, None, closed="neither")],
        "weights": ["array-like", None],
        "eigen_solver": [StrOptions({"auto", "exact", "krylov", "nystroem"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def normalized_cut(
    features: Floats,
    n_clusters: int | Sequence[int],
    *,
    affinity: str = "exponential",
    affinity_scale: float = 0.05,
    weights: Floats | None = None,
    eigen_solver: str = "auto",
    random_state: RandomState = None,
) -> Integers:
    """Partition descriptors by Normalized Cut, as in Shi's published code.

    The similarity of two descriptors falls with their weighted distance d (equations 2 and 3),
    z being `affinity_scale` times the largest distance; similarities under 1e-6 are dropped, and
    the regularisation of Shi's code keeps single outliers from taking the clusters. The leading
    eigenvectors of ``D**-1/2 S D**-1/2`` are turned into clusters by the rotation of Yu and Shi.

    Equal descriptors get equal labels. Where there are fewer distinct descriptors than clusters,
    as many clusters are sought. A descriptor that no leading eigenvector reaches joins the cluster
    of the nearest one that is reached *(ours)*.

    Parameters
    ----------
    features : array-like of shape (n, C)
        One descriptor per row.
    n_clusters : int or sequence of int
        Number of clusters; a sequence asks for several partitions from one decomposition.
    affinity : {"exponential", "gaussian"}, default="exponential"
        ``exp(-2 d / z)``, equation 3 as printed, or ``exp(-(d / z)**2)``, Shi's code.
    affinity_scale : float, default=0.05
        The scale z, as a fraction of the largest distance.
    weights : array-like of shape (C,) or None, default=None
        Weight of each component in the distance; None takes its share of the variance.
    eigen_solver : {"auto", "exact", "krylov", "nystroem"}, default="auto"
        "exact" decomposes the whole matrix in float64; "krylov" refines the eigenvectors of groups
        of descriptors in float32 and falls back on "exact" where they do not converge; "nystroem"
        extends those of 1,024 descriptors, so that memory grows with n instead of its square.
        "auto" takes the first up to 512 descriptors, the second up to 6,144.
    random_state : int, RandomState instance or None, default=None
        Draws the descriptors of "nystroem". Pass an int for the same labels in every call.

    Returns
    -------
    ndarray of int of shape (n,) or (n, n_partitions)
        Labels from 0; a column for each number asked for, if `n_clusters` is a sequence. A
        partition may have fewer clusters than asked for.

    References
    ----------
    Shi and Malik, "Normalized cuts and image segmentation", TPAMI 2000; Chen et al., "Aggregated
    deep feature from activation clusters for particular object retrieval", 2017, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import normalized_cut
    >>> features = np.array([[0.0], [0.01], [1.0], [1.01], [2.0]])
    >>> labels = normalized_cut(features, 3)
    >>> labels[0] == labels[1], labels[2] == labels[3], len(set(labels.tolist()))
    (np.True_, np.True_, 3)
    >>> normalized_cut(features, (2, 5)).shape
    (5, 2)
    """
    counts = np.atleast_1d(n_clusters)
    if not len(features):
        return np.zeros((0, *np.shape(n_clusters)), dtype=np.intp)
    points = weighted_coordinates(features, weights)
    representatives = _first_equals(points)
    counts = np.minimum(counts, len(np.unique(representatives)))
    labels = np.zeros((len(points), len(counts)), dtype=np.intp)
    if counts.max(initial=0) > 1:
        # Thin products and small decompositions: with two BLAS threads a cut takes three times as
        # long at 3,072 positions and ten times at 1,024 (benchmarks/speed/normalized_cut.py).
        with one_blas_thread():
            embedding = _embed(
                points, counts.max(), affinity, affinity_scale, eigen_solver, random_state
            )
            for column, count in enumerate(counts):
                labels[:, column] = _place_all(discretize(embedding[:, :count]), points)
    labels = labels[representatives]  # the eigenvectors of equals differ by rounding
    return labels[:, 0] if isinstance(n_clusters, Integral) else labels


def _first_equals(points):
    """Return the first row equal to each row; np.unique would take ten times as long to sort."""
    order = np.lexsort(points.T)
    starts = np.any(points[order[1:]] != points[order[:-1]], axis=1)
    groups = np.concatenate([[0], np.cumsum(starts)])
    first = np.empty_like(order)
    first[order] = order[np.flatnonzero(np.concatenate([[True], starts]))][groups]
    return first


def _embed(points, k, affinity, scale, solver, random_state):
    """Return the k leading eigenvectors of the points' graph."""
    n = len(points)
    if solver == "auto":
        solver = "exact" if n <= _EXACT_UP_TO else "krylov" if n <= _KRYLOV_UP_TO else "nystroem"
    if solver == "nystroem":
        size = min(max(_N_LANDMARKS, k), n)
        rng = check_random_state(random_state)
        landmarks = np.sort(rng.choice(n, size, replace=False))
        similarities = feature_affinity(points, points[landmarks], affinity=affinity, scale=scale)
        return _eigen.nystroem(similarities, landmarks, k)
    similarities = feature_affinity(points, affinity=affinity, scale=scale)
    embedding = _eigen.block_krylov(similarities, k) if solver == "krylov" else None
    return _eigen.exact(similarities, k) if embedding is None else embedding


def _place_all(labels, points):
    """Give descriptors without a label that of the nearest descriptor with one."""
    lost = np.flatnonzero(labels < 0)
    if not len(lost):
        return labels
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        return np.zeros_like(labels)
    nearest = pairwise_distances_argmin(points[lost], points[known])
    labels[lost] = labels[known[nearest]]
    return labels
