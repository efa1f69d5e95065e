"""MOP-CNN: the descriptors of every scale as soft VLAD, normalised, reduced and put side by side.

Section 2 of "Multi-scale Orderless Pooling of Deep Convolutional Activation Features" (Gong et al.,
ECCV 2014). With the VLAD vector v of a level, an image's descriptors x projected to their principal
components and the level's second PCA W,

    u = sign(v) |v|^power,   level = W u / |W u|,   image = (level 1, level 2, ...).

Two variations make it the VLAD of "AnyLoc: Towards Universal Visual Place Recognition" (Keetha et
al., RA-L 2024, section III-C). Descriptors come at unit length before the components, and the words
near a descriptor are those at a small angle,

    x / |x|  in the place of  x,   |p / |p| - c_k / |c_k||  in the place of  |p - c_k|,

while the residuals stay p - c_k, of words that are means, not of unit length. And each word's block
of u comes to unit length, u_k / |u_k| (the intra-normalisation of Arandjelović and Zisserman, "All
about VLAD", CVPR 2013, section 3.1), before the whole does.

A level is fitted arrays, and the functions here are pure functions of them.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from skdeepenc.arrays.segments import segment_max, segment_mean
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles_by_size
from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.pca import project, project_to_unit
from skdeepenc.functional.vlad import literal_vlad, soft_assign, vlad_of_segments

__all__ = ["MOPRecord", "PooledLevel", "VLADLevel", "multiscale_vlad"]

# Descriptors that go through all steps together: their distances and residuals stay in the cache.
_TILE_SIZE = 512


@dataclass(frozen=True)
class PooledLevel:
    """The average or maximum of an image's descriptors, L2-normalised.

    Of one descriptor per image, as on the global level, that is the descriptor itself.
    """

    n_features: int
    pooling: str


@dataclass(frozen=True)
class VLADLevel:
    """Soft VLAD over principal components, and a second PCA of the result."""

    projection: PCA | None
    codebook: np.ndarray
    n_neighbors: int
    sigma: float
    power: float
    reduction: PCA | None = None
    normalize_descriptors: bool = False
    intra_normalize: bool = False

    @property
    def n_features(self):
        """Width of the vectors."""
        return self.codebook.size if self.reduction is None else self.reduction.n_components_


@dataclass(frozen=True)
class MOPRecord:
    """What images are encoded with: levels, whether all scales are one, and a last whitening."""

    levels: tuple[PooledLevel | VLADLevel, ...]
    union: bool
    whitening: PCA | None = None


def literal_level(descriptors, level):
    """Return the vector of one image's descriptors at a VLAD level, as the equations read."""
    components = descriptors
    if level.normalize_descriptors:
        components = np.array([x / np.linalg.norm(x) for x in descriptors])
    if level.projection is not None:
        components = (components - level.projection.mean_) @ level.projection.components_.T
    vector = literal_vlad(
        components, level.codebook, level.n_neighbors, level.sigma, level.normalize_descriptors
    )
    vector = np.sign(vector) * np.abs(vector) ** level.power
    if level.intra_normalize:
        vector = np.array([block / (np.linalg.norm(block) or 1) for block in vector])
    vector = vector.ravel() / np.linalg.norm(vector)
    if level.reduction is None:
        return vector
    reduced = level.reduction.components_ @ (vector - level.reduction.mean_)
    return reduced / np.linalg.norm(reduced)


def multiscale_vlad(column, record):
    """Encode images.

    Parameters
    ----------
    column : Column
        Descriptors of the images, at as many scales as there are levels, unless all are one.
    record : MOPRecord
        What was learned.

    Returns
    -------
    ndarray of shape (n_images, n_features)
        Zeros for images without descriptors.
    """
    vectors = join_levels(column, record)
    if record.whitening is None:
        return vectors
    return project_to_unit(vectors, record.whitening)


def join_levels(column, record):
    """Return the vectors of all levels side by side, before the last whitening."""
    parts = [column]
    if not record.union:
        parts = [column.at_scale(scale) for scale in range(column.n_scales)]
    return np.hstack(
        [encode_level(part, level) for part, level in zip(parts, record.levels, strict=True)]
    )


def encode_level(column, level):
    """Return vectors of unit length (n_images, n_features), or zeros without descriptors."""
    if isinstance(level, PooledLevel):
        pool = segment_max if level.pooling == "max" else segment_mean
        return l2_normalize(pool(column.values, column.image_offsets))
    vectors = normalized_vlad(column, level)
    return vectors if level.reduction is None else project_to_unit(vectors, level.reduction)


def normalized_vlad(column, level):
    """Return VLAD vectors (n_images, K * n_components) before the second PCA."""
    descriptors, offsets = column.values, column.image_offsets
    dtype = np.result_type(descriptors, level.codebook)
    vectors = np.empty((len(column), level.codebook.size), dtype)

    def fill(images):
        own = offsets[images.start : images.stop + 1]
        residuals = _residuals(descriptors[own[0] : own[-1]], own - own[0], level)
        powered = power_normalize(residuals, level.power)
        if level.intra_normalize:
            powered = l2_normalize(powered)
        vectors[images] = l2_normalize(powered.reshape(len(powered), -1))

    for_each(fill, tiles_by_size(column.n_positions, _TILE_SIZE))
    return vectors


def _residuals(descriptors, offsets, level):
    """Return the unnormalised VLAD vectors (n_images, K, n_components) of a tile of images."""
    if len(descriptors) == 0:
        return np.zeros((len(offsets) - 1, *level.codebook.shape))
    components, indices, weights = assigned(descriptors, level)
    return vlad_of_segments(components, offsets, level.codebook, indices, weights)


def assigned(descriptors, level):
    """Return the components of descriptors, and their words with weights."""
    components = components_of(descriptors, level.projection, level.normalize_descriptors)
    seen, words = components, level.codebook
    if level.normalize_descriptors:
        seen, words = l2_normalize(seen), l2_normalize(words)
    return components, *soft_assign(seen, words, level.n_neighbors, level.sigma)


def components_of(descriptors, projection, normalize):
    """Return what words are made of: descriptors at unit length if asked for, then projected."""
    if normalize:
        descriptors = l2_normalize(descriptors)
    return descriptors if projection is None else project(descriptors, projection)
