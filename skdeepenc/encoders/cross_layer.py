"""Cross-convolutional-layer pooling: one layer guides the pooling of another.

Liu, Shen, van den Hengel: "Cross-Convolutional-Layer Pooling for Image Recognition", IEEE
Transactions on Pattern Analysis and Machine Intelligence, 2017.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skdeepenc._sklearn import Interval, StrOptions, fit_context
from skdeepenc._typing import RandomState
from skdeepenc.encoders._guidance import GuidanceFilters
from skdeepenc.encoders._matched_layers import match_layers
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.contributions import split_cross_layer
from skdeepenc.functional.cross_layer import CrossLayerRecord, cross_layer_vectors
from skdeepenc.functional.pca import fit_pca
from skdeepenc.functional.samples import largest_to_square
from skdeepenc.functional.spatial_pyramid import check_pyramid, count_cells
from skdeepenc.maps import sample_descriptors
from skdeepenc.maps.coercion import MapsLike
from skdeepenc.maps.layer_names import is_map

__all__ = ["CrossLayerPooler"]

_UNIFORM = "uniform"


class CrossLayerPooler(MapsEncoder):
    """Encode images by pooling the features of one layer under every channel of another.

    A channel of the guidance layer acts as the detector of a part. For each, the features are
    summed over the image with the channel's activations as weights, and the sum is L2-normalised;
    the signed square root follows. A channel without activation stays zero, and an image without
    descriptors encodes to zeros. Guidance is used as it is: negative activations, which no layer
    after ReLU has, count as negative weights. Several scales are summed as one.

    Layers on different grids are matched: the finer one is summed over the cells of the coarser,
    and its signed square root is taken.

    Parameters
    ----------
    feature_layer : str or None, default=None
        Layer of the features; None for the one before `guidance_layer`, or, where that is not
        given either, for the first. The layer "rgb" and class tokens are taken only if named.
    guidance_layer : str or None, default=None
        Layer of the guidance; None for the one after `feature_layer`. A single layer, and the last
        one, guides itself. "uniform" weighs every position by one, which is plain pooling, the
        paper's baseline. With `n_guidance_filters`, the layer that the filters read, and None is
        `feature_layer`.
    n_components : int, None or "passthrough", default=None
        Principal components of the features, clipped to what the sample allows. None keeps all and
        so decorrelates only, the paper's choice for convolutional layers; it takes 2,000 for fully
        connected ones. "passthrough" leaves the features as they are.
    pooling : {"sum", "max"}, default="sum"
        Whether to sum the weighted features over positions, or to take each value's maximum.
    power : float, default=0.5
        Exponent of the power normalisation; 0.5 is the signed square root, 1 changes nothing.
    quantize : {"sign"} or None, default=None
        "sign" gives -1, 0 and 1, which neither normalisation would change;
        `skdeepenc.retrieval.SignCodes` stores these in 2 bits.
    n_guidance_filters : int or None, default=None
        Number of filters that are trained on `y` to give the guidance; the paper's is 100. None
        takes a layer's own channels.
    spatial_pyramid : list of (int, int) or None, default=None
        Rows and columns of the levels of a spatial pyramid, whose cells are pooled separately; None
        is the whole image. The paper's levels are ``[(1, 1), (2, 2), (4, 4)]``.
    normalize : bool, default=False
        Whether to L2-normalise the whole vector at the end. Its length is else the root of the
        number of guidance channels that respond, or more, so that it outweighs the unit vectors of
        other encoders beside it, in a `FeatureUnion`.
    max_samples : int, default=256000
        Most descriptors to learn components from.
    random_state : int, RandomState or None, default=None
        Seed of the sample and of the filters.
    n_jobs : int or None, default=None
        Threads, each with one batch of images; see `skdeepenc.arrays.threads.in_jobs`.
    verbose : int, default=0
        Whether to show the progress of training and encoding; above 1 it stays on the screen.

    Attributes
    ----------
    feature_layer_ : str
        Layer of the features.
    guidance_layer_ : str
        Layer of the guidance, or "uniform".
    projection_ : sklearn.decomposition.PCA or None
        Principal components of the features.
    n_components_ : int
        Length of the features that are pooled.
    guidance_filters_ : GuidanceFilters or None
        What was trained on `y`.
    n_guidance_channels_ : int
        Number of guidance channels.
    n_iter_ : int
        Number of epochs that the filters were trained; only with `n_guidance_filters`.
    loss_curve_ : list of float
        Mean cross-entropy of each epoch; only with `n_guidance_filters`.
    record_ : CrossLayerRecord
        What `transform` computes with: all that was learned, and how it is pooled.
    layers_in_ : tuple of str
        The layers that are read.
    n_scales_in_ : int
        Number of scales of the maps that were fitted.
    n_features_in_ : int
        Number of channels of `feature_layer_`.
    feature_names_in_ : ndarray of str
        Names of the columns, where a data frame was fitted.

    See Also
    --------
    skdeepenc.functional.cross_layer : The pooling of one image.
    skdeepenc.retrieval.SignCodes : Signs in 2 bits a value.
    skdeepenc.retrieval.AdaptiveChannelRanker : Retrieval by the channels that a query activates.

    References
    ----------
    .. [1] L. Liu, C. Shen, A. van den Hengel, "Cross-Convolutional-Layer Pooling for Image
       Recognition", TPAMI 2017: Equation 2 and Section 3.4; matched grids are in Section 4.2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import CrossLayerPooler
    >>> from skdeepenc.maps import FeatureMaps
    >>> rng = np.random.default_rng(0)
    >>> layers = {"conv4": rng.random((6, 5, 5, 8)), "conv5": rng.random((6, 5, 5, 3))}
    >>> pooler = CrossLayerPooler(random_state=0)
    >>> pooler.fit_transform(FeatureMaps.from_layers(layers)).shape  # 3 channels x 8 components
    (6, 24)
    """

    _parameter_constraints: dict[str, Any] = {
        "feature_layer": [str, None],
        "guidance_layer": [str, None],
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"passthrough"}),
            None,
        ],
        "pooling": [StrOptions({"sum", "max"})],
        "power": [Interval(Real, 0, 1, closed="both")],
        "quantize": [StrOptions({"sign"}), None],
        "n_guidance_filters": [Interval(Integral, 1, None, closed="left"), None],
        "spatial_pyramid": ["array-like", None],
        "normalize": ["boolean"],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    scales = None  # the base takes all scales

    def __init__(
        self,
        *,
        feature_layer: str | None = None,
        guidance_layer: str | None = None,
        n_components: Any = None,
        pooling: str = "sum",
        power: float = 0.5,
        quantize: str | None = None,
        n_guidance_filters: int | None = None,
        spatial_pyramid: Sequence[tuple[int, int]] | None = None,
        normalize: bool = False,
        max_samples: int = 256_000,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.feature_layer = feature_layer
        self.guidance_layer = guidance_layer
        self.n_components = n_components
        self.pooling = pooling
        self.power = power
        self.quantize = quantize
        self.n_guidance_filters = n_guidance_filters
        self.spatial_pyramid = spatial_pyramid
        self.normalize = normalize
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Learn the components of the features and, where asked for, the guidance.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the training images; see `as_feature_maps`.
        y : array-like of shape (n_images,), default=None
            Labels of the images; needed with `n_guidance_filters`, not used otherwise.

        Returns
        -------
        self : CrossLayerPooler
            The fitted encoder.
        """
        maps = self._check_maps(X, reset=True)
        check_pyramid(self.spatial_pyramid)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self.projection_ = self._fit_projection(maps, seed)
        self.guidance_filters_ = self._fit_guidance_filters(maps, y, seed)
        self.n_components_ = (
            self.n_features_in_ if self.projection_ is None else self.projection_.n_components_
        )
        self.n_guidance_channels_ = self._count_guidance_channels(maps)
        return self

    def _fit_projection(self, maps, seed):
        if self.n_components == "passthrough":
            return None
        sample = sample_descriptors(
            maps, self.feature_layer_, max_samples=self.max_samples, random_state=seed
        )
        return fit_pca(sample, self.n_components)

    def _fit_guidance_filters(self, maps, y, seed):
        if self.n_guidance_filters is None:
            return None
        if y is None:
            raise ValueError(
                f"n_guidance_filters={self.n_guidance_filters} requires y to be passed, but the "
                "target y is None: the filters are trained on the labels of the images. Pass the "
                "labels to fit, or leave n_guidance_filters at None."
            )
        y = column_or_1d(y, warn=True)
        check_consistent_length(maps, y)
        check_classification_targets(y)
        return GuidanceFilters(
            n_filters=self.n_guidance_filters,
            max_samples=self.max_samples,
            random_state=seed,
            verbose=self.verbose,
        ).fit(maps.select(layers=[self.guidance_layer_]), y)

    def _count_guidance_channels(self, maps):
        if self.guidance_filters_ is not None:
            return self.guidance_filters_.n_filters
        return 1 if self._is_uniform else maps.n_channels(self.guidance_layer_)

    @property
    def n_iter_(self) -> int:
        """Number of epochs that the filters were trained."""
        return self.guidance_filters_.n_iter_

    @property
    def loss_curve_(self) -> list[float]:
        """Mean cross-entropy of each epoch."""
        return self.guidance_filters_.loss_curve_

    @property
    def _is_uniform(self):
        return self.guidance_layer_ not in self.layers_in_

    @property
    def _largest(self):
        learns = self.n_components != "passthrough" or self.n_guidance_filters is not None
        return largest_to_square if learns else None

    def _choose_layers(self, maps):
        layers = [layer for layer in maps.layers if is_map(layer)] or list(maps.layers)
        for layer in (self.feature_layer, self.guidance_layer):
            if layer not in (None, _UNIFORM, *maps.layers):
                raise FeatureMapsError(f"There is no layer {layer!r}: the maps have {maps.layers}.")
        features, guidance = self.feature_layer, self.guidance_layer
        if features is None:
            features = _neighbor(layers, guidance, -1)
        if guidance is None:
            learned = self.n_guidance_filters is not None
            guidance = features if learned else _neighbor(layers, features, 1)
        self.feature_layer_, self.guidance_layer_ = features, guidance
        return [layer for layer in dict.fromkeys((features, guidance)) if layer in maps.layers]

    def _check_maps(self, X, *, reset):
        maps = super()._check_maps(X, reset=reset)
        return match_layers(maps, self.layers_in_[0], self.layers_in_[-1])

    @property
    def _n_features_out(self):
        n_cells = count_cells(check_pyramid(self.spatial_pyramid))
        return n_cells * self.n_guidance_channels_ * self.n_components_

    def _bytes_per_image(self, maps):
        """Return the size of an image's vector, four times, and of its features and guidance."""
        itemsize = np.result_type(maps.dtype, np.float32).itemsize
        n_positions = maps.n_positions(self.feature_layer_)
        per_position = self.n_features_in_ + self.n_components_ + self.n_guidance_channels_
        # Each normalisation makes a new array; so does the order of positions by cells.
        return itemsize * (4 * self._n_features_out + 2 * n_positions * per_position)

    @property
    def record_(self) -> CrossLayerRecord:
        """What `transform` computes with."""
        filters = self.guidance_filters_
        return CrossLayerRecord(
            self.projection_,
            None if filters is None else filters.record_,
            self._is_uniform,
            self.pooling,
            self.power,
            self.quantize,
            check_pyramid(self.spatial_pyramid),
            self.normalize,
        )

    def _encode(self, maps):
        features, guidance = (maps.column(self.layers_in_[place]) for place in (0, -1))
        return cross_layer_vectors(features, guidance, self.record_)

    def _split(self, maps, direction):
        features, guidance = (maps.column(self.layers_in_[place]) for place in (0, -1))
        return split_cross_layer(features, guidance, self.record_, direction)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.n_guidance_filters is not None
        return tags


def _neighbor(layers, layer, step):
    """Return the layer before or after another, itself at the ends; the first of all for None."""
    if layer not in layers:
        return layers[0]
    return layers[min(max(layers.index(layer) + step, 0), len(layers) - 1)]
