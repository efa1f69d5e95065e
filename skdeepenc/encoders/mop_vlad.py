"""MOP-CNN: multi-scale orderless pooling of activations by VLAD.

Gong, Wang, Guo, Lazebnik: "Multi-scale Orderless Pooling of Deep Convolutional Activation
Features", ECCV 2014.
"""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils import check_random_state

from skdeepenc._sklearn import Interval, StrOptions, fit_context
from skdeepenc._typing import RandomState
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.functional.contributions import split_mop
from skdeepenc.functional.mop_vlad import (
    MOPRecord,
    PooledLevel,
    VLADLevel,
    components_of,
    join_levels,
    multiscale_vlad,
    normalized_vlad,
)
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.pca import fit_pca
from skdeepenc.functional.samples import largest_to_square
from skdeepenc.functional.visual_words import fit_codebook, fit_cosine_codebook
from skdeepenc.maps import sample_descriptors
from skdeepenc.maps.coercion import MapsLike

__all__ = ["MOPVLADEncoder"]

# A VLAD vector takes the memory of many descriptors: as many times fewer images teach its PCA.
_SAMPLES_PER_TEACHER = 20
_FEWEST_TEACHERS = 1000


class MOPVLADEncoder(MapsEncoder):
    """Encode images by soft VLAD at several scales.

    Each scale is a level of its own: the descriptors of its windows are projected on their
    principal components, assigned softly to the nearest visual words, and the residuals are summed
    word by word. The signed square root of that, L2-normalised, goes through a second PCA and is
    L2-normalised again; the levels are concatenated. A level with one descriptor in every image is
    the global one: it is L2-normalised and passed on. Images without descriptors encode to zeros.

    Baselines and variants of the paper are a parameter each: average or maximum instead of VLAD,
    the union of all levels' descriptors instead of concatenation, any subset of levels, PCA and
    whitening of the final vector.

    Parameters
    ----------
    layer : str or None, default=None
        Layer to encode, None for the deepest that is not "rgb".
    scales : list of int or None, default=None
        Scales to use as levels, None for all.
    n_components : int or None, default=500
        Principal components of the descriptors of a level, clipped to what the sample allows; None
        leaves the descriptors as they are. Used by VLAD.
    n_clusters : int, default=100
        Visual words of a level, clipped to the number of distinct descriptors. Used by VLAD.
    n_neighbors : int, default=5
        Number of nearest words that a descriptor is assigned to; 1 is hard VLAD. Used by VLAD.
    sigma : float or "auto", default="auto"
        Standard deviation of the Gaussian kernel that weighs the words, in units of the
        descriptors; "auto" learns it: the root mean square distance from a descriptor to its
        nearest word. The paper's is 10, made for fc7; on convolutional maps, whose descriptors
        are hundreds apart, it assigns hard. Used by VLAD.
    pooling : {"vlad", "avg", "max"}, default="vlad"
        How the descriptors of a level become one vector. Averages and maxima are of the
        descriptors as they are, and L2-normalised.
    across_scales : {"concatenate", "union"}, default="concatenate"
        Whether each scale is a level, or all scales' descriptors together are one.
    power : float, default=0.5
        Exponent of the power normalisation of VLAD vectors; 0.5 is the signed square root.
    n_output_components : int or None, default=4096
        Components of the second PCA, of a level's VLAD vectors, clipped to what the number of
        images allows; None leaves the vectors as they are. Used by VLAD.
    whiten : bool or int, default=False
        Whether to project the final vector on its principal components, whiten and L2-normalise
        it. A number says how many components to keep at most; True keeps `n_output_components`.
    normalize_descriptors : bool, default=False
        Whether descriptors are L2-normalised, before their PCA, and words are those of directions:
        learned by spherical k-means, and near a descriptor where the angle is small. `sigma` is
        then a deviation of distances between unit vectors, so that the weights are ``exp(cos /
        sigma**2)``, scaled to sum 1. Residuals are of the words as they were learned, means that
        are shorter than 1. Used by VLAD.
    intra_normalize : bool, default=False
        Whether to L2-normalise the residual of each word after the power normalisation, so that no
        word outweighs others. Used by VLAD.
    max_samples : int, default=256000
        Most descriptors of a level to learn components and words from. The second PCA and the
        whitening are learned from at most a twentieth as many images, or 1,000.
    random_state : int, RandomState or None, default=None
        Seed of the samples and of k-means.
    n_jobs : int or None, default=None
        Threads, each with one batch of images; see `skdeepenc.arrays.threads.in_jobs`.
    verbose : int, default=0
        Whether to show the progress of encoding; above 1 it stays on the screen.

    Attributes
    ----------
    levels_ : list
        What was learned for each level; those of VLAD have `projection`, `codebook` and
        `reduction`, each but the codebook None where it is not asked for.
    whitening_ : sklearn.decomposition.PCA or None
        The whitening of the final vector.
    record_ : MOPRecord
        What `transform` computes with: all of the above.
    sigma_ : float
        Standard deviation of the kernel that is used.
    n_components_ : int
        Components that are used, the most of any level, or the channels where there is no PCA; 0
        where no level has any.
    n_clusters_ : int
        Visual words that are used, the most of any level; 0 where no level has any.
    layers_in_ : tuple of str
        The layer that is encoded.
    n_scales_in_ : int
        Number of scales of the maps that were fitted.
    n_features_in_ : int
        Number of channels of the layer.
    feature_names_in_ : ndarray of str
        Names of the columns, where a data frame was fitted.

    See Also
    --------
    skdeepenc.functional.soft_assign : The assignment to visual words.
    skdeepenc.functional.vlad : The sum of residuals.

    Notes
    -----
    The VLAD of AnyLoc [2]_, which is made for the patches of a vision transformer (32 words are its
    authors' choice for DINOv2), is the setting ``n_components=None, n_clusters=32, n_neighbors=1,
    power=1, n_output_components=None, normalize_descriptors=True, intra_normalize=True``: hard
    assignment by the cosine, and blocks of unit length [3]_.

    References
    ----------
    .. [1] Y. Gong, L. Wang, R. Guo, S. Lazebnik, "Multi-scale Orderless Pooling of Deep
       Convolutional Activation Features", ECCV 2014, Section 2.
    .. [2] N. Keetha, A. Mishra, J. Karhade, K. M. Jatavallabhula, S. Scherer, M. Krishna, S. Garg,
       "AnyLoc: Towards Universal Visual Place Recognition", IEEE Robotics and Automation Letters
       2024, Section III-C.
    .. [3] R. Arandjelović, A. Zisserman, "All about VLAD", CVPR 2013, Section 3.1.

    Examples
    --------
    Three images at two scales: the whole image, and 3 x 3 windows of it.

    >>> import numpy as np
    >>> from skdeepenc.encoders import MOPVLADEncoder
    >>> rng = np.random.default_rng(0)
    >>> images = [[rng.random((1, 1, 8)), rng.random((3, 3, 8))] for _ in range(3)]
    >>> encoder = MOPVLADEncoder(
    ...     n_components=4, n_clusters=2, n_output_components=None, random_state=0
    ... )
    >>> encoder.fit_transform(images).shape  # 8 of the whole, 2 words x 4 components
    (3, 16)
    """

    _parameter_constraints: dict[str, Any] = {
        **MapsEncoder._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "sigma": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "pooling": [StrOptions({"vlad", "avg", "max"})],
        "across_scales": [StrOptions({"concatenate", "union"})],
        "power": [Interval(Real, 0, 1, closed="both")],
        "n_output_components": [Interval(Integral, 1, None, closed="left"), None],
        "whiten": ["boolean", Interval(Integral, 1, None, closed="left")],
        "normalize_descriptors": ["boolean"],
        "intra_normalize": ["boolean"],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    _largest = staticmethod(largest_to_square)

    def __init__(
        self,
        *,
        layer: str | None = None,
        scales: Sequence[int] | None = None,
        n_components: int | None = 500,
        n_clusters: int = 100,
        n_neighbors: int = 5,
        sigma: float | Literal["auto"] = "auto",
        pooling: str = "vlad",
        across_scales: str = "concatenate",
        power: float = 0.5,
        n_output_components: int | None = 4096,
        whiten: bool | int = False,
        normalize_descriptors: bool = False,
        intra_normalize: bool = False,
        max_samples: int = 256_000,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.layer = layer
        self.scales = scales
        self.n_components = n_components
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.sigma = sigma
        self.pooling = pooling
        self.across_scales = across_scales
        self.power = power
        self.n_output_components = n_output_components
        self.whiten = whiten
        self.normalize_descriptors = normalize_descriptors
        self.intra_normalize = intra_normalize
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Learn components and visual words of every level.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the training images; see `as_feature_maps`.
        y : None
            Not used, present for scikit-learn's conventions.

        Returns
        -------
        self : MOPVLADEncoder
            The fitted encoder.
        """
        maps = self._check_maps(X, reset=True)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        levels = [self._fit_level(part, seed) for part in self._parts(maps)]
        codebooks = [level.codebook for level in levels if isinstance(level, VLADLevel)]
        self.n_components_ = max((codebook.shape[1] for codebook in codebooks), default=0)
        self.n_clusters_ = max((len(codebook) for codebook in codebooks), default=0)
        self.levels_, self.sigma_ = self._share_sigma(levels)
        self.whitening_ = None
        teachers = self._choose_teachers(maps, seed)
        if self.n_output_components is not None:
            self.levels_ = self._with_reductions(teachers)
        if self.whiten:
            self.whitening_ = self._fit_whitening(teachers)
        return self

    def _parts(self, maps):
        """Return the maps of each level: of each scale, or of all scales together."""
        if self.across_scales == "union":
            return [maps]
        return [maps.select(scales=[scale]) for scale in range(maps.n_scales)]

    def _fit_level(self, part, seed):
        (layer,) = part.layers
        is_global = part.n_positions(layer).max() <= 1
        if is_global or self.pooling != "vlad":
            return PooledLevel(part.n_channels(layer), self.pooling)
        sample = sample_descriptors(part, max_samples=self.max_samples, random_state=seed)
        projection, components = self._fit_projection(sample)
        del sample  # the largest array of the whole fit
        by_angle = self.normalize_descriptors
        fit_words = fit_cosine_codebook if by_angle else fit_codebook
        codebook = fit_words(components, self.n_clusters, random_state=seed)
        sigma = self.sigma
        if sigma == "auto":
            seen = map(l2_normalize, (components, codebook)) if by_angle else (components, codebook)
            sigma = _nearest_distance(*seen)
        return VLADLevel(
            projection,
            codebook,
            self.n_neighbors,
            sigma,
            self.power,
            normalize_descriptors=self.normalize_descriptors,
            intra_normalize=self.intra_normalize,
        )

    def _fit_projection(self, sample):
        """Return the PCA of descriptors, or None, and what words are made of."""
        if self.normalize_descriptors:
            sample = l2_normalize(sample)
        projection = None if self.n_components is None else fit_pca(sample, self.n_components)
        return projection, components_of(sample, projection, normalize=False)

    def _share_sigma(self, levels):
        """Give all levels the same kernel, so that what was learned is one number to set again."""
        if self.sigma != "auto":
            return levels, self.sigma
        squares = [level.sigma**2 for level in levels if isinstance(level, VLADLevel)]
        # Without any distance, every kernel is the same.
        sigma = (float(np.sqrt(np.mean(squares))) if squares else 0) or 1.0
        return [
            replace(level, sigma=sigma) if isinstance(level, VLADLevel) else level
            for level in levels
        ], sigma

    def _choose_teachers(self, maps, seed):
        """Return a bounded sample of the images that have descriptors."""
        described = np.flatnonzero(maps.n_positions(maps.layers[0]))
        bound = max(self.max_samples // _SAMPLES_PER_TEACHER, _FEWEST_TEACHERS)
        chosen = check_random_state(seed).permutation(described)[:bound]
        return maps[np.sort(chosen)]

    def _with_reductions(self, teachers):
        """Return the levels with a second PCA of their vectors."""
        parts = zip(self.levels_, self._parts(teachers), strict=True)
        return [self._with_reduction(level, part) for level, part in parts]

    def _with_reduction(self, level, part):
        if not isinstance(level, VLADLevel):
            return level

        def encode(batch):
            return normalized_vlad(batch.column(batch.layers[0]), level)

        vectors = self._gather(part, level.codebook.size, encode)
        return replace(level, reduction=fit_pca(vectors, self.n_output_components))

    def _fit_whitening(self, teachers):
        def encode(batch):
            return join_levels(batch.column(batch.layers[0]), self.record_)

        vectors = self._gather(teachers, self._width_before_whitening, encode)
        asked_how_many = not isinstance(self.whiten, bool | np.bool_)
        n_components = self.whiten if asked_how_many else self.n_output_components
        return fit_pca(vectors, n_components, whiten=True)

    @property
    def record_(self) -> MOPRecord:
        """What `transform` computes with."""
        return MOPRecord(tuple(self.levels_), self.across_scales == "union", self.whitening_)

    @property
    def _width_before_whitening(self):
        return sum(level.n_features for level in self.levels_)

    @property
    def _n_features_out(self):
        if self.whitening_ is None:
            return self._width_before_whitening
        return self.whitening_.n_components_

    def _bytes_per_image(self, maps):
        codebooks = [level.codebook for level in self.levels_ if isinstance(level, VLADLevel)]
        return 2 * sum(codebook.nbytes for codebook in codebooks)

    def _encode(self, maps):
        return multiscale_vlad(maps.column(maps.layers[0]), self.record_)

    def _split(self, maps, direction):
        return split_mop(maps.column(maps.layers[0]), self.record_, direction)


def _nearest_distance(descriptors, codebook):
    """Return the root mean square distance from a descriptor to its nearest visual word."""
    _, distances = pairwise_distances_argmin_min(
        descriptors, codebook, metric_kwargs={"squared": True}
    )
    return float(np.sqrt(distances.mean(dtype=np.float64)))
