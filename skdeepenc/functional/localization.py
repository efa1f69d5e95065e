"""Approximate maxima over boxes: integral max-pooling.

Tolias, Sicre and Jégou, "Particular object retrieval with integral max-pooling of CNN activations",
ICLR 2016, section 4.1. The maximum of a channel over the box R is nearly

    m_R = (1/|R| sum_{i in R} x_i^a)^(1/a),   a = 10,

which four entries of an integral image of x^10 give, whatever the box.
"""

import numpy as np

__all__ = ["box_maxima", "integral_powers", "literal_maxima"]

_EXPONENT = 10


def literal_maxima(feature_map, box):
    """Return the approximate maxima of one box, in float64, as the equation reads."""
    y0, x0, y1, x1 = box
    powers = feature_map[y0:y1, x0:x1].astype(np.float64) ** _EXPONENT
    return np.mean(powers, axis=(0, 1)) ** (1 / _EXPONENT)


def integral_powers(feature_map, out=None):
    """Return the integral image of the 10th powers, one row and one column larger than the map.

    In float64: a box with small activations is the small difference of large sums, and its 10th
    root shows their rounding (3 % of a channel's maximum, and 20 % in float32). Negative
    activations count as zero. An array of the same size is written again: fresh memory would cost
    as much as the arithmetic.
    """
    height, width, n_channels = feature_map.shape
    if out is None or out.shape != (height + 1, width + 1, n_channels):
        out = np.zeros((height + 1, width + 1, n_channels))
    peak = max(feature_map.max(), np.finfo(feature_map.dtype).tiny)
    fractions = np.maximum(feature_map, 0)
    fractions /= peak
    squares = fractions * fractions
    powers = np.multiply(squares, squares, out=fractions)  # x^4, then x^8, then x^10
    powers *= powers
    powers *= squares
    out[1:, 1:] = powers
    for row in range(2, height + 1):
        out[row] += out[row - 1]
    for column in range(2, width + 1):
        out[:, column] += out[:, column - 1]
    return out


def box_maxima(integral, boxes, dtype):
    """Return the approximate maxima of boxes, but for the factor that all boxes share.

    Parameters
    ----------
    integral : ndarray of shape (H + 1, W + 1, D)
        What `integral_powers` returned.
    boxes : ndarray of int of shape (n_boxes, 4)
        Rows ``y0, x0, y1, x1``, half open.
    dtype : dtype
        Float type of the maxima.

    Returns
    -------
    ndarray of shape (n_boxes, D)
        The maxima, as fractions of the largest activation of the map.
    """
    top, left, bottom, right = boxes.T
    sums = integral[bottom, right]
    sums -= integral[top, right]
    sums -= integral[bottom, left]
    sums += integral[top, left]
    maxima = np.maximum(sums, 0).astype(dtype)
    maxima /= ((bottom - top) * (right - left))[:, None].astype(dtype)
    return np.power(maxima, maxima.dtype.type(1 / _EXPONENT), out=maxima)
