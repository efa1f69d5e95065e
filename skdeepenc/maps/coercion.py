"""What encoders accept, and how it becomes feature maps.

==================================================  =============================================
2-D array (n, D)                                    one descriptor per image
3-D array (n, positions, D)                         images as columns of descriptors
4-D array (n, H, W, D)                              images as maps
sequence of arrays (m, D) or (H, W, D)              images of different sizes
sequence of lists of those                          images at several scales, one array per scale
object array of the same                            as the sequence
==================================================  =============================================

A 2-D array is also what every other estimator of scikit-learn takes: encoders hand it to
scikit-learn's own validation first.
"""

from numbers import Number
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skdeepenc.maps._packing import is_sequence
from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["MapsLike", "as_feature_maps", "is_table"]

#: What encoders accept.
MapsLike: TypeAlias = FeatureMaps | ArrayLike


def as_feature_maps(X: MapsLike) -> FeatureMaps:
    """Return `X` as feature maps.

    Parameters
    ----------
    X : FeatureMaps, array-like or sequence
        Feature maps, which pass as they are, or what `FeatureMaps.from_arrays` takes.

    Returns
    -------
    FeatureMaps
        The maps; those of arrays have one layer, "features".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.maps import as_feature_maps
    >>> as_feature_maps(np.ones((10, 7, 7, 512), dtype="float32"))
    FeatureMaps(10 images, 1 scale, features: 490 x 512 float32)
    """
    return X if isinstance(X, FeatureMaps) else FeatureMaps.from_arrays(X)


def is_table(X: Any) -> bool:
    """Tell whether `X` is what other estimators of scikit-learn take: a row for each sample.

    Whatever is neither a table nor a sequence of maps counts as a table too, so that
    scikit-learn's own validation words the error.
    """
    if isinstance(X, FeatureMaps):
        return False
    if sparse.issparse(X) or hasattr(X, "columns") or isinstance(X, str | bytes | dict):
        return True
    if hasattr(X, "__array__"):
        X = np.asarray(X)
        if X.dtype != object:
            return X.ndim < 3
    elif not hasattr(X, "__getitem__"):
        return True
    return all(_is_row(image) for image in X[:1]) if len(X) else True


def _is_row(image: Any) -> bool:
    """Tell whether an image of a sequence is one row of numbers."""
    if is_sequence(image):
        return len(image) > 0 and (isinstance(image[0], Number) or not _is_array_like(image[0]))
    return np.ndim(image) < 2


def _is_array_like(item: Any) -> bool:
    return isinstance(item, list | tuple) or hasattr(item, "__array__")
