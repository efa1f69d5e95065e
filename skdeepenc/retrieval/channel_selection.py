"""Rank by the guidance channels that a query activates most.

Cross-layer pooling gives a vector for every guidance channel. Most channels find little in a given
query, and what they pool is noise: comparing only the channels of the highest average activation
costs less, and mostly ranks better.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np

from skdeepenc._sklearn import Interval, StrOptions, validate_data
from skdeepenc._typing import Floats
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.retrieval.base import Ranker
from skdeepenc.retrieval.self_matches import RELATIVE_DIFFERENCE
from skdeepenc.retrieval.sign_codes import SignCodes


class AdaptiveChannelRanker(Ranker):
    """Rank a gallery by the guidance channels of highest average activation in each query.

    The similarity of a query q and an image x is ``sum_{k in S} P_q,k . P_x,k`` over the pooled
    vectors P of the channels S in which the query's average activation is largest. With a weight w
    the average activations A of all channels count beside them: ``w |P_q,S| |P_x| cos(A_q, A_x)``
    is added, S standing for all its channels side by side.

    Parameters
    ----------
    n_channels : int or None, default=50
        Number of channels to compare, clipped to those there are; None compares all.
    n_guidance_channels : int or None, default=None
        How many guidance channels K there are in an `X` that has K pooled vectors of one length
        side by side, and then the K average activations, as the example below makes it. None
        means that `X` holds average activations alone: every column is a channel, and what is
        pooled under it.
    quantize : {"sign"} or None, default="sign"
        "sign" compares the signs of pooled vectors only, stored in 2 bits a value; None compares
        their values.
    average_weight : float, default=0.0
        How much the average activations count beside the pooled vectors: they find images that
        show the same as the whole query, where the channels find its most striking parts.
    n_neighbors : int, default=None
        How many images `rank` and `kneighbors` return; None means the whole gallery.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.

    Attributes
    ----------
    gallery_ : SignCodes or ndarray of shape (n_gallery, n_values)
        The pooled vectors.
    activations_ : ndarray of shape (n_gallery, K)
        The average activations.
    n_channels_ : int
        Number of channels that are compared.
    labels_ : ndarray of shape (n_gallery,) or None
        What `y` was in `fit`.
    names_ : ndarray of shape (n_gallery,) or None
        What `names` was in `fit`.
    n_features_in_ : int
        Number of columns of `X`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if `fit` was given a frame with names.

    See Also
    --------
    skdeepenc.encoders.CrossLayerPooler : Makes the pooled vectors.
    SignCodes : Stores their signs, and searches a file of them.

    References
    ----------
    .. [1] L. Liu, C. Shen, A. van den Hengel, "Cross-Convolutional-Layer Pooling for Image
       Recognition", TPAMI 2017, Section 3.5, Equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline, make_union
    >>> from skdeepenc.encoders import CrossLayerPooler, GlobalPooler
    >>> from skdeepenc.maps import FeatureMaps
    >>> from skdeepenc.retrieval import AdaptiveChannelRanker
    >>> rng = np.random.RandomState(0)
    >>> layers = {"conv4": rng.rand(5, 3, 3, 8), "conv5": rng.rand(5, 3, 3, 6)}
    >>> maps = FeatureMaps.from_layers(layers)
    >>> ranker = make_pipeline(
    ...     make_union(CrossLayerPooler(), GlobalPooler(layer="conv5", normalize=False)),
    ...     AdaptiveChannelRanker(n_channels=2, n_guidance_channels=6),
    ... )
    >>> ranker.fit(maps).transform(maps[:1])  # of 2 channels with 8 values each
    array([[16.,  ...]])
    """

    _parameter_constraints: dict[str, Any] = {
        **Ranker._parameter_constraints,
        "n_channels": [Interval(Integral, 1, None, closed="left"), None],
        "n_guidance_channels": [Interval(Integral, 1, None, closed="left"), None],
        "quantize": [StrOptions({"sign"}), None],
        "average_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_channels: int | None = 50,
        n_guidance_channels: int | None = None,
        quantize: str | None = "sign",
        average_weight: float = 0.0,
        n_neighbors: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_channels = n_channels
        self.n_guidance_channels = n_guidance_channels
        self.quantize = quantize
        self.average_weight = average_weight
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    @property
    def gallery_(self) -> Any:
        """The pooled vectors of the gallery."""
        return self._gallery.vectors

    @property
    def activations_(self) -> Floats:
        """The average activations of the gallery."""
        return self._gallery.activations

    def _keep(self, images):
        there = images.shape[1]
        self.n_channels_ = there if self.n_channels is None else min(self.n_channels, there)
        super()._keep(images.stored(self.quantize))

    def _join(self, gallery, images):
        return gallery.joined(images.stored(self.quantize))

    def _check_images(self, X, *, reset):
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        if not reset:
            X = X.astype(self.activations_.dtype, copy=False)
        n_channels, n_columns = self.n_guidance_channels, X.shape[1]
        if n_channels is None:
            return _Images(X, X)
        if n_columns <= n_channels or n_columns % n_channels:
            raise ValueError(
                f"X has n_features={n_columns}, which cannot be {n_channels} pooled vectors of one "
                f"length and {n_channels} average activations (n_guidance_channels={n_channels}). "
                "Stack them with FeatureUnion: first the CrossLayerPooler, then "
                "GlobalPooler(layer=<the guidance layer>, normalize=False)."
            )
        return _Images(X[:, :-n_channels], X[:, -n_channels:])

    def _similarities(self, queries):
        vectors = queries.strongest(self.n_channels_)
        if self.quantize == "sign":
            found = self.gallery_.similarity(vectors).astype(self.activations_.dtype)
            vectors = np.sign(vectors)
        else:
            found = vectors @ self.gallery_.T
        if self.average_weight:
            lengths = self.average_weight * np.linalg.norm(vectors, axis=1)
            found += lengths[:, None] * self._gallery.lengths() * self._cosines(queries)
        return found

    def _cosines(self, queries):
        """Return the cosines of the average activations of queries and gallery."""
        return l2_normalize(queries.activations) @ l2_normalize(self.activations_).T

    def _bytes_per_query(self, n_kept):
        n_values = self.gallery_.shape[1]
        return super()._bytes_per_query(n_kept) + 3 * n_values * self.activations_.itemsize

    def _blocks(self, images):
        return [images.vectors]

    def _find_themselves(self, queries, y):
        if self.quantize is None:
            return super()._find_themselves(queries, y)
        return _find_same_codes(SignCodes.encode(queries.vectors), y, self.gallery_, self.labels_)


class _Images:
    """Pooled vectors, or their codes, and average activations of the same images."""

    def __init__(self, vectors, activations):
        self.vectors = vectors
        self.activations = activations

    @property
    def shape(self):
        return self.activations.shape

    def __len__(self):
        return len(self.activations)

    def __getitem__(self, images):
        return _Images(self.vectors[images], self.activations[images])

    def stored(self, quantize):
        """Return the images as a gallery keeps them."""
        if quantize is None or isinstance(self.vectors, SignCodes):
            return self
        return _Images(SignCodes.encode(self.vectors), self.activations)

    def lengths(self):
        """Return the length of the pooled vectors, or of their signs."""
        if isinstance(self.vectors, SignCodes):
            return np.sqrt(self.vectors.count_nonzero()).astype(self.activations.dtype)
        return np.linalg.norm(self.vectors, axis=1)

    def joined(self, others):
        """Return these images and others behind them, both stored alike."""
        is_coded = isinstance(self.vectors, SignCodes)
        join = SignCodes.concatenate if is_coded else np.concatenate
        activations = np.concatenate([self.activations, others.activations])
        return _Images(join([self.vectors, others.vectors]), activations)

    def strongest(self, n_channels):
        """Return the vectors with zeros in all but the channels of highest average activation."""
        vectors = self.vectors
        if isinstance(vectors, SignCodes):
            vectors = vectors.decode().astype(self.activations.dtype)
        order = np.argsort(-self.activations, axis=1, kind="stable")
        kept = np.zeros(self.shape, dtype=bool)
        np.put_along_axis(kept, order[:, :n_channels], True, axis=1)
        by_channel = vectors.reshape(*self.shape, -1)
        return np.where(kept[..., None], by_channel, 0).reshape(vectors.shape)


def _find_same_codes(queries, query_labels, gallery, gallery_labels):
    """Return the gallery code that each query is, or -1: the same label and, but for few, signs."""
    found = np.full(len(queries), -1)
    for label in np.intersect1d(query_labels, gallery_labels):
        rows = np.flatnonzero(query_labels == label)
        candidates = np.flatnonzero(gallery_labels == label)
        codes = gallery[candidates]
        differences = (
            queries[rows].count_nonzero()[:, None]
            + codes.count_nonzero()
            - 2 * codes.similarity(queries[rows])
        )
        nearest = differences.argmin(axis=1)
        allowed = RELATIVE_DIFFERENCE * queries[rows].count_nonzero()
        same = differences[np.arange(len(rows)), nearest] <= allowed
        found[rows[same]] = candidates[nearest[same]]
    return found
