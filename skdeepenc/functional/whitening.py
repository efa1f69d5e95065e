"""Whitening of vectors: by what differs within a class, or by a power of the variances.

Learned whitening looks at vectors x_i of classes y_i, with the means m of all and m_y of a class:

    S_W = 1/(n - c) sum_i (x_i - m_{y_i}) (x_i - m_{y_i})^T   within classes
    S_T = 1/(n - 1) sum_i (x_i - m) (x_i - m)^T               in all
    P = E^T S_W^(-1/2),   y = P (x - m)

with the eigenvectors E of S_W^(-1/2) S_T S_W^(-1/2), those of the largest eigenvalues first: what
images of one class differ in becomes white, and what tells classes apart comes first. It is
equation 8 and what follows of Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no
human annotation" (TPAMI 2019, section 3.4), after Mikolajczyk and Matas, "Improving descriptors for
fast tree matching by optimal linear projection" (ICCV 2007). They sum over pairs of matching
images, which for classes of one size is the same.

With too few images S_W has no inverse, or a poor one. Then (1 - s) S_W + s tr(S_W) / d I takes its
place, with the s of Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
matrices" (2004).

Power-law whitening needs no classes. With the eigenvalues l_k and eigenvectors w_k of S_T,

    y_k = l_k^(-t/2) w_k . (x - m),

which is PCA for t = 0 and whitening for t = 1; Mukundan et al., "Understanding and improving kernel
local descriptors" (IJCV 2019), call what lies between attenuated.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from sklearn.covariance import ledoit_wolf_shrinkage

from skdeepenc.exceptions import DegenerateDataError
from skdeepenc.functional.pca import fit_pca, fix_signs

__all__ = ["Whitening", "fit_learned_whitening", "fit_power_whitening", "whiten"]

# With fewer vectors per dimension, not counting one for each class, the inverse is mostly noise.
_FEWEST_PER_DIMENSION = 2
# Directions that vary by less than this part of the most within classes do not vary in float64.
_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class Whitening:
    """What vectors are whitened with.

    Attributes
    ----------
    mean : ndarray of shape (D,)
        What is subtracted first.
    components : ndarray of shape (n_components, D)
        The rows of P.
    """

    mean: np.ndarray
    components: np.ndarray


def literal_learned_whitening(vectors, labels):
    """Return P as the equations read; S_W must have an inverse."""
    mean, dimensions = vectors.mean(axis=0), vectors.shape[1]
    within, total = np.zeros((2, dimensions, dimensions))
    for vector, label in zip(vectors, labels, strict=True):
        of_class = vectors[labels == label].mean(axis=0)
        within += np.outer(vector - of_class, vector - of_class)
        total += np.outer(vector - mean, vector - mean)
    within /= len(vectors) - len(set(labels))
    total /= len(vectors) - 1
    values, directions = np.linalg.eigh(within)
    root = directions @ np.diag(values**-0.5) @ directions.T
    _, eigenvectors = np.linalg.eigh(root @ total @ root)
    return eigenvectors.T[::-1] @ root


def literal_power_whitening(vectors, power):
    """Return the rows l_k^(-t/2) w_k as the equation reads."""
    values, directions = np.linalg.eigh(np.cov(vectors.T))
    return (directions @ np.diag(values ** (-power / 2))).T[::-1]


def whiten(vectors, record):
    """Whiten vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n, D)
        The vectors, float32 or float64.
    record : Whitening
        What was learned.

    Returns
    -------
    ndarray of shape (n, n_components)
        ``P (x - m)`` of each, in the float type of `vectors`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.whitening import fit_power_whitening, whiten
    >>> vectors = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 2.0], [8.0, 2.0]])
    >>> whiten(vectors, fit_power_whitening(vectors, power=1)).std(axis=0, ddof=1)
    array([1., 1.])
    """
    components = record.components.T.astype(vectors.dtype, copy=False)
    return vectors @ components - record.mean.astype(vectors.dtype, copy=False) @ components


def fit_power_whitening(vectors, n_components=None, *, power=0.5):
    """Learn power-law whitening.

    Parameters
    ----------
    vectors : ndarray of shape (n, D)
        The vectors, float32 or float64.
    n_components : int or None, default=None
        Components to keep, clipped to what n and D allow; None for all.
    power : float, default=0.5
        The exponent t.

    Returns
    -------
    Whitening
        Components without variance are zero.
    """
    pca = fit_pca(vectors, n_components)
    varying = pca.explained_variance_ > 0
    scales = np.where(varying, pca.explained_variance_, 1) ** (-power / 2)
    return Whitening(pca.mean_, (scales * varying)[:, None].astype(vectors.dtype) * pca.components_)


def fit_learned_whitening(vectors, labels, n_components=None, *, shrinkage="auto"):
    """Learn whitening from classes.

    Parameters
    ----------
    vectors : ndarray of shape (n, D)
        The vectors, float32 or float64.
    labels : ndarray of int of shape (n,)
        The class of each, 0 to c - 1.
    n_components : int or None, default=None
        Components to keep, clipped to the directions in which vectors vary; None for all.
    shrinkage : float or "auto", default="auto"
        The share s; "auto" shrinks where it must.

    Returns
    -------
    whitening : Whitening
        What was learned, in the float type of `vectors`.
    shrinkage : float
        The share that was used.

    Raises
    ------
    DegenerateDataError
        If vectors of one class do not differ, or not in as many directions as the inverse needs.
    """
    space = fit_pca(vectors.astype(np.float64, copy=False))
    axes = space.components_[space.explained_variance_ > 0]
    coordinates = (vectors - space.mean_) @ axes.T
    within, shrinkage = _within_scatter(coordinates, labels, shrinkage)
    total = coordinates.T @ coordinates / (len(coordinates) - 1)
    n_components = min(n_components or len(axes), len(axes))
    wanted = [len(axes) - n_components, len(axes) - 1]
    _, directions = eigh(total, within, subset_by_index=wanted)
    components = fix_signs(directions.T[::-1] @ axes)
    return Whitening(*(x.astype(vectors.dtype) for x in (space.mean_, components))), shrinkage


def _within_scatter(coordinates, labels, shrinkage):
    """Return S_W, shrunk if asked for or needed, and by how much it is."""
    n_classes = labels.max() + 1
    degrees = len(labels) - n_classes
    residuals = coordinates - _class_means(coordinates, labels, n_classes)[labels]
    scatter = residuals.T @ residuals / max(degrees, 1)
    if not np.trace(scatter) > 0 or degrees < 1:
        raise DegenerateDataError(
            "No two vectors of one class differ, so there is nothing to learn from: give classes "
            f"of two and more images ({len(labels)} vectors are of {n_classes} classes)."
        )
    if shrinkage == "auto":
        enough = degrees >= _FEWEST_PER_DIMENSION * len(scatter) and _has_inverse(scatter)
        shrinkage = 0.0 if enough else ledoit_wolf_shrinkage(residuals, assume_centered=True)
    even = np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    scatter = (1 - shrinkage) * scatter + shrinkage * even
    if not _has_inverse(scatter):
        raise DegenerateDataError(
            f"The {len(labels)} vectors of {n_classes} classes do not differ within classes in all "
            f'{len(scatter)} directions in which they vary: give more, or shrinkage="auto".'
        )
    return scatter, float(shrinkage)


def _class_means(vectors, labels, n_classes):
    sums = np.zeros((n_classes, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return sums / np.bincount(labels, minlength=n_classes)[:, None]


def _has_inverse(scatter):
    values = np.linalg.eigvalsh(scatter)
    return values[0] > _NO_VARIANCE * values[-1]
