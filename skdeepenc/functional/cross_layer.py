"""Cross-layer pooling: the activations of one layer say where to pool the features of another.

Equation 2 of Liu, Shen and van den Hengel, "Cross-Convolutional-Layer Pooling for Image
Recognition", TPAMI 2017. With features x_i and guidance a_i at the positions i of an image,

    P_k = sum_i a_ik x_i   (or the maximum over i),   image = (.., sign(p) |p|^power, ..),
    p = P_k / |P_k|.

Each channel of the guidance acts as the detector of a part: the features are summed over the image
with the channel's activations as weights, so that an image becomes one vector for each part. Each
is of length 1 or more and the image of the root of K or more: where other vectors stand beside it,
it is brought to unit length.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from skdeepenc._typing import Floats, Integers
from skdeepenc.arrays.floats import as_floats
from skdeepenc.arrays.segments import equal_runs
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.grid_matching import match_grids
from skdeepenc.functional.guidance import Filters, responses
from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.pca import project
from skdeepenc.functional.spatial_pyramid import WHOLE, cells_of_images

__all__ = ["CrossLayerRecord", "cross_layer", "cross_layer_vectors", "segment_cross_layer"]

# Products of features and guidance of this size stay in the processor's cache.
_TILE_BYTES = 1 << 20


def literal_cross_layer(features, guidance, pooling):
    """Pool channel by channel and position by position, as Equation 2 reads."""
    reduce = np.sum if pooling == "sum" else np.max
    positions = list(np.ndindex(features.shape[:-1]))
    pooled = np.zeros((guidance.shape[-1], features.shape[-1]))
    for k in range(guidance.shape[-1]):
        if positions:
            pooled[k] = reduce([guidance[i][k] * features[i] for i in positions], axis=0)
    return pooled


@dataclass(frozen=True)
class CrossLayerRecord:
    """What images are encoded with.

    Attributes
    ----------
    projection : PCA or None
        Reduces the features.
    filters : Filters or None
        Learned guidance, instead of the layer's own channels.
    uniform : bool
        Whether every position weighs one.
    pooling : {"sum", "max"}
        How positions are pooled.
    power : float
        Exponent of the power normalisation.
    quantize : {"sign"} or None
        Whether signs take the place of normalised values.
    levels : tuple of (int, int)
        Rows and columns of the levels of a spatial pyramid.
    normalize : bool
        Whether to L2-normalise the whole vector.
    """

    projection: PCA | None = None
    filters: Filters | None = None
    uniform: bool = False
    pooling: str = "sum"
    power: float = 0.5
    quantize: str | None = None
    levels: tuple[tuple[int, int], ...] = WHOLE
    normalize: bool = False


def cross_layer_vectors(features, guidance, record):
    """Encode images.

    Parameters
    ----------
    features : Column
        Features of the images.
    guidance : Column
        What guides their pooling, on the same grids; not looked at where guidance is uniform.
    record : CrossLayerRecord
        What was learned.

    Returns
    -------
    ndarray of shape (n_images, n_cells * K * D)
        Normalised vectors, or signs; zeros for images without descriptors.
    """
    values, weights = guided(features, guidance, record)
    pooled = [
        segment_cross_layer(values[order], weights[order], bounds, record.pooling)
        for order, bounds in cells_of_images(features.grids, record.levels)
    ]
    pooled = [level.reshape(len(features), -1, values.shape[1]) for level in pooled]
    vectors = pooled[0] if len(pooled) == 1 else np.concatenate(pooled, axis=1)
    vectors = np.sign(vectors) if record.quantize == "sign" else _normalized(vectors, record.power)
    vectors = vectors.reshape(len(features), -1)
    return l2_normalize(vectors) if record.normalize else vectors


def _normalized(vectors, power):
    return power_normalize(l2_normalize(vectors), power)


def guided(features, guidance, record):
    """Return the features that are pooled, and the weight of each position under each channel."""
    values = features.values
    if record.projection is not None:
        values = project(values, record.projection, features.image_offsets)
    if record.uniform:
        return values, np.ones((len(values), 1), values.dtype)
    filters = record.filters
    return values, guidance.values if filters is None else responses(guidance, filters)


def cross_layer(features: Floats, guidance: Floats, pooling: str = "sum") -> Floats:
    """Pool the features of one image under every channel of its guidance.

    ``P[k] = sum_i guidance[i, k] * features[i]`` over the positions i. Guidance is used as it is:
    negative activations, which no layer after ReLU has, count as negative weights.

    Parameters
    ----------
    features : array-like of shape (H, W, D) or (n_positions, D)
        Local features.
    guidance : array-like of shape (H', W', K) or (n_positions, K)
        Guidance at the same positions. Two maps on different grids are matched first, see
        `match_grids`.
    pooling : {"sum", "max"}, default="sum"
        Whether to sum the weighted features over positions, or to take the maximum of each value.

    Returns
    -------
    ndarray of shape (K, D)
        One pooled feature for each guidance channel; zeros where there is no position.

    Raises
    ------
    FeatureMapsError
        If positions do not correspond.

    Notes
    -----
    Equation 2 of Liu, Shen and van den Hengel, "Cross-Convolutional-Layer Pooling for Image
    Recognition"; maximum pooling is in its Section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import cross_layer
    >>> features = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    >>> guidance = np.array([[1.0], [0.0], [3.0]])
    >>> cross_layer(features, guidance)
    array([[4., 3.]])
    >>> cross_layer(features, guidance, pooling="max")
    array([[3., 3.]])
    """
    features, guidance = as_floats(features), as_floats(guidance)
    if features.ndim == guidance.ndim == 3:
        features, guidance = match_grids(features, guidance)
    if features.shape[:-1] != guidance.shape[:-1] or features.ndim not in (2, 3):
        raise FeatureMapsError(
            f"Features of shape {features.shape} and guidance of shape {guidance.shape} have no "
            "positions in common: give two maps (H, W, channels), or as many rows of each."
        )
    features = features.reshape(-1, features.shape[-1])
    guidance = guidance.reshape(-1, guidance.shape[-1])
    return segment_cross_layer(features, guidance, [0, len(features)], pooling)[0]


def segment_cross_layer(
    features: Floats, guidance: Floats, offsets: Integers | list[int], pooling: str = "sum"
) -> Floats:
    """Pool the features of many images, or cells of images, at once.

    Parameters
    ----------
    features : ndarray of shape (total, D)
        Features of all images, one image after the other, float32 or float64.
    guidance : ndarray of shape (total, K)
        Guidance at the same positions.
    offsets : array-like of shape (n_images + 1,)
        Where the positions of each image start, and where the last one's end.
    pooling : {"sum", "max"}, default="sum"
        See `cross_layer`.

    Returns
    -------
    ndarray of shape (n_images, K, D)
        What `cross_layer` returns for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import segment_cross_layer
    >>> features, guidance = np.array([[1.0], [2.0], [5.0]]), np.array([[1.0], [1.0], [2.0]])
    >>> segment_cross_layer(features, guidance, [0, 2, 3])
    array([[[ 3.]],
           [[10.]]])
    """
    offsets = np.asarray(offsets)
    shape = (len(offsets) - 1, guidance.shape[1], features.shape[1])
    pooled = np.empty(shape, np.result_type(features, guidance))
    pool = {"sum": _sum_products, "max": _max_products}[pooling]
    for first, last in equal_runs(np.diff(offsets)):
        rows = slice(offsets[first], offsets[last])
        pool(
            features[rows].reshape(last - first, -1, features.shape[1]),
            guidance[rows].reshape(last - first, -1, guidance.shape[1]),
            out=pooled[first:last],
        )
    return pooled


def _sum_products(features, guidance, out):
    np.matmul(guidance.transpose(0, 2, 1), features, out=out)


def _max_products(features, guidance, out):
    _, n_positions, n_channels = guidance.shape
    if n_positions == 0:
        out[:] = 0
        return
    bytes_per_channel = n_positions * features.shape[2] * out.itemsize
    step = max(1, _TILE_BYTES // bytes_per_channel)
    for image in range(len(out)):
        for first in range(0, n_channels, step):
            channels = slice(first, first + step)
            weighted = guidance[image, :, channels, None] * features[image, :, None, :]
            np.maximum.reduce(weighted, axis=0, out=out[image, channels])
