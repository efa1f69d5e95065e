"""Vectors of locally aggregated descriptors, with soft assignment.

Section 2 of "Multi-scale Orderless Pooling of Deep Convolutional Activation Features" (Gong et al.,
ECCV 2014). A descriptor p goes to its r nearest centres with weights

    w_k = exp(-|p - c_k|^2 / (2 sigma^2)),  scaled to sum 1 over those r,

and an image is described by its residuals ``v_k = sum_p w_pk (p - c_k)``. `literal_vlad` is that,
descriptor by descriptor; `soft_assign` and `vlad` are the two halves of it as they are computed.
"""

import numpy as np
from scipy import sparse

from skdeepenc._typing import Floats, Integers
from skdeepenc.arrays.floats import as_floats

__all__ = ["soft_assign", "vlad", "vlad_of_segments"]

# Up to here, taking the smallest distance away again and again beats a partition of each row.
_FEW_NEIGHBORS = 10


def literal_vlad(descriptors, centers, n_neighbors, sigma, cosine=False):
    """Sum weighted residuals as the paper reads, one descriptor after the other, in float64.

    With `cosine`, distances are those of descriptor and centre at unit length, |p - c|^2 = 2 - 2
    cos(p, c); the residuals stay those of what is given.
    """
    vectors = np.zeros(centers.shape)
    for descriptor in descriptors.astype(np.float64):
        if cosine:
            norms = [np.linalg.norm(descriptor) * np.linalg.norm(center) for center in centers]
            distances = [
                2 - 2 * descriptor @ c / norm for c, norm in zip(centers, norms, strict=True)
            ]
        else:
            distances = [np.sum((descriptor - center) ** 2) for center in centers]
        nearest = np.argsort(distances, kind="stable")[:n_neighbors]
        kernel = [np.exp(-distances[k] / (2 * sigma**2)) for k in nearest]
        for k, value in zip(nearest, kernel, strict=True):
            vectors[k] += value / sum(kernel) * (descriptor - centers[k])
    return vectors


def soft_assign(
    descriptors: Floats, centers: Floats, n_neighbors: int = 5, sigma: float = 10.0
) -> tuple[Integers, Floats]:
    """Assign descriptors to their nearest centres with Gaussian weights.

    Where the kernel of every neighbour would underflow, the weights are those of the limit: all on
    the nearest centre, or shared by centres that are equally near.

    Parameters
    ----------
    descriptors : array-like of shape (n, D)
        Descriptors of any number of images.
    centers : array-like of shape (K, D)
        Visual words.
    n_neighbors : int, default=5
        Number r of centres that a descriptor goes to, clipped to K; 1 is hard assignment.
    sigma : float, default=10.0
        Standard deviation of the kernel, in units of the descriptors.

    Returns
    -------
    indices : ndarray of int of shape (n, r)
        The centres, the nearest first.
    weights : ndarray of shape (n, r)
        Their weights, which sum to 1.

    Examples
    --------
    >>> from skdeepenc.functional import soft_assign
    >>> indices, weights = soft_assign([[0.0], [9.0]], [[0.0], [1.0], [9.0]], 2, sigma=1.0)
    >>> indices
    array([[0, 1],
           [2, 1]])
    >>> weights.round(3)
    array([[0.622, 0.378],
           [1.   , 0.   ]])
    """
    descriptors, centers = as_floats(descriptors), as_floats(centers)
    # |p|^2 is the same for all centres: neither the order nor the weights need it.
    distances = descriptors @ (-2 * centers.T)
    distances += np.einsum("kd,kd->k", centers, centers)
    indices, nearest = _smallest(distances, min(n_neighbors, len(centers)))
    # The smallest distance is taken off first, so that at least one kernel value is 1.
    excess = (nearest - nearest[:, :1]).astype(np.float64)
    with np.errstate(over="ignore"):
        weights = np.exp(-0.5 * (excess / sigma / sigma))
    weights /= weights.sum(axis=1, keepdims=True)
    return indices, weights.astype(descriptors.dtype)


