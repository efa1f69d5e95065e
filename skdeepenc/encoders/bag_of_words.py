"""Bags of visual words: how often each of very many words occurs in an image.

Layer fusion reads convolutional layers in this form. Yu, Yang, Yao, Sun, Xu: "Exploiting the
complementary strengths of multi-layer CNN features for image retrieval", Neurocomputing 2017.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions, fit_context, output_container
from skdeepenc._typing import RandomState
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.functional.samples import largest_to_sum
from skdeepenc.functional.visual_words import VisualWords, bag_of_words, fit_words, open_index
from skdeepenc.maps import sample_descriptors
from skdeepenc.maps.coercion import MapsLike
from skdeepenc.maps.labels import labelled

__all__ = ["BagOfVisualWords"]


class BagOfVisualWords(MapsEncoder):
    """Encode images by the counts of their visual words, as sparse rows.

    The words are learned by approximate k-means from a sample of descriptors, and each descriptor
    of an image, at any scale, counts for its nearest word. Cosine similarity of the counts is what
    layer fusion takes for convolutional layers.

    Words that fill a sky or a wall outweigh all others in that similarity: ``power=0.5`` takes
    square roots of the counts, and ``power=0`` tells only which words occur.

    Parameters
    ----------
    layer : str or None, default=None
        Layer to encode, None for the deepest that is not "rgb".
    scales : list of int or None, default=None
        Scales to use, None for all.
    n_words : int, default=50_000
        Number of words, clipped to the number of distinct descriptors of the sample. The paper has
        50,000 to 100,000.
    search : {"auto", "exact", "faiss"}, default="auto"
        How to find the nearest word: by exact products, or approximately by an index of faiss,
        which is built to agree in 95 of 100 assignments. "auto" takes the index where faiss is
        installed and there are words enough for it to be faster, from 4,096 on.
    idf : bool, default=False
        Whether to weigh words by their inverse document frequency among the training images, as
        scikit-learn's `TfidfTransformer` does, without its normalisation.
    power : float, default=1.0
        Exponent of the counts, before they are weighed.
    max_samples : int, default=4_000_000
        Most descriptors to learn words from. They are held in memory: 4 bytes for each channel.
    random_state : int, RandomState or None, default=None
        Seed of the sample, the first words and the index.
    n_jobs : int or None, default=None
        Threads, each with one batch of images; see `skdeepenc.arrays.threads.in_jobs`.
    verbose : int, default=0
        Whether to show progress; above 1 it stays on the screen.

    Attributes
    ----------
    words_ : ndarray of shape (n_words, n_features)
        The words.
    n_words_ : int
        How many there are.
    agreement_ : float
        The share of sampled descriptors for which the search finds the very nearest word; 1 for
        exact search.
    idf_ : ndarray of shape (n_words,) or None
        The weights of the words.
    record_ : VisualWords
        What `transform` computes with: words, index and weights.
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
    skdeepenc.retrieval.LayerFusionRanker : Joins words with other layers.

    References
    ----------
    .. [1] J. Philbin, O. Chum, M. Isard, J. Sivic, A. Zisserman, "Object retrieval with large
       vocabularies and fast spatial matching", CVPR 2007, section 3.
    .. [2] W. Yu, K. Yang, H. Yao, X. Sun, P. Xu, "Exploiting the complementary strengths of
       multi-layer CNN features for image retrieval", Neurocomputing 2017, section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import BagOfVisualWords
    >>> images = [np.array([[0.0], [0.1], [9.0]]), np.array([[9.1], [8.9]])]
    >>> encoder = BagOfVisualWords(n_words=2, random_state=0)
    >>> np.sort(encoder.fit_transform(images).toarray(), axis=1)
    array([[1., 2.],
           [0., 2.]])
    """

    _parameter_constraints: dict[str, Any] = {
        **MapsEncoder._parameter_constraints,
        "n_words": [Interval(Integral, 1, None, closed="left")],
        "search": [StrOptions({"auto", "exact", "faiss"})],
        "idf": ["boolean"],
        "power": [Interval(Real, 0, 1, closed="both")],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    _largest = staticmethod(largest_to_sum)

    def __init__(
        self,
        *,
        layer: str | None = None,
        scales: Sequence[int] | None = None,
        n_words: int = 50_000,
        search: str = "auto",
        idf: bool = False,
        power: float = 1.0,
        max_samples: int = 4_000_000,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.layer = layer
        self.scales = scales
        self.n_words = n_words
        self.search = search
        self.idf = idf
        self.power = power
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Learn the words, and their weights where asked for.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the training images; see `as_feature_maps`.
        y : None
            Not used, present for scikit-learn's conventions.

        Returns
        -------
        BagOfVisualWords
            The fitted encoder.
        """
        maps = self._check_maps(X, reset=True)
        rng = check_random_state(self.random_state)
        sample = sample_descriptors(maps, max_samples=self.max_samples, random_state=rng)
        self.words_ = fit_words(
            sample, self.n_words, search=self.search, random_state=rng, verbose=self.verbose
        )
        self.n_words_ = len(self.words_)
        self._index, self.agreement_ = open_index(self.words_, sample, self.search, rng)
        del sample
        self.idf_ = None
        if self.idf:
            self.idf_ = TfidfTransformer(norm=None).fit(self._count_words(maps)).idf_
        return self

    def transform(self, X: MapsLike) -> Any:
        """Count the words of images.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the layer and scales that were fitted; see `as_feature_maps`.

        Returns
        -------
        csr_array of shape (n_images, n_words)
            Counts to the `power`, weighted with ``idf=True``, in the float type of `X`. Tables of
            pandas and polars are dense, where ``transform_output`` asks for them.
        """
        check_is_fitted(self)
        counts = self._count_words(self._check_maps(X, reset=False))
        if output_container(self) == "default":
            return counts
        return labelled(self, counts.toarray(), X)

    def _count_words(self, maps):
        return sparse.vstack(
            [counts for _, counts in self._encoded_batches(maps, self._encode)], format="csr"
        )

    def _encode(self, maps):
        return bag_of_words(maps.column(maps.layers[0]), self.record_)

    @property
    def record_(self) -> VisualWords:
        """What `transform` computes with."""
        return VisualWords(self.words_, self._index, self.idf_, self.power)

    @property
    def _n_features_out(self):
        return self.n_words_
