"""What may stand in the brackets behind maps, and what names their scales."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from skdeepenc._typing import Integers
from skdeepenc.exceptions import FeatureMapsError

__all__ = ["image_index", "scale_indices"]


def image_index(key: Any) -> tuple[Any, bool]:
    """Return what a key asks for, as something that an array takes.

    Parameters
    ----------
    key : int, slice, array-like or tuple
        What stood in the brackets. scikit-learn asks for ``maps[images, ...]``.

    Returns
    -------
    index : slice, list or ndarray
        The images, for an array of one number per image.
    is_one : bool
        Whether the key is a single number.
    """
    if isinstance(key, tuple):
        key = key[0] if len(key) == 2 and key[1] is Ellipsis else list(key)
    if isinstance(key, slice):
        return key, False
    try:
        return [operator.index(key)], True
    except TypeError:
        key = np.asarray(key)
        return (key if key.size else key.astype(np.intp)), False


def scale_indices(scales: Sequence[int] | None, n_scales: int) -> Integers:
    """Return the indices of the scales asked for.

    Parameters
    ----------
    scales : sequence of int or None
        Indices, None for all; negative ones count from the end.
    n_scales : int
        Number of scales that there are.

    Returns
    -------
    ndarray of int
        The indices.

    Raises
    ------
    FeatureMapsError
        If there is no such scale.
    """
    if scales is None:
        return np.arange(n_scales)
    indices = np.asarray(scales, dtype=np.intp)
    if np.any((indices < -n_scales) | (indices >= n_scales)):
        raise FeatureMapsError(
            f"scales={list(scales)} asks for scales that do not exist: the maps have "
            f"{n_scales} (0 to {n_scales - 1})."
        )
    return indices