def vlad(descriptors: Floats, centers: Floats, indices: Integers, weights: Floats) -> Floats:
    """Sum the weighted residuals of one image's descriptors, centre by centre.

    Parameters
    ----------
    descriptors : array-like of shape (n, D)
        Descriptors of one image.
    centers : array-like of shape (K, D)
        Visual words.
    indices, weights : array-like of shape (n, r)
        Assignment of each descriptor: see `soft_assign`.

    Returns
    -------
    ndarray of shape (K, D)
        ``v_k = sum_p w_pk (p - c_k)``, without any normalisation.

    Examples
    --------
    >>> from skdeepenc.functional import soft_assign, vlad
    >>> descriptors, centers = [[1.0, 0.0], [2.0, 0.0], [9.0, 0.0]], [[0.0, 0.0], [9.0, 1.0]]
    >>> vlad(descriptors, centers, *soft_assign(descriptors, centers, n_neighbors=1))
    array([[ 3.,  0.],
           [ 0., -1.]])
    """
    descriptors = as_floats(descriptors)
    return vlad_of_segments(descriptors, [0, len(descriptors)], centers, indices, weights)[0]


def vlad_of_segments(
    descriptors: Floats,
    offsets: Integers | list[int],
    centers: Floats,
    indices: Integers,
    weights: Floats,
) -> Floats:
    """Sum the weighted residuals of many images' descriptors.

    Parameters
    ----------
    descriptors : ndarray of shape (total, D)
        Descriptors, image by image.
    offsets : array-like of int of shape (n_images + 1,)
        Where each image's descriptors start: see `skdeepenc.arrays.segments`.
    centers : array-like of shape (K, D)
        Visual words.
    indices, weights : array-like of shape (total, r)
        Assignment of each descriptor: see `soft_assign`.

    Returns
    -------
    ndarray of shape (n_images, K, D)
        What `vlad` gives for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import soft_assign, vlad_of_segments
    >>> descriptors, centers = np.ones((5, 2)), np.zeros((1, 2))
    >>> vlad_of_segments(descriptors, [0, 2, 5], centers, *soft_assign(descriptors, centers))
    array([[[2., 2.]],
           [[3., 3.]]])
    """
    descriptors, centers = as_floats(descriptors), as_floats(centers)
    weights = np.asarray(weights)
    n_images, n_centers, n_neighbors = len(offsets) - 1, len(centers), weights.shape[1]
    images = np.repeat(np.arange(n_images), np.diff(offsets))
    bins = (images[:, None] * n_centers + indices).ravel()  # a word of an image each
    mass = np.bincount(bins, weights.ravel(), minlength=n_images * n_centers)
    # One sparse product sums the weighted descriptors of every bin, and takes off its mass of the
    # word: a column per descriptor, then a column per word. It touches few rows at a time, and
    # needs no second array as large as the result.
    all_bins = np.arange(n_images * n_centers).reshape(n_images, n_centers)
    starts_of_words = len(bins) + n_images * np.arange(n_centers + 1)
    assignment = sparse.csc_array(
        (
            np.concatenate([weights.ravel(), mass.reshape(all_bins.shape).T.ravel()]),
            np.concatenate([bins, all_bins.T.ravel()]),
            np.concatenate([np.arange(0, len(bins), n_neighbors), starts_of_words]),
        ),
        shape=(n_images * n_centers, len(descriptors) + n_centers),
        dtype=np.result_type(descriptors, centers),
    )
    residuals = assignment @ np.concatenate([descriptors, -centers])
    return residuals.reshape(n_images, *centers.shape)


def _smallest(distances, n_smallest):
    """Return indices and values of each row's smallest entries, ascending; spoils the input."""
    if n_smallest > _FEW_NEIGHBORS:
        indices = np.argpartition(distances, n_smallest - 1, axis=1)[:, :n_smallest]
        values = np.take_along_axis(distances, indices, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        return np.take_along_axis(indices, order, axis=1), np.take_along_axis(values, order, axis=1)
    rows = np.arange(len(distances))
    indices = np.empty((len(distances), n_smallest), dtype=np.intp)
    values = np.empty((len(distances), n_smallest), dtype=distances.dtype)
    for rank in range(n_smallest):
        indices[:, rank] = distances.argmin(axis=1)
        values[:, rank] = distances[rows, indices[:, rank]]
        distances[rows, indices[:, rank]] = np.inf
    return indices, values
