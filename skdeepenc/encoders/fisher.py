"""Multi-scale pyramid pooling: Fisher vectors of dense activations at several scales.

Yoo, Park, Lee, Kweon: "Fisher Kernel for Deep Neural Activations", 2014.
"""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions, fit_context
from skdeepenc._typing import Floats, RandomState
from skdeepenc.encoders._linear_classifier import linear_weights
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.functional.confidence import confidence_maps
from skdeepenc.functional.gmm import fit_mixture
from skdeepenc.functional.multiscale_fisher import FisherRecord, multiscale_fisher
from skdeepenc.functional.pca import reduce_sample
from skdeepenc.functional.samples import largest_to_square
from skdeepenc.functional.spatial_pyramid import check_pyramid
from skdeepenc.maps import sample_descriptors
from skdeepenc.maps.coercion import MapsLike

__all__ = ["MultiScaleFisherEncoder"]


class MultiScaleFisherEncoder(MapsEncoder):
    """Encode dense activations of several scales as Fisher vectors.

    Descriptors are reduced by PCA and described by how they would move a mixture of Gaussians that
    was fitted to a sample of all scales. With ``pooling="mpp"`` (multi-scale pyramid pooling) the
    vector of an image is the mean, over the scales that have descriptors, of the L2-normalised
    Fisher vectors; a signed power and L2 normalisation follow.

    Parameters
    ----------
    layer : str or None, default=None
        The layer to encode, None for the deepest.
    scales : list of int or None, default=None
        Indices of the scales to encode, None for all.
    n_components : int or None, default=128
        Principal components that are kept of a descriptor, None for all.
    n_gaussians : int, default=256
        Gaussians of the mixture.
    pooling : {"mpp", "nfk", "csf"}, default="mpp"
        How scales become one vector: the mean of their normalised Fisher vectors ("mpp"), one
        Fisher vector over the descriptors of all scales ("nfk"), or their normalised Fisher vectors
        side by side ("csf"). Power and L2 normalisation end all three.
    spatial_pyramid : list of (int, int) or None, default=None
        Rows and columns of cells that divide the image, each encoded as an image of its own, one
        pair a level. The paper's is ``[(1, 1), (3, 1)]``; None is the whole image.
    power : float, default=0.5
        Exponent of the signed power normalisation; 1 changes nothing.
    max_iter : int, default=100
        Most steps of expectation maximisation. Few steps change the vectors little: a mixture need
        not converge to be of use.
    max_samples : int, default=256_000
        Most descriptors to learn components and mixture from, drawn evenly over images and scales.
    random_state : int, RandomState or None, default=None
        Seed of the sample and of the mixture's start.
    n_jobs : int or None, default=None
        Threads, each with one batch of images; see `skdeepenc.arrays.threads.in_jobs`.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    projection_ : PCA
        Reduces descriptors; of activations below 1e-9, in a unit whose squares can be told from 0.
    n_components_ : int
        Components kept, at most the number of channels and of sampled descriptors.
    means_, covariances_ : ndarray of shape (n_gaussians, n_components)
        Centres and variances of the Gaussians.
    weights_ : ndarray of shape (n_gaussians,)
        Their prior probabilities.
    n_gaussians_ : int
        Gaussians of the mixture, at most the number of distinct descriptors.
    n_iter_ : int
        Steps of expectation maximisation.
    converged_ : bool
        Whether the last step changed the mean log likelihood by less than 0.001.
    lower_bound_ : float
        Mean log likelihood of the sample.
    record_ : FisherRecord
        What `transform` computes with: all that was learned, and how scales are pooled.
    n_features_in_ : int
        Channels of a descriptor.

    See Also
    --------
    MOPVLADEncoder : VLAD of windows of three sizes.

    Notes
    -----
    Section 2.3, equation 1, of Yoo, Park, Lee and Kweon, "Fisher Kernel for Deep Neural
    Activations", 2014; the confidence maps are of section 4.5. The cells of a spatial pyramid are
    normalised one by one, and their concatenation once more.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import MultiScaleFisherEncoder
    >>> rng = np.random.default_rng(0)
    >>> images = [[rng.random((1, 1, 16)), rng.random((3, 4, 16))] for _ in range(20)]
    >>> encoder = MultiScaleFisherEncoder(n_components=8, n_gaussians=4, random_state=0)
    >>> encoder.fit_transform(images).shape
    (20, 64)
    """

    _parameter_constraints: dict[str, Any] = {
        **MapsEncoder._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_gaussians": [Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions({"mpp", "nfk", "csf"})],
        "spatial_pyramid": ["array-like", None],
        "power": [Interval(Real, 0, 1, closed="right")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
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
        n_components: int | None = 128,
        n_gaussians: int = 256,
        pooling: str = "mpp",
        spatial_pyramid: Sequence[tuple[int, int]] | None = None,
        power: float = 0.5,
        max_iter: int = 100,
        max_samples: int = 256_000,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.layer = layer
        self.scales = scales
        self.n_components = n_components
        self.n_gaussians = n_gaussians
        self.pooling = pooling
        self.spatial_pyramid = spatial_pyramid
        self.power = power
        self.max_iter = max_iter
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Learn components and mixture from a bounded sample of descriptors.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of images; see `as_feature_maps`.
        y : None
            Not used.

        Returns
        -------
        MultiScaleFisherEncoder
            The encoder itself.

        Warns
        -----
        ConvergenceWarning
            If the mixture has not converged after `max_iter` steps.
        """
        check_pyramid(self.spatial_pyramid)
        maps = self._check_maps(X, reset=True)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        sample = sample_descriptors(maps, max_samples=self.max_samples, random_state=seed)
        self.projection_, sample = reduce_sample(sample, self.n_components, random_state=seed)
        mixture = fit_mixture(sample, self.n_gaussians, max_iter=self.max_iter, random_state=seed)
        self.weights_, self.means_, self.covariances_ = mixture[:3]
        self.n_iter_, self.converged_, self.lower_bound_ = mixture[3:]
        self.n_gaussians_, self.n_components_ = self.means_.shape
        if not self.converged_:
            warnings.warn(
                f"The mixture of {self.n_gaussians_} Gaussians has not converged in max_iter="
                f"{self.max_iter} steps: raise max_iter, or take fewer Gaussians.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def confidence_maps(self, X: MapsLike, classifier: Any) -> list[list[Floats]]:
        """Score every descriptor as if it were the image.

        Each descriptor is encoded alone, at its scale and in its cells of the spatial pyramid, and
        its vector scored by the classifier's decision function.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the layers and scales that were fitted.
        classifier : estimator
            A linear classifier, fitted on what `transform` returns.

        Returns
        -------
        list of list of ndarray of shape (H, W, n_classes)
            The scores of each image and scale, in the order of ``classifier.classes_``; of two
            classes, the first has the opposite of the second.

        Raises
        ------
        NotFittedError
            If the encoder or the classifier is not fitted.
        ClassifierError
            If the classifier is not linear, or was fitted on vectors of another width.
        """
        check_is_fitted(self)
        maps = self._check_maps(X, reset=False)
        coefficients, intercepts = linear_weights(classifier, self._n_features_out)
        scored = []
        for batch in maps.iter_batches(None, self._bytes_per_image(maps)):
            column = batch.column(batch.layers[0])
            scored += confidence_maps(column, self.record_, coefficients, intercepts)
        return scored

    @property
    def record_(self) -> FisherRecord:
        """What `transform` computes with."""
        return FisherRecord(
            self.projection_,
            self.means_,
            self.covariances_,
            self.weights_,
            self.pooling,
            self.power,
            check_pyramid(self.spatial_pyramid),
        )

    @property
    def _n_features_out(self):
        n_scales = self.n_scales_in_ if self.scales is None else len(self.scales)
        return self.record_.n_features(n_scales)

    def _bytes_per_image(self, maps):
        """Return the size of an image's reduced descriptors, of their posteriors, of its vector.

        Vectors may be all there is in memory, and those of a batch are there twice until they are
        copied into the result: counted many times, they keep the batch a small part of it.
        """
        per_position = self.n_components_ + self.n_gaussians_
        itemsize = np.result_type(maps.dtype, np.float32).itemsize
        return itemsize * (
            16 * self._n_features_out + maps.n_positions(maps.layers[0]) * per_position
        )

    def _encode(self, maps):
        return multiscale_fisher(maps.column(maps.layers[0]), self.record_)
