"""The levels of MOP-CNN: how the descriptors of one scale (or of all) become one vector an image.

A level is fitted arrays and a pure function of them. All levels have `n_features`, the width of
their vectors, and ``encode(descriptors, offsets)``, where `offsets` says where each image starts.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from skdeepenc.arrays.segments import segment_max, segment_mean
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles_by_size
from skdeepenc.functional import l2_normalize, power_normalize, soft_assign, vlad_of_segments

__all__ = ["PooledLevel", "VLADLevel", "project", "reduce_vectors"]

# Descriptors that go through all steps together: their distances and residuals stay in the cache.
_TILE_SIZE = 512


@dataclass
class PooledLevel:
    """The average or maximum of an image's descriptors, L2-normalised.

    Of one descriptor an image, as on the global level, that is the descriptor itself.
    """

    n_features: int
    pooling: str

    def encode(self, descriptors, offsets):
        """Return vectors of shape (n_images, D)."""
        pool = segment_max if self.pooling == "max" else segment_mean
        return l2_normalize(pool(descriptors, offsets))


@dataclass
class VLADLevel:
    """Soft VLAD over principal components, and a second PCA of the result."""

    projection: PCA
    codebook: np.ndarray
    n_neighbors: int
    sigma: float
    power: float
    reduction: PCA | None = None

    @property
    def n_features(self):
        """Width of the vectors."""
        return self.codebook.size if self.reduction is None else self.reduction.n_components_

    def encode(self, descriptors, offsets):
        """Return vectors of unit length, or zeros for images without descriptors."""
        vectors = self.aggregate(descriptors, offsets)
        return vectors if self.reduction is None else reduce_vectors(self.reduction, vectors)

    def aggregate(self, descriptors, offsets):
        """Return normalised VLAD vectors of shape (n_images, K * n_components)."""
        dtype = np.result_type(descriptors, self.codebook)
        vectors = np.empty((len(offsets) - 1, self.codebook.size), dtype)

        def fill(images):
            own = offsets[images.start : images.stop + 1]
            residuals = self._residuals(descriptors[own[0] : own[-1]], own - own[0])
            vectors[images] = l2_normalize(power_normalize(residuals, self.power))

        for_each(fill, tiles_by_size(np.diff(offsets), _TILE_SIZE))
        return vectors

    def _residuals(self, descriptors, offsets):
        if len(descriptors) == 0:
            return np.zeros((len(offsets) - 1, self.codebook.size))
        projected = project(self.projection, descriptors)
        indices, weights = soft_assign(projected, self.codebook, self.n_neighbors, self.sigma)
        residuals = vlad_of_segments(projected, offsets, self.codebook, indices, weights)
        return residuals.reshape(len(residuals), -1)


def project(pca, descriptors):
    """Return what `pca.transform` does without whitening, in less time and memory."""
    projected = descriptors @ pca.components_.T
    projected -= pca.mean_ @ pca.components_.T
    return projected


def reduce_vectors(pca, vectors):
    """Project vectors and bring them to unit length again; vectors of zeros stay zero."""
    reduced = l2_normalize(pca.transform(vectors))
    reduced[~vectors.any(axis=1)] = 0  # an image without descriptors, not the mean's opposite
    return reduced
