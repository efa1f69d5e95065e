"""Let one layer's similarity say "alike enough", and leave the rest to lower layers.

Equation 3 of Yu, Yang, Yao, Sun and Xu, "Exploiting the complementary strengths of multi-layer CNN
features for image retrieval", Neurocomputing 2017:

    f(S) = t + (1 - t) ((S - t) / (1 - t))^p   for S > t,   S elsewhere.
"""

from typing import Any

import numpy as np

from skdeepenc.arrays.floats import as_floats

__all__ = ["map_similarity"]


def literal_map(similarity, threshold, power):
    """Map one similarity, as equation 3 reads."""
    if similarity > threshold:
        return threshold + (1 - threshold) * ((similarity - threshold) / (1 - threshold)) ** power
    return similarity


def map_similarity(S: Any, threshold: float, power: float) -> Any:
    """Weaken the differences among similarities above a threshold, by Eq. 3 of layer fusion.

    ``f(S) = t + (1 - t) ((S - t) / (1 - t))^p`` for S > t, else S. The map grows with S, so that
    the order of one layer alone never changes; it matters in sums over layers.

    Parameters
    ----------
    S : array-like
        Similarities of any shape, at most 1.
    threshold : float
        The t of the equation, at most 1. With 1 the similarities stay as they are.
    power : float
        The p of the equation, from 0 to 1. With 1 the similarities stay as they are; with 0 all
        above the threshold become 1, so that lower layers alone re-rank them.

    Returns
    -------
    ndarray
        Mapped similarities, with the shape of `S`, in its float type (float32 for float16, float64
        for integers).

    Raises
    ------
    ValueError
        If the threshold is above 1 or the power not between 0 and 1.

    References
    ----------
    W. Yu, K. Yang, H. Yao, X. Sun, P. Xu, "Exploiting the complementary strengths of multi-layer
    CNN features for image retrieval", Neurocomputing 2017, section 3.1.

    Examples
    --------
    >>> from skdeepenc.functional import map_similarity
    >>> map_similarity([0.1, 0.2, 0.4, 1.0], threshold=0.2, power=0.5)
    array([0.1, 0.2, 0.6, 1. ])
    """
    if not (threshold <= 1 and 0 <= power <= 1):
        raise ValueError(
            f"threshold must be at most 1 and power between 0 and 1, got {threshold} and {power}."
        )
    S = as_floats(S)
    if threshold == 1 or power == 1:
        return S.copy()
    above = np.greater(S, threshold)
    if power == 0:
        return np.where(above, S.dtype.type(1), S)
    # The paper's form with its constant drawn out: t + (1 - t)^(1 - p) (S - t)^p.
    mapped = np.subtract(S, S.dtype.type(threshold), out=np.empty_like(S))
    np.maximum(mapped, 0, out=mapped)
    np.power(mapped, S.dtype.type(power), out=mapped)
    mapped *= S.dtype.type((1 - threshold) ** (1 - power))
    mapped += S.dtype.type(threshold)
    np.copyto(mapped, S, where=~above)
    return mapped
