"""One vector an image by global pooling: the baselines that everything else is measured against."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Self

from numpy.typing import ArrayLike

from skdeepenc._sklearn import Interval, StrOptions, fit_context
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.functional.global_pooling import GlobalPooling, pool_globally
from skdeepenc.maps.coercion import MapsLike

__all__ = ["GlobalPooler"]


class GlobalPooler(MapsEncoder):
    """Pool the map of each image and scale into one vector.

    Parameters
    ----------
    layer : str or None, default=None
        The layer to pool; None takes the only one, or of several the deepest that is not "rgb".
    scales : array-like of int or None, default=None
        Indices of the scales to pool; None takes all.
    method : {"avg", "max", "gem", "spoc", "crow", "rmac"}, default="avg"
        Average, maximum (MAC), generalized mean, sum with centre prior (SPoC), sum with
        cross-dimensional weights (CroW), or regional maxima (R-MAC, without the whitening of
        region vectors: that is `ClusterMAC` with ``regions="rmac"``).
    p : float, default=3.0
        Exponent of "gem".
    n_levels : int, default=3
        Number of region sizes of "rmac".
    normalize : bool, default=True
        Whether to L2-normalise the vector of each scale, and the result.
    across_scales : {"concatenate", "mean"}, default="concatenate"
        Put the vectors of the scales side by side, or take their mean over the scales at which the
        image has descriptors.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels of the layer.
    layers_in_ : tuple of str
        Name of the layer that is pooled.
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
    """

    _parameter_constraints: dict = {
        **MapsEncoder._parameter_constraints,
        "method": [StrOptions({"avg", "max", "gem", "spoc", "crow", "rmac"})],
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
        method: str = "avg",
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
        self.n_scales_ = self._check_maps(X, reset=True).n_scales
        return self

    @property
    def _n_features_out(self):
        n_blocks = self.n_scales_ if self.across_scales == "concatenate" else 1
        return n_blocks * self.n_features_in_

    @property
    def record_(self):
        """What `transform` computes with."""
        return GlobalPooling(self.method, self.p, self.n_levels, self.normalize, self.across_scales)

    def _encode(self, maps):
        return pool_globally(maps.column(maps.layers[0]), self.record_)

    def _bytes_per_image(self, maps):
        """Allow for the fractions, their powers and the peaks that "gem" takes them of."""
        if self.method != "gem":
            return None
        layer = maps.layers[0]
        return 4 * maps.n_positions(layer) * maps.n_channels(layer) * maps.dtype.itemsize
