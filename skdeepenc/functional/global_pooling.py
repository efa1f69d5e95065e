"""Every scale of an image pooled into one vector, and those put side by side or averaged.

With the pooled vector m_s of scale s, of unit length if asked for, an image is

    (m_1, m_2, ...)   or   1/|S| sum_{s in S} m_s

over the scales S that have descriptors. Of several poolings these vectors lie side by side. The
poolings are those of `skdeepenc.functional.pooling` and `power_means`; that of the class token is
the token itself.
"""

from dataclasses import dataclass

import numpy as np

from skdeepenc.arrays.segments import segment_max, segment_mean
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.pooling import crow, spoc
from skdeepenc.functional.power_means import segment_gem, segment_lp
from skdeepenc.functional.regions import rmac

__all__ = ["GlobalPooling", "pool_globally"]


@dataclass(frozen=True)
class GlobalPooling:
    """How images are pooled; there is nothing to learn.

    Attributes
    ----------
    methods : tuple of {"cls", "avg", "max", "gem", "lp", "spoc", "crow", "rmac"}
        The poolings of a map.
    p : float
        Exponent of "gem" and "lp".
    n_levels : int
        Number of region sizes of "rmac".
    normalize : bool
        Whether to L2-normalise the vector of each scale, and the result of each method.
    across_scales : {"concatenate", "mean"}
        How scales become one vector.
    """

    methods: tuple[str, ...] = ("avg",)
    p: float = 3.0
    n_levels: int = 3
    normalize: bool = True
    across_scales: str = "concatenate"


def literal_global_pooling(by_scale, record, pool):
    """Return the vector of one image, given `pool(scale, method)`, by scales that have descriptors.

    Where scales lie side by side, the image has all of them.
    """
    blocks = []
    for method in record.methods:
        vectors = [pool(scale, method) for scale in by_scale]
        if record.normalize:
            vectors = [vector / np.linalg.norm(vector) for vector in vectors]
        concatenate = record.across_scales == "concatenate"
        block = np.concatenate(vectors) if concatenate else np.mean(vectors, axis=0)
        blocks.append(block / np.linalg.norm(block) if record.normalize else block)
    return np.concatenate(blocks)


def pool_globally(column, record, class_tokens=None):
    """Encode images.

    Parameters
    ----------
    column : Column or None
        Descriptors of the images at all scales; not looked at by the method "cls".
    record : GlobalPooling
        How to pool them.
    class_tokens : Column or None, default=None
        The class token of the images at all scales, for the method "cls".

    Returns
    -------
    ndarray of shape (n_images, n_features)
        Zeros for images without descriptors.
    """
    blocks = [
        _pool_scales(class_tokens if method == "cls" else column, method, record)
        for method in record.methods
    ]
    return blocks[0] if len(blocks) == 1 else np.hstack(blocks)


def _pool_scales(column, method, record):
    """Return the vectors of one method."""
    vectors = _pool(column, method, record)
    if record.normalize:
        vectors = l2_normalize(vectors)
    vectors = vectors.reshape(len(column), column.n_scales, -1)
    if record.across_scales == "concatenate":
        vectors = vectors.reshape(len(column), -1)
    else:
        present = column.grids.all(axis=2).sum(axis=1)
        vectors = vectors.sum(axis=1) / np.maximum(present, 1)[:, None].astype(vectors.dtype)
    return l2_normalize(vectors) if record.normalize else vectors


def _pool(column, method, record):
    """Return the vector of each map, all at once where its positions have no order."""
    match method:
        case "avg" | "cls":  # the mean of one token is the token
            return segment_mean(column.values, column.offsets)
        case "max":
            return segment_max(column.values, column.offsets)
        case "gem":
            return segment_gem(column.values, column.offsets, record.p)
        case "lp":
            return segment_lp(column.values, column.offsets, record.p)
    # These do enough work a map for a loop to cost nothing, and its map stays in the cache.
    return np.stack([_pool_one(feature_map, method, record) for feature_map in column.maps])


def _pool_one(feature_map, method, record):
    if method == "rmac":
        return rmac(feature_map, record.n_levels)
    return {"spoc": spoc, "crow": crow}[method](feature_map)
