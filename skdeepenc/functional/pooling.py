"""Turn one map into one vector: the global poolings of the literature.

With the descriptors x_i at the n positions i of a map, channel by channel,

    MAC   max_i x_i                             Azizpour et al., 2015
    SPoC  sum_i exp(-d_i^2 / (2 s^2)) x_i       Babenko and Lempitsky, 2015, section 3
    CroW  b sum_i a_i x_i                       Kalantidis et al., 2016, sections 3.1 and 3.2

with the distance d_i to the centre and a third of the centre's distance to the border, s; and with
a_i, the root of i's L2-normalised sum over channels, and b, the logarithm of the inverse share of
positions at which a channel responds. Each is a few lines of arithmetic on a map ``(H, W, D)`` (or
any array whose last axis holds the channels, for those that ignore places). A map without positions
gives zeros. Activations may be negative, as those of vision transformers are. Generalized means
(GeM) are in `skdeepenc.functional.power_means`.
"""

import numpy as np

from skdeepenc._typing import Floats
from skdeepenc.arrays.floats import as_floats

__all__ = ["center_prior", "crow", "mac", "spoc"]


_SMALL, _LARGE = 1e-15, 1e15


def literal_spoc(feature_map):
    """Sum descriptors with Gaussian weights around the centre, position by position."""
    height, width, n_channels = feature_map.shape
    sigma = min(height, width) / 2 / 3
    total = np.zeros(n_channels)
    for y, x in np.ndindex(height, width):
        distance = (y + 0.5 - height / 2) ** 2 + (x + 0.5 - width / 2) ** 2
        total += np.exp(-distance / (2 * sigma**2)) * feature_map[y, x]
    return total


def literal_crow(feature_map):
    """Weigh places and channels, channel by channel."""
    height, width, n_channels = feature_map.shape
    responses = feature_map.sum(axis=2)
    spatial = np.sqrt(responses / np.sqrt((responses**2).sum()))
    shares = [(feature_map[:, :, k] > 0).sum() / (height * width) for k in range(n_channels)]
    pooled = np.zeros(n_channels)
    for k in range(n_channels):
        if shares[k] > 0:
            pooled[k] = np.log(sum(shares) / shares[k]) * (spatial * feature_map[:, :, k]).sum()
    return pooled


def mac(feature_map: Floats) -> Floats:
    """Take the maximum of every channel: maximum activations of convolutions (MAC).

    Parameters
    ----------
    feature_map : array-like of shape (..., D)
        One map.

    Returns
    -------
    ndarray of shape (D,)
        The maxima; zeros if the map has no positions.

    References
    ----------
    Azizpour et al., "From generic to specific deep representations for visual recognition", CVPRW
    2015; equation 4 of Chen et al., 2017.

    Examples
    --------
    >>> from skdeepenc.functional import mac
    >>> mac([[[1.0, 0.0], [3.0, -2.0]]])
    array([3., 0.])
    """
    descriptors = _flatten(feature_map)
    if not len(descriptors):
        return np.zeros(descriptors.shape[1], dtype=descriptors.dtype)
    return descriptors.max(axis=0)


def spoc(feature_map: Floats) -> Floats:
    """Sum the descriptors, those near the centre of the image weighing most (SPoC).

    Parameters
    ----------
    feature_map : array-like of shape (H, W, D)
        One map.

    Returns
    -------
    ndarray of shape (D,)
        The weighted sums; zeros if the map has no positions.

    See Also
    --------
    skdeepenc.functional.pooling.center_prior : The weights.

    References
    ----------
    Babenko and Lempitsky, "Aggregating deep convolutional features for image retrieval", ICCV
    2015, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import spoc
    >>> spoc(np.ones((3, 3, 1))).round(3)
    array([1.615])
    """
    feature_map = as_floats(feature_map)
    height, width, n_channels = feature_map.shape
    weights = center_prior(height, width).astype(feature_map.dtype)
    return weights.ravel() @ feature_map.reshape(-1, n_channels)


def crow(feature_map: Floats) -> Floats:
    """Sum the descriptors, weighing places by their response and channels by their rarity (CroW).

    Places weigh with the square root of their summed (L2-normalised) response, channels with the
    logarithm of the inverse share of places at which they respond. Negative sums of responses
    weigh zero *(ours)*; the paper's activations are never negative.

    Parameters
    ----------
    feature_map : array-like of shape (..., D)
        One map.

    Returns
    -------
    ndarray of shape (D,)
        The weighted sums; zeros if the map has no positions.

    References
    ----------
    Kalantidis et al., "Cross-dimensional weighting for aggregated deep convolutional features",
    ECCVW 2016, sections 3.1 and 3.2.

    Examples
    --------
    >>> from skdeepenc.functional import crow
    >>> crow([[[4.0, 0.0], [0.0, 0.0], [0.0, 3.0], [0.0, 0.0]]]).round(3)
    array([2.48 , 1.611])
    """
    descriptors = _flatten(feature_map)
    if not len(descriptors):
        return np.zeros(descriptors.shape[1], dtype=descriptors.dtype)
    peak = np.abs(descriptors).max()
    if peak and not _SMALL < peak < _LARGE:  # sums overflow, and squares of sums vanish
        return peak * crow(descriptors / peak)
    return _rarity(descriptors) * (_responses(descriptors) @ descriptors)


def center_prior(height, width):
    """Weigh the positions of a map by a Gaussian around its centre.

    Its deviation is a third of the distance from the centre to the nearest border.

    Parameters
    ----------
    height, width : int
        Size of the map, in positions.

    Returns
    -------
    ndarray of shape (height, width)
        The weights, at most 1.

    Examples
    --------
    >>> from skdeepenc.functional.pooling import center_prior
    >>> center_prior(1, 3).round(3)
    array([[0., 1., 0.]])
    """
    sigma = max(min(height, width), 1) / 6
    rows = (np.arange(height) + 0.5 - height / 2) / sigma
    columns = (np.arange(width) + 0.5 - width / 2) / sigma
    return np.exp(-(rows[:, None] ** 2 + columns**2) / 2)


def _flatten(feature_map):
    feature_map = as_floats(feature_map)
    return feature_map.reshape(-1, feature_map.shape[-1])


def _responses(descriptors):
    """Return the spatial weights of CroW, with the paper's a = b = 2."""
    sums = np.maximum(descriptors.sum(axis=1), 0)
    norm = np.linalg.norm(sums)
    return np.sqrt(sums / norm) if norm > 0 else sums


def _rarity(descriptors):
    """Return the channel weights of CroW: a channel that never responds weighs nothing."""
    shares = np.mean(descriptors > 0, axis=0, dtype=descriptors.dtype)
    rare = shares > 0
    weights = np.zeros_like(shares)
    weights[rare] = np.log(shares.sum() / shares[rare])
    return weights
