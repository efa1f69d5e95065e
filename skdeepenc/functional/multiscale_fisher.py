"""Multi-scale pyramid pooling: one Fisher vector per scale, each of unit length, then their mean.

Equation 1 of "Fisher Kernel for Deep Neural Activations" (Yoo, Park, Lee and Kweon, 2014), with the
Fisher vector G^s of scale s and the set S of scales that have descriptors:

    G = 1/|S| sum_{s in S} G^s / |G^s|,   image = sign(G) |G|^power, scaled to unit length.

The descriptors of fine scales are many and say little, so one Fisher vector over all scales ("nfk")
drowns the few that say much. Side by side ("csf") scales are as many vectors.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.decomposition import PCA

from skdeepenc.arrays.threads import for_each
from skdeepenc.functional.fisher import fisher_gradients, fisher_sums, fisher_terms
from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.pca import project
from skdeepenc.functional.spatial_pyramid import WHOLE, count_cells, pyramid_pieces

__all__ = ["FisherRecord", "literal_pooling", "multiscale_fisher"]


def literal_pooling(by_scale, pooling="mpp", power=0.5):
    """Return the vector of one image, given the Fisher vectors of the scales that it has.

    For "nfk" that is the one Fisher vector of all scales' descriptors.
    """
    unit = [vector / np.linalg.norm(vector) for vector in by_scale]
    pooled = np.concatenate(unit) if pooling == "csf" else np.mean(unit, axis=0)
    powered = np.sign(pooled) * np.abs(pooled) ** power
    return powered / np.linalg.norm(powered)


@dataclass(frozen=True)
class FisherRecord:
    """What images are encoded with.

    Attributes
    ----------
    projection : PCA
        Reduces descriptors.
    means, covariances : ndarray of shape (K, D)
        Centres and variances of the Gaussians.
    weights : ndarray of shape (K,)
        Their prior probabilities.
    pooling : {"mpp", "nfk", "csf"}
        How scales become one vector.
    power : float
        Exponent of the power normalisation.
    levels : tuple of (int, int)
        Rows and columns of the levels of a spatial pyramid.
    """

    projection: PCA
    means: np.ndarray
    covariances: np.ndarray
    weights: np.ndarray
    pooling: str = "mpp"
    power: float = 0.5
    levels: tuple[tuple[int, int], ...] = WHOLE

    @property
    def n_cells(self):
        """Cells of the spatial pyramid, each of which has a vector."""
        return count_cells(self.levels)

    def terms(self, dtype):
        """Return the mixture as `fisher_sums` needs it."""
        return fisher_terms(self.means, self.covariances, self.weights, dtype)

    def n_parts(self, n_scales):
        """Return how many vectors lie side by side for each cell: one, or one per scale."""
        return n_scales if self.pooling == "csf" else 1

    def n_features(self, n_scales):
        """Return the width of the vectors."""
        return self.n_cells * self.n_parts(n_scales) * 2 * self.means.size


def multiscale_fisher(column, record):
    """Encode images.

    Parameters
    ----------
    column : Column
        Descriptors of the images at all scales.
    record : FisherRecord
        What was learned.

    Returns
    -------
    ndarray of shape (n_images, n_features)
        Vectors of unit length, zeros for images without descriptors.
    """
    values, offsets = column.values, column.offsets
    terms = record.terms(values.dtype)
    vectors = np.zeros((len(column), record.n_features(column.n_scales)), dtype=values.dtype)

    def encode_image(image):
        ends = offsets[image * column.n_scales :][: column.n_scales + 1]
        # Image by image: a product over a whole batch would round by the size of the batch, and
        # the square root of the power normalisation magnifies what is left of zeros.
        descriptors = project(values[ends[0] : ends[-1]], record.projection)
        by_scale = np.split(descriptors, ends[1:-1] - ends[0])
        scales = [
            _sum_cells(scale, grid, record.levels, terms)
            for scale, grid in zip(by_scale, column.grids[image], strict=True)
        ]
        _pool_scales(scales, terms, record, vectors[image].reshape(record.n_cells, -1))

    for_each(encode_image, range(len(column)))
    return vectors


def _sum_cells(descriptors, grid, levels, terms):
    """Return the sums (n_cells, K, 2 D + 1) over a map's cells, and how many they are of."""
    order, offsets, membership = pyramid_pieces(*grid, levels)
    n_gaussians, n_channels = terms.means.shape
    sums = np.zeros((len(offsets) - 1, n_gaussians, 2 * n_channels + 1), dtype=descriptors.dtype)
    for piece, (start, stop) in enumerate(pairwise(offsets)):
        sums[piece] = fisher_sums(descriptors[order[start:stop]], terms)
    return np.tensordot(membership.astype(sums.dtype), sums, 1), membership @ np.diff(offsets)


def _pool_scales(scales, terms, record, cells):
    """Write an image's cells (n_cells, n_parts * 2 K D), given the sums of each scale."""
    if record.pooling == "nfk":
        scales = [[np.sum(parts, axis=0) for parts in zip(*scales, strict=True)]]
    unit = [
        l2_normalize(fisher_gradients(sums, counts, terms).reshape(len(cells), -1))
        for sums, counts in scales
    ]
    # The mean over scales is a sum: the last normalisation takes away what it would divide by.
    pooled = np.concatenate(unit, axis=1) if record.pooling == "csf" else np.sum(unit, axis=0)
    cells[:] = l2_normalize(power_normalize(pooled, record.power))
    n_occupied = np.count_nonzero(cells.any(axis=1))
    cells /= np.sqrt(max(int(n_occupied), 1))
