"""ClusterMAC: maxima over regions that have the shapes of objects."""

import warnings
from collections.abc import Sequence
from itertools import chain
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions, available_if, fit_context
from skdeepenc._typing import Integers, RandomState
from skdeepenc.encoders._colors import color_column, layers_to_partition
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.exceptions import DegenerateDataWarning
from skdeepenc.functional.contributions import split_region_sum
from skdeepenc.functional.pca import fit_pca
from skdeepenc.functional.region_sum import (
    ClusterRegions,
    GridRegions,
    RegionSum,
    WholeRegion,
    sum_over_regions,
    unit_maxima,
)
from skdeepenc.functional.samples import largest_to_square
from skdeepenc.maps import sample_descriptors
from skdeepenc.maps.coercion import MapsLike

__all__ = ["ClusterMAC"]

# A covariance of D dimensions from fewer regions than so many times D has small eigenvalues that
# are chance, and whitening divides by them.
_FEWEST_PER_DIMENSION = 10


class ClusterMAC(MapsEncoder):
    """Sum the whitened maxima of clusters of activations.

    Each map's descriptors, projected to a few principal components, are partitioned by Normalized
    Cut, once for each number in `n_clusters`, and by the colours of the image. The channel-wise
    maxima of every cluster are L2-normalised, whitened and L2-normalised; their sum over all
    clusters and scales, L2-normalised, encodes the image.

    Learn the whitening on other images than those that will be ranked: fit on a training set, and
    transform gallery and queries.

    Parameters
    ----------
    layer : str or None, default=None
        The layer to encode; None takes the only one, or of several the deepest that is not "rgb".
    scales : array-like of int or None, default=None
        Indices of the scales whose regions are summed; None takes all.
    regions : {"clusters", "rmac", "mac"}, default="clusters"
        What maxima are taken over: clusters, R-MAC's grid of squares (3 sizes), or the whole map.
    n_components : int, default=4
        Principal components that the descriptors are clustered by (the paper: 4 for VGG-16, 7 for
        ResNet-101), clipped to what the training descriptors allow.
    n_clusters : int or sequence of int, default=(5, 20)
        Number of clusters of each partition by activations. Empty for none. A map is cut into no
        more clusters than a third of its positions.
    n_color_clusters : int, default=5
        Number of clusters by colour, from the layer "rgb"; 0 for none. Plain arrays have no such
        layer, and get none.
    affinity : {"exponential", "gaussian"}, default="gaussian"
        Similarity of descriptors: "exponential" is the paper's equation, "gaussian" what the code
        that its authors used computes; see `skdeepenc.functional.normalized_cut`.
    affinity_scale : float, default=0.05
        Its scale, as a fraction of the largest distance in the map.
    eigen_solver : {"auto", "exact", "krylov", "nystroem"}, default="auto"
        How eigenvectors are found; see `skdeepenc.functional.normalized_cut`.
    whiten : bool, default=True
        Whether to whiten the region vectors.
    n_output_components : int or None, default=None
        Number of principal components of the region vectors to keep, clipped to what the training
        regions allow; None keeps all, or projects none if `whiten` is False.
    max_samples : int, default=256_000
        Most descriptors to learn the projection from, and most region vectors to learn the
        whitening from.
    random_state : int, RandomState or None, default=None
        Seed of the samples and of the eigen solvers.
    n_jobs : int or None, default=None
        Threads, each with one batch of images; see `skdeepenc.arrays.threads.in_jobs`.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels of the layer.
    layers_in_ : tuple of str
        Name of the layer, and "rgb" where colours are clustered.
    n_scales_in_ : int
        Number of scales of the maps that were fitted, before `scales` chooses.
    projection_ : sklearn.decomposition.PCA or None
        Projection of descriptors to what they are clustered by; None without such clusters.
    n_components_ : int
        Number of components that descriptors are clustered by; 0 without such clusters.
    whitening_ : sklearn.decomposition.PCA or None
        Projection of region vectors; None without `whiten` and `n_output_components`.
    record_ : RegionSum
        What `transform` computes with: the regions and the whitening.

    See Also
    --------
    GlobalPooler : Global poolings, R-MAC without whitening among them.
    skdeepenc.functional.normalized_cut : The clustering.

    References
    ----------
    Chen et al., "Aggregated deep feature from activation clusters for particular object
    retrieval", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import ClusterMAC
    >>> from skdeepenc.maps import FeatureMaps
    >>> rng = np.random.RandomState(0)
    >>> maps = FeatureMaps.from_layers(
    ...     {"conv5": rng.rand(6, 8, 8, 16), "rgb": rng.rand(6, 8, 8, 3)}
    ... )
    >>> encoder = ClusterMAC(n_clusters=(2, 4), n_color_clusters=2, random_state=0)
    >>> encoder.fit_transform(maps).shape
    (6, 16)
    >>> encoder.cluster_labels(maps)[0][0].shape
    (8, 8, 3)
    """

    _parameter_constraints: dict[str, Any] = {
        **MapsEncoder._parameter_constraints,
        "regions": [StrOptions({"clusters", "rmac", "mac"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_clusters": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "n_color_clusters": [Interval(Integral, 0, None, closed="left")],
        "affinity": [StrOptions({"exponential", "gaussian"})],
        "affinity_scale": [Interval(Real, 0, None, closed="neither")],
        "eigen_solver": [StrOptions({"auto", "exact", "krylov", "nystroem"})],
        "whiten": ["boolean"],
        "n_output_components": [Interval(Integral, 1, None, closed="left"), None],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        layer: str | None = None,
        scales: Sequence[int] | None = None,
        regions: str = "clusters",
        n_components: int = 4,
        n_clusters: Sequence[int] | int = (5, 20),
        n_color_clusters: int = 5,
        affinity: str = "gaussian",
        affinity_scale: float = 0.05,
        eigen_solver: str = "auto",
        whiten: bool = True,
        n_output_components: int | None = None,
        max_samples: int = 256_000,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.layer = layer
        self.scales = scales
        self.regions = regions
        self.n_components = n_components
        self.n_clusters = n_clusters
        self.n_color_clusters = n_color_clusters
        self.affinity = affinity
        self.affinity_scale = affinity_scale
        self.eigen_solver = eigen_solver
        self.whiten = whiten
        self.n_output_components = n_output_components
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Learn the projection of descriptors and the whitening of region vectors.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of training images; see `skdeepenc.maps.as_feature_maps`.
        y : object, default=None
            Ignored.

        Returns
        -------
        ClusterMAC
            The fitted encoder.

        Raises
        ------
        FeatureMapsError
            If there is no descriptor to learn from, if colours are to be clustered and the maps
            have no layer "rgb", or if that layer has other grids.

        Warns
        -----
        DegenerateDataWarning
            If the whitening is learned from fewer than ten regions per dimension: on 80 images it
            lowered a mean average precision of 60.5 to 35.1.
        """
        maps = self._check_maps(X, reset=True)
        self._seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self.projection_ = self._fit_projection(maps)
        self.n_components_ = self.projection_.n_components_ if self.projection_ else 0
        self.whitening_ = self._fit_whitening(maps)
        return self

    def _cuts_clusters(self):
        return self.regions == "clusters"

    @available_if(_cuts_clusters)
    def cluster_labels(self, X: MapsLike) -> list[list[Integers]]:
        """Partition the positions of images.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the layers and scales that were fitted.

        Returns
        -------
        list of list of ndarray of int of shape (H, W, n_partitions)
            For each image and scale the labels of each partition, from 0, in the order of
            `n_clusters`, colours last.
        """
        check_is_fitted(self)
        maps = self._check_maps(X, reset=False)
        return list(chain.from_iterable(self._over_batches(maps, self._partition)))

    @property
    def _largest(self):
        return largest_to_square if self._cuts_clusters() else None

    def _choose_layers(self, maps):
        layers = super()._choose_layers(maps)
        if self.regions != "clusters":
            return layers
        return layers_to_partition(maps, layers, self.n_clusters, self.n_color_clusters)

    def _fit_projection(self, maps):
        if self.regions != "clusters" or not np.size(self.n_clusters):
            return None
        sample = sample_descriptors(
            maps, maps.layers[0], max_samples=self.max_samples, random_state=self._seed
        )
        return fit_pca(sample, self.n_components, random_state=self._seed)

    def _fit_whitening(self, maps):
        if not self.whiten and self.n_output_components is None:
            return None
        vectors, n_components = self._sample_region_vectors(maps), self.n_output_components
        fitted = fit_pca(vectors, n_components, whiten=self.whiten, random_state=self._seed)
        if self.whiten:
            _warn_of_few(len(vectors), fitted.n_components_)
        return fitted

    def _sample_region_vectors(self, maps):
        """Return the region vectors of all images, or of as many as give enough of them."""
        regions_an_image = self._regions.most_regions * maps.n_scales
        n_images = -(-self.max_samples // regions_an_image)
        if n_images < len(maps):
            rng = np.random.RandomState(self._seed)
            maps = maps[np.sort(rng.choice(len(maps), n_images, replace=False))]

        def find(batch):
            column, colors = _columns(batch)
            return unit_maxima(column, colors, self._regions)[0]

        return np.concatenate(list(self._over_batches(maps, find)))[: self.max_samples]

    @property
    def _regions(self):
        if self.regions != "clusters":
            return GridRegions() if self.regions == "rmac" else WholeRegion()
        return ClusterRegions(
            self.projection_,
            tuple(np.atleast_1d(self.n_clusters).tolist()),
            self.n_color_clusters,
            self.affinity,
            self.affinity_scale,
            self.eigen_solver,
            self._seed,
        )

    @property
    def record_(self) -> RegionSum:
        """What `transform` computes with."""
        return RegionSum(self._regions, self.whitening_)

    def _encode(self, maps):
        column, colors = _columns(maps)
        return sum_over_regions(column, colors, self.record_)

    def _split(self, maps, direction):
        column, colors = _columns(maps)
        return split_region_sum(column, colors, self.record_, direction)

    def _partition(self, maps):
        """Return the labels of each scale of each image."""
        column, colors = _columns(maps)
        labels = np.concatenate(self._regions.labels(column, colors))
        return column.with_values(labels).by_image

    def _bytes_per_image(self, maps):
        return self._regions.bytes_per_image(maps.grid(maps.layers[0]))

    @property
    def _n_features_out(self):
        return self.n_features_in_ if self.whitening_ is None else self.whitening_.n_components_


def _columns(maps):
    """Return the descriptors of a batch, and their colours where these are clustered."""
    return maps.column(maps.layers[0]), color_column(maps)


def _warn_of_few(n_regions, n_components):
    """Warn where a whitening amplifies what the sample happens to hold."""
    if n_regions < _FEWEST_PER_DIMENSION * n_components:
        warnings.warn(
            f"The whitening of {n_components} dimensions was learned from {n_regions} regions, "
            f"fewer than {_FEWEST_PER_DIMENSION} per dimension: results can be far worse than "
            "without. Fit on more images, give a smaller n_output_components, or whiten=False.",
            DegenerateDataWarning,
            stacklevel=4,
        )
