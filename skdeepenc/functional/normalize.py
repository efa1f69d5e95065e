"""Bring vectors to unit length, and shrink their bursts."""

import numpy as np

from skdeepenc.functional._floats import as_floats

__all__ = ["l2_normalize", "power_normalize"]


def l2_normalize(x, axis=-1):
    """Scale vectors to unit Euclidean length.

    A vector of zeros has no direction and stays zero.

    Parameters
    ----------
    x : array-like
        Vectors along `axis`.
    axis : int, default=-1
        The axis that holds the components of a vector.

    Returns
    -------
    ndarray
        The unit vectors, with the shape of `x`, in its float type (float32 for float16,
        float64 for integers).

    Examples
    --------
    >>> from skdeepenc.functional import l2_normalize
    >>> l2_normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = as_floats(x)
    components = np.moveaxis(x, axis, -1)
    # Squares in float64: those of float32 overflow from 1e19 on, and vanish below 1e-23.
    norms = np.sqrt(np.einsum("...i,...i->...", components, components, dtype=np.float64))
    norms = np.expand_dims(np.where(norms == 0, 1, norms), axis)
    return np.divide(x, norms, out=np.empty_like(x), casting="same_kind")


def power_normalize(x, exponent=0.5):
    """Shrink bursts: keep each sign, raise each magnitude to `exponent`.

    Parameters
    ----------
    x : array-like
        Values of any shape.
    exponent : float, default=0.5
        1 changes nothing, 0.5 is the signed square root, 0 leaves the signs.

    Returns
    -------
    ndarray
        The values, with the shape of `x`, in its float type (float32 for float16, float64 for
        integers).

    Examples
    --------
    >>> from skdeepenc.functional import power_normalize
    >>> power_normalize([4.0, -9.0, 0.0])
    array([ 2., -3.,  0.])
    """
    x = as_floats(x)
    if exponent == 1:
        return x.copy()
    if exponent == 0.5:  # a square root takes a tenth of the time of a power
        return np.copysign(np.sqrt(np.abs(x)), x)
    return np.sign(x) * np.abs(x) ** x.dtype.type(exponent)
