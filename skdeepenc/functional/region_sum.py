"""Sums over regions: maxima of clusters, of a grid of squares or of the whole map, whitened.

Chen et al., "Aggregated deep feature from activation clusters for particular object retrieval",
2017, section 3; with the squares, R-MAC of Tolias et al., ICLR 2016. With the channel-wise maxima
m_r of the regions r of all scales and a PCA whitening W,

    v_r = W u_r / |W u_r|,   u_r = m_r / |m_r|,   image = sum_r v_r, scaled to unit length.

Regions are one of three records. Each has ``maxima(column, colors)``, the maxima (n_regions, D) of
every image and scale, one after the other; ``rows(column, colors)``, the positions of each of those
regions; `most_regions`, how many a map has at most, or usually; and ``bytes_per_image(grids)``, the
memory that finding them takes.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from skdeepenc.arrays.segments import offsets_of, segment_sum
from skdeepenc.functional.ncut import normalized_cut
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.pca import project, project_to_unit
from skdeepenc.functional.regions import (
    cluster_maxima,
    region_maxima,
    rmac_regions,
    rows_of_regions,
)

__all__ = ["ClusterRegions", "GridRegions", "RegionSum", "WholeRegion", "sum_over_regions"]

# Positions that a cluster of a map should have in the mean, at least.
FEWEST_IN_CLUSTER = 3


def literal_region_sum(maxima, whitening):
    """Return the vector of one image's regional maxima, region by region."""
    total = np.zeros(len(whitening.components_))
    for maximum in maxima:
        unit = maximum / np.linalg.norm(maximum)
        whitened = whitening.components_ @ (unit - whitening.mean_)
        whitened = whitened / np.sqrt(whitening.explained_variance_)
        total += whitened / np.linalg.norm(whitened)
    return total / np.linalg.norm(total)


@dataclass(frozen=True)
class WholeRegion:
    """One region, the map: MAC."""

    most_regions = 1

    def maxima(self, column, colors=None):
        """Return the maxima of every map; one without positions has no region."""
        by_map = _by_map(column)
        return [rows.max(axis=0, keepdims=True) if len(rows) else rows for rows in by_map]

    def rows(self, column, colors=None):
        """Return the positions of every map that has any."""
        return [rows for rows in _rows_by_map(column) if len(rows)]

    def bytes_per_image(self, grids):
        """Return nothing that needs saying."""


@dataclass(frozen=True)
class GridRegions:
    """The squares of R-MAC, at three sizes."""

    most_regions = 20

    def maxima(self, column, colors=None):
        """Return the maxima of every map's squares."""
        return [region_maxima(each, rmac_regions(*each.shape[:2])) for each in column.maps]

    def rows(self, column, colors=None):
        """Return the positions of every square."""
        maps = zip(_rows_by_map(column), column.grids.reshape(-1, 2), strict=True)
        return [
            own[rows]
            for own, (height, width) in maps
            for rows in rows_of_regions(rmac_regions(height, width), width)
        ]

    def bytes_per_image(self, grids):
        """Return nothing that needs saying."""


@dataclass(frozen=True)
class ClusterRegions:
    """Clusters of positions by Normalized Cut: of what they respond to, and of their colours.

    A map is cut into no more clusters than a third of its positions: those of one position are the
    descriptors themselves, whatever the map shows.

    Attributes
    ----------
    projection : PCA or None
        Gives the components that descriptors are clustered by; None without such clusters.
    n_clusters : tuple of int
        Number of clusters of each partition by activations.
    n_color_clusters : int
        Number of clusters by colour, 0 for none.
    affinity, affinity_scale, eigen_solver, seed
        As `normalized_cut` takes them.
    """

    projection: PCA | None
    n_clusters: tuple[int, ...]
    n_color_clusters: int = 0
    affinity: str = "gaussian"
    affinity_scale: float = 0.05
    eigen_solver: str = "auto"
    seed: int = 0

    @property
    def most_regions(self):
        """Clusters of all partitions."""
        return sum(self.n_clusters) + self.n_color_clusters

    def maxima(self, column, colors=None):
        """Return the maxima of every map's clusters, partition after partition."""
        labels = self.labels(column, colors)
        return [
            np.concatenate([cluster_maxima(values, partition) for partition in partitions.T])
            for values, partitions in zip(_by_map(column), labels, strict=True)
        ]

    def rows(self, column, colors=None):
        """Return the positions of every cluster."""
        maps = zip(_rows_by_map(column), self.labels(column, colors), strict=True)
        return [
            own[partition == cluster]
            for own, partitions in maps
            for partition in partitions.T
            for cluster in np.unique(partition)
        ]

    def labels(self, column, colors=None):
        """Return the labels (n_positions, n_partitions) of every map, colours last."""
        criteria = []
        if self.projection is not None:
            # Projected image by image, so that no image's clusters depend on the others.
            points = project(column.values, self.projection, column.image_offsets)
            weights = self.projection.explained_variance_
            maps = _by_map(column.with_values(points))
            criteria.append([self._cut(each, self.n_clusters, weights) for each in maps])
        if colors is not None:
            maps = _by_map(colors)
            criteria.append([self._cut(each, [self.n_color_clusters], np.ones(3)) for each in maps])
        return [np.hstack(partitions) for partitions in zip(*criteria, strict=True)]

    def bytes_per_image(self, grids):
        """Return the bytes of the largest map's similarities, and of the eigen solver's basis."""
        largest = grids.prod(axis=2).max(axis=1)
        return 4 * largest * (np.minimum(largest, 6_144) + 512)

    def _cut(self, points, n_clusters, weights):
        """Partition points so that their order cannot matter, a column per partition."""
        # Sorted: the rotation of Yu and Shi starts from the middle row, and the eigen solvers from
        # the first or from seeded ones.
        order = np.lexsort(points.T)
        labels = np.empty((len(points), len(n_clusters)), dtype=np.intp)
        labels[order] = normalized_cut(
            points[order],
            np.clip(n_clusters, 1, max(len(points) // FEWEST_IN_CLUSTER, 1)),
            affinity=self.affinity,
            affinity_scale=self.affinity_scale,
            weights=weights,
            eigen_solver=self.eigen_solver,
            random_state=self.seed,
        )
        return labels


@dataclass(frozen=True)
class RegionSum:
    """What images are encoded with: the regions, and the whitening of their maxima."""

    regions: ClusterRegions | GridRegions | WholeRegion
    whitening: PCA | None = None


def sum_over_regions(column, colors, record):
    """Encode images.

    Parameters
    ----------
    column : Column
        Descriptors of the images at all scales.
    colors : Column or None
        Colours of the same positions, None for none.
    record : RegionSum
        What was learned.

    Returns
    -------
    ndarray of shape (n_images, n_features)
        Vectors of unit length, zeros for images without descriptors.
    """
    vectors, offsets = unit_maxima(column, colors, record.regions)
    if record.whitening is not None:
        vectors = project_to_unit(vectors, record.whitening, offsets)
    return l2_normalize(segment_sum(vectors, offsets))


def unit_maxima(column, colors, regions):
    """Return the L2-normalised maxima of all regions, and where those of each image start."""
    maxima = regions.maxima(column, colors)
    bounds = offsets_of([len(rows) for rows in maxima])
    return l2_normalize(np.concatenate(maxima)), bounds[:: column.n_scales]


def _by_map(column):
    """Return the descriptors (n_positions, D) of every image and scale."""
    return np.split(column.values, column.offsets[1:-1])


def _rows_by_map(column):
    """Return the numbers of the descriptors of every image and scale."""
    return np.split(np.arange(len(column.values)), column.offsets[1:-1])
