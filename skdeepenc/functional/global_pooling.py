"""Every scale of an image pooled into one vector, and those put side by side or averaged.

With the pooled vector m_s of scale s, of unit length if asked for, an image is

    (m_1, m_2, ...)   or   1/|S| sum_{s in S} m_s

over the scales S that have descriptors. The poolings are those of `skdeepenc.functional.pooling`.
"""

from dataclasses import dataclass

import numpy as np

from skdeepenc.arrays.segments import segment_max, segment_mean
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.pooling import crow, segment_gem, spoc
from skdeepenc.functional.regions import rmac

__all__ = ["GlobalPooling", "pool_globally"]


@dataclass(frozen=True)
class GlobalPooling:
    """How images are pooled; there is nothing to learn.

    Attributes
    ----------
    method : {"avg", "max", "gem", "spoc", "crow", "rmac"}
        The pooling of a map.
    p : float
        Exponent of "gem".
    n_levels : int
        Number of region sizes of "rmac".
    normalize : bool
        Whether to L2-normalise the vector of each scale, and the result.
    across_scales : {"concatenate", "mean"}
        How scales become one vector.
    """

    method: str = "avg"
    p: float = 3.0
    n_levels: int = 3
    normalize: bool = True
    across_scales: str = "concatenate"


def pool_globally(column, record):
    """Encode images.

    Parameters
    ----------
    column : Column
        Descriptors of the images at all scales.
    record : GlobalPooling
        How to pool them.

    Returns
    -------
    ndarray of shape (n_images, n_features)
        Zeros for images without descriptors.
    """
    vectors = _pool(column, record)
    if record.normalize:
        vectors = l2_normalize(vectors)
    vectors = vectors.reshape(len(column), column.n_scales, -1)
    if record.across_scales == "concatenate":
        vectors = vectors.reshape(len(column), -1)
    else:
        present = column.grids.all(axis=2).sum(axis=1)
        vectors = vectors.sum(axis=1) / np.maximum(present, 1)[:, None].astype(vectors.dtype)
    return l2_normalize(vectors) if record.normalize else vectors


def _pool(column, record):
    """Return the vector of each map, all at once where its positions have no order."""
    match record.method:
        case "avg":
            return segment_mean(column.values, column.offsets)
        case "max":
            return segment_max(column.values, column.offsets)
        case "gem":
            return segment_gem(column.values, column.offsets, record.p)
    # These do enough work a map for a loop to cost nothing, and its map stays in the cache.
    return np.stack([_pool_one(feature_map, record) for feature_map in column.maps])


def _pool_one(feature_map, record):
    if record.method == "rmac":
        return rmac(feature_map, record.n_levels)
    return {"spoc": spoc, "crow": crow}[record.method](feature_map)
