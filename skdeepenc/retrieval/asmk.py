"""Rank by local descriptors: the aggregated selective match kernel, over an inverted file."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc._typing import Floats, Items, RandomState
from skdeepenc.arrays.segments import segment_mean
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.asmk import WordResiduals, aggregate_residuals, match_kernel
from skdeepenc.functional.kernel_shares import split_match_kernel
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.visual_words import fit_words
from skdeepenc.maps import sample_descriptors
from skdeepenc.retrieval._gallery import Images
from skdeepenc.retrieval.base import Ranker
from skdeepenc.retrieval.maps_input import checked_maps
from skdeepenc.retrieval.word_search import WordSearch

__all__ = ["ASMKRanker"]

# On how many descriptors an index of words is measured.
_N_CHECKED = 256


class ASMKRanker(Ranker):
    """Rank maps by their local descriptors: the aggregated selective match kernel.

    Descriptors of an image that have the same visual word are aggregated to one residual. Two
    images are compared word by word, by the selected similarities of their residuals: small ones
    count for little, and those up to the threshold for nothing. The similarity of an image with
    itself is 1, the largest there is.

    The words are learned from the first gallery, by approximate k-means, or given: the papers learn
    them from other images. `partial_fit` adds images to the inverted file and leaves the words as
    they are.

    Parameters
    ----------
    layer : str or None, default=None
        The layer whose descriptors are compared; None takes the only one, or the deepest that is
        not "rgb".
    scales : list of int or None, default=None
        Scales to use, None for all.
    n_words : int, default=65_536
        Number of visual words, clipped to the number of distinct descriptors of the sample.
    words : array-like of shape (n_words, n_features) or None, default=None
        Visual words that were learned elsewhere, instead of `n_words` learned here.
    n_assigned : int, default=1
        How many words each descriptor of a query has (multiple assignment). Those of the gallery
        have one.
    normalize_descriptors : bool, default=False
        Whether descriptors are brought to unit length first. Descriptors that were trained for this
        kernel have it; those of a network trained to classify need it, and words that are given
        must then be of such descriptors.
    alpha : float, default=3.0
        Exponent of the similarity of residuals: the larger it is, the less weak matches count.
    threshold : float, default=0.0
        Residuals match only where their similarity is above it; -1 lets all match but opposites.
    binary : bool, default=False
        Whether to keep the signs of residuals alone, 32 times smaller, and compare them by counting
        bits.
    search : {"auto", "exact", "faiss"}, default="auto"
        How to find the nearest words: by exact products, or approximately by an index of faiss,
        which is built to agree in 95 of 100 assignments. "auto" takes the index where faiss is
        installed and there are words enough for it to be faster, from 4,096 on.
    max_samples : int, default=1_000_000
        Most descriptors to learn words from. They are held in memory.
    n_neighbors : int or None, default=None
        How many images `rank` and `kneighbors` return; None for all.
    random_state : int, RandomState or None, default=None
        Seed of the sample, the first words and the index.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.
    verbose : int, default=0
        Whether to show progress while words are learned; above 1 it stays on the screen.

    Attributes
    ----------
    words_ : ndarray of shape (n_words, n_features)
        The visual words.
    n_words_ : int
        How many there are.
    layer_ : str
        The layer that is compared.
    gallery_ : WordResiduals
        The residuals of the gallery, sorted by word.
    n_features_in_ : int
        Number of channels of the layer.
    labels_ : ndarray of shape (n_gallery,) or None
        What `y` was in `fit`.
    names_ : ndarray of shape (n_gallery,) or None
        What `names` was in `fit`.

    See Also
    --------
    LocalRanker : Compares all positions of a few candidates, without words.
    skdeepenc.encoders.BagOfVisualWords : Counts words.

    References
    ----------
    G. Tolias, Y. Avrithis, H. Jegou, "To aggregate or not to aggregate: selective match kernels for
    image search", ICCV 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import ASMKRanker
    >>> maps = np.random.default_rng(0).normal(size=(6, 5, 5, 8)).astype(np.float32)
    >>> ranker = ASMKRanker(n_words=4, random_state=0).fit(maps)
    >>> ranker.rank(maps[2:4, 1:])[:, 0]
    array([2, 3])
    """

    _parameter_constraints: dict[str, Any] = {
        **Ranker._parameter_constraints,
        "layer": [str, None],
        "scales": ["array-like", None],
        "n_words": [Interval(Integral, 1, None, closed="left")],
        "words": ["array-like", None],
        "n_assigned": [Interval(Integral, 1, None, closed="left")],
        "normalize_descriptors": ["boolean"],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "threshold": [Interval(Real, -1, 1, closed="left")],
        "binary": ["boolean"],
        "search": [StrOptions({"auto", "exact", "faiss"})],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        layer: str | None = None,
        scales: Sequence[int] | None = None,
        n_words: int = 65_536,
        words: ArrayLike | None = None,
        n_assigned: int = 1,
        normalize_descriptors: bool = False,
        alpha: float = 3.0,
        threshold: float = 0.0,
        binary: bool = False,
        search: str = "auto",
        max_samples: int = 1_000_000,
        n_neighbors: int | None = None,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.layer = layer
        self.scales = scales
        self.n_words = n_words
        self.words = words
        self.n_assigned = n_assigned
        self.normalize_descriptors = normalize_descriptors
        self.alpha = alpha
        self.threshold = threshold
        self.binary = binary
        self.search = search
        self.max_samples = max_samples
        self.n_neighbors = n_neighbors
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Images, y: ArrayLike | None = None, *, names: Items | None = None) -> Self:
        """Learn the words and keep the gallery.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            The maps of the gallery; see `skdeepenc.maps.as_feature_maps`.
        y : array-like of shape (n_gallery,), default=None
            Labels, needed by `score`.
        names : array-like of shape (n_gallery,), default=None
            What the images are called, such as paths, for ``rank(return_names=True)``.

        Returns
        -------
        ASMKRanker
            The ranker itself.
        """
        self._validate_params()
        maps = checked_maps(self, X, reset=True, scales=self.scales)
        self._learn_words(maps)
        return super().fit(maps, y, names=names)

    @property
    def n_words_(self) -> int:
        """How many words there are."""
        return len(self.words_)

    def _learn_words(self, maps):
        rng = check_random_state(self.random_state)
        sample = sample_descriptors(maps, max_samples=self.max_samples, random_state=rng)
        if not len(sample):
            raise FeatureMapsError(
                "No image has descriptors: there is nothing to learn words from."
            )
        if self.normalize_descriptors:
            sample = l2_normalize(sample)
        self.words_ = self._given_words(sample)
        if self.words_ is None:
            self.words_ = fit_words(
                sample, self.n_words, search=self.search, random_state=rng, verbose=self.verbose
            )
        checked = sample[rng.choice(len(sample), min(_N_CHECKED, len(sample)), replace=False)]
        seed = rng.randint(np.iinfo(np.int32).max)
        self._search_words = WordSearch(self.words_, checked, self.search, seed)

    def _given_words(self, sample):
        """Return the words that were learned elsewhere, or None."""
        if self.words is None:
            return None
        words = check_array(self.words, dtype=sample.dtype, input_name="words")
        if words.shape[1] != sample.shape[1]:
            raise FeatureMapsError(
                f"Words have {words.shape[1]} values, but layer {self.layer_!r} has "
                f"{sample.shape[1]} channels."
            )
        return words

    def contributions(
        self, query: Images, result: Images
    ) -> tuple[float, list[Floats], list[Floats]]:
        """Split the similarity of two images over the positions of each.

        Parameters
        ----------
        query, result : FeatureMaps, array-like or sequence
            The maps of one image each.

        Returns
        -------
        similarity : float
            The similarity of the two.
        query_shares, result_shares : list of ndarray of shape (H, W)
            What each position adds to it, at each scale; either adds up to the similarity.
        """
        check_is_fitted(self)
        columns = [
            self._column(next(self._check_images(X, reset=False).iter_batches()))
            for X in (query, result)
        ]
        assigned = [
            self._search_words.find(column.values, n_words)
            for column, n_words in zip(columns, (self.n_assigned, 1), strict=True)
        ]
        return split_match_kernel(
            columns,
            self.words_,
            assigned,
            alpha=self.alpha,
            threshold=self.threshold,
            binary=self.binary,
        )

    def _check_images(self, X, *, reset):
        return X if reset else checked_maps(self, X, reset=False, scales=self.scales)

    def _keep(self, images):
        super()._keep(self._aggregated(images, n_assigned=1))

    def _join(self, gallery, images):
        return WordResiduals.concatenate([gallery, self._aggregated(images, n_assigned=1)])

    def _prepare(self):
        self._search_words.build()

    def _aggregated(self, images, n_assigned):
        """Return the residuals of maps; what is aggregated already stays so."""
        if isinstance(images, WordResiduals):
            return images
        parts = []
        for batch in images.iter_batches():
            column = self._column(batch)
            assigned = self._search_words.find(column.values, n_assigned)
            parts.append(aggregate_residuals(column, self.words_, assigned, binary=self.binary))
        return WordResiduals.concatenate(parts)

    def _column(self, batch):
        """Return the descriptors of images, as the words are."""
        column = batch.column(self.layer_)
        values = column.values.astype(self.words_.dtype, copy=False)
        return column.with_values(l2_normalize(values) if self.normalize_descriptors else values)

    def _similarities(self, queries):
        residuals = self._aggregated(queries, self.n_assigned)
        return match_kernel(residuals, self._gallery, alpha=self.alpha, threshold=self.threshold)

    def _distances(self, similarities):
        return 1 - similarities

    def _blocks(self, images):
        if isinstance(images, WordResiduals):
            return [images.means]
        columns = map(self._column, images.iter_batches())
        return [np.concatenate([segment_mean(c.values, c.image_offsets) for c in columns])]
