"""One vector per image by global pooling: the baselines that all else is measured against."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

from numpy.typing import ArrayLike

from skdeepenc._sklearn import Interval, StrOptions, fit_context
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.contributions import split_global_pooling
from skdeepenc.functional.global_pooling import GlobalPooling, pool_globally
from skdeepenc.maps.coercion import MapsLike
from skdeepenc.maps.layer_names import class_token_of, is_class_token, patches_of

__all__ = ["GlobalPooler"]


_METHODS = {"avg", "max", "gem", "lp", "spoc", "crow", "rmac", "cls"}


class GlobalPooler(MapsEncoder):
    """Pool the map of each image and scale into one vector.

    Parameters
    ----------
    layer : str or None, default=None
        The layer to pool; None takes the only one, or of several the deepest that is neither "rgb"
        nor a class token. The method "cls" reads the class token of that layer, else the deepest:
        "X" and its class token "X[cls]" are what an extractor with ``layers=["X", "X[cls]"]``
        gives.
    scales : array-like of int or None, default=None
        Indices of the scales to pool; None takes all.
    method : {"avg", "max", "gem", "lp", "spoc", "crow", "rmac", "cls"} or list, default="avg"
        Average, maximum (MAC), generalized mean of positive activations (GeM) or of magnitudes
        (LP), sum with centre prior (SPoC), sum with cross-dimensional weights (CroW), or regional
        maxima (R-MAC, without the whitening of region vectors: that is `ClusterMAC` with
        ``regions="rmac"``); "cls" is the class token of a vision transformer. Of a list, such as
        ``["cls", "gem"]``, the vectors that each gives alone lie side by side.
    p : float, default=3.0
        Exponent of "gem" and "lp".
    n_levels : int, default=3
        Number of region sizes of "rmac".
    normalize : bool, default=True
        Whether to L2-normalise the vector of each scale, and the result of each method.
    across_scales : {"concatenate", "mean"}, default="concatenate"
        Put the vectors of the scales side by side, or take their mean over the scales at which the
        image has descriptors.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels of the (first) layer.
    layers_in_ : tuple of str
        Names of the layers that are read: the one that is pooled, and that of the class token.
    n_scales_in_ : int
        Number of scales of the maps that were fitted, before `scales` chooses.
    n_scales_ : int
        Number of scales that are pooled.
    record_ : GlobalPooling
        What `transform` computes with.

    See Also
    --------
    ClusterMAC : Maxima over clusters or regions, with whitening.

    Notes
    -----
    Whitening of the pooled vectors is scikit-learn's:
    ``make_pipeline(GlobalPooler(method="spoc"), PCA(256, whiten=True), Normalizer())``. Fit it on
    other images than those that are ranked.

    References
    ----------
    Of each method, in `skdeepenc.functional`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import GlobalPooler
    >>> maps = np.random.RandomState(0).rand(3, 7, 9, 16)
    >>> GlobalPooler(method="gem").fit_transform(maps).shape
    (3, 16)

    The class token beside the patches of a vision transformer:

    >>> from skdeepenc.maps import FeatureMaps
    >>> tokens = {"out": maps, "out[cls]": maps[:, :1, :1]}
    >>> pooler = GlobalPooler(method=["cls", "gem"])
    >>> pooler.fit_transform(FeatureMaps.from_layers(tokens)).shape
    (3, 32)
    """

    _parameter_constraints: dict[str, Any] = {
        **MapsEncoder._parameter_constraints,
        "method": [StrOptions(_METHODS), list, tuple],
        "p": [Interval(Real, 0, None, closed="neither")],
        "n_levels": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
        "across_scales": [StrOptions({"concatenate", "mean"})],
    }

    def __init__(
        self,
        *,
        layer: str | None = None,
        scales: Sequence[int] | None = None,
        method: str | Sequence[str] = "avg",
        p: float = 3.0,
        n_levels: int = 3,
        normalize: bool = True,
        across_scales: str = "concatenate",
    ) -> None:
        self.layer = layer
        self.scales = scales
        self.method = method
        self.p = p
        self.n_levels = n_levels
        self.normalize = normalize
        self.across_scales = across_scales

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Remember the layer and the scales; there is nothing to learn.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps; see `skdeepenc.maps.as_feature_maps`.
        y : object, default=None
            Ignored.

        Returns
        -------
        GlobalPooler
            The fitted encoder.
        """
        unknown = [method for method in self._methods if method not in _METHODS]
        if unknown or not self._methods:
            raise ValueError(
                f"The 'method' parameter of GlobalPooler is {self.method!r}: each method of a list "
                f"must be one of {sorted(_METHODS)}, and there must be one at least."
            )
        self.n_scales_ = self._check_maps(X, reset=True).n_scales
        return self

    @property
    def _methods(self):
        return (self.method,) if isinstance(self.method, str) else tuple(self.method)

    def _choose_layers(self, maps):
        patches = self._choose_patches(maps)
        layers = [patches] if set(self._methods) - {"cls"} else []
        return [*layers, _class_layer(maps, patches)] if "cls" in self._methods else layers

    def _choose_patches(self, maps):
        """Return the layer to pool; beside "cls", not the class token itself."""
        layer = maps.deepest_layer if self.layer is None else self.layer
        patches = patches_of(layer)
        return patches if "cls" in self._methods and patches in maps.layers else layer

    @property
    def _columns_read(self):
        """Which of the layers the patches and the class tokens are, None where not read."""
        tokens = self.layers_in_[-1] if "cls" in self._methods else None
        return self.layers_in_[0] if set(self._methods) - {"cls"} else None, tokens

    @property
    def _n_features_out(self):
        n_blocks = self.n_scales_ if self.across_scales == "concatenate" else 1
        of_class, of_patches = self._channels_in[-1], self._channels_in[0]
        return n_blocks * sum(
            of_class if method == "cls" else of_patches for method in self._methods
        )

    @property
    def record_(self) -> GlobalPooling:
        """What `transform` computes with."""
        return GlobalPooling(
            self._methods, self.p, self.n_levels, self.normalize, self.across_scales
        )

    def _encode(self, maps):
        patches, tokens = self._columns(maps)
        return pool_globally(patches, self.record_, tokens)

    def _split(self, maps, direction):
        patches, tokens = self._columns(maps)
        return split_global_pooling(patches, self.record_, direction, tokens)

    def _columns(self, maps):
        """Return the patches and the class tokens of a batch, None where not read."""
        return [None if layer is None else maps.column(layer) for layer in self._columns_read]


def _class_layer(maps, layer):
    """Return the layer of the class token that goes with a layer, else the deepest one."""
    own = class_token_of(layer)
    tokens = list(filter(is_class_token, maps.layers))
    if tokens:
        return own if own in tokens else tokens[-1]
    raise FeatureMapsError(
        f"There is no class token {own!r}: the maps have {maps.layers}. Extract it beside the "
        f"patches, with layers=[{layer!r}, {own!r}]."
    )
