"""Whitening of the vectors that encoders give, learned from classes or from variances alone."""

from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, StrOptions, fit_context, validate_data
from skdeepenc.functional.whitening import fit_learned_whitening, fit_power_whitening, whiten

__all__ = ["PowerLawWhitening", "SupervisedWhitening"]

_FLOATS = [np.float64, np.float32]


class _Whitening(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What both have in common: how vectors are let in, and the function of a fitted `record_`."""

    _parameter_constraints: dict[str, Any] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None]
    }

    def transform(self, X: ArrayLike) -> Any:
        """Whiten vectors.

        Parameters
        ----------
        X : array-like of shape (n_images, n_features)
            Vectors, as an encoder gives them.

        Returns
        -------
        ndarray of shape (n_images, n_components)
            The whitened vectors, in the float type of `X`. They are not of unit length.
        """
        check_is_fitted(self)
        return whiten(validate_data(self, X, dtype=_FLOATS, reset=False), self.record_)

    def _check_vectors(self, X):
        return validate_data(self, X, dtype=_FLOATS, ensure_min_samples=2)

    def _keep(self, record):
        self.record_ = record
        self.mean_, self.components_ = record.mean, record.components
        self.n_components_ = len(record.components)
        return self

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class SupervisedWhitening(_Whitening):
    """Whiten what images of one class differ in, and put first what tells classes apart.

    Descriptors of a trained network hold much that matching images do not share, such as light and
    viewpoint. Their scatter within classes becomes white, and of what is left the directions of
    largest scatter come first, so that few components keep what distinguishes. Follow it by
    scikit-learn's `Normalizer`, as the paper does: ``make_pipeline(GlobalPooler(method="gem"),
    SupervisedWhitening(128), Normalizer())``.

    Parameters
    ----------
    n_components : int or None, default=None
        Components to keep, clipped to the directions in which the vectors vary; None for all.
    shrinkage : float or "auto", default="auto"
        How much of the scatter within classes is replaced by an even one, from 0 to 1. "auto" takes
        none where there are twice as many vectors as dimensions, not counting one for each class,
        and the share of Ledoit and Wolf where there are fewer.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The rows of the projection.
    mean_ : ndarray of shape (n_features,)
        The mean of the training vectors.
    n_components_ : int
        Components that are kept.
    shrinkage_ : float
        The shrinkage that was used.
    record_ : Whitening
        What `transform` computes with.
    n_features_in_ : int
        Width of the vectors.
    feature_names_in_ : ndarray of str
        Names of the columns, where a data frame was fitted.

    See Also
    --------
    PowerLawWhitening : Needs no classes.

    Notes
    -----
    Classes are what should match: the same building, the same object. An image that matches no
    other, such as a distractor, may be given a label of its own: it then counts only for the
    scatter of all.

    References
    ----------
    .. [1] F. Radenović, G. Tolias, O. Chum, "Fine-tuning CNN image retrieval with no human
       annotation", TPAMI 2019, Section 3.4.
    .. [2] K. Mikolajczyk, J. Matas, "Improving descriptors for fast tree matching by optimal linear
       projection", ICCV 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc import SupervisedWhitening
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1, 2], 30)
    >>> vectors = rng.normal(size=(90, 5)) + rng.normal(size=(3, 5))[labels]
    >>> SupervisedWhitening(n_components=2).fit_transform(vectors, labels).shape
    (90, 2)
    """

    _parameter_constraints: dict[str, Any] = {
        **_Whitening._parameter_constraints,
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    def __init__(
        self, n_components: int | None = None, *, shrinkage: float | Literal["auto"] = "auto"
    ) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> Self:
        """Learn the projection from vectors of known classes.

        Parameters
        ----------
        X : array-like of shape (n_images, n_features)
            Vectors, as an encoder gives them.
        y : array-like of shape (n_images,), default=None
            The class of each image.
        groups : array-like of shape (n_images,), default=None
            What matches, where that is not `y`: images of one group match.

        Returns
        -------
        SupervisedWhitening
            The fitted transformer.

        Raises
        ------
        DegenerateDataError
            If no two vectors of one class differ, or, with too little shrinkage, if they do not
            differ in all directions.
        """
        X = self._check_vectors(X)
        labels = self._labels(X, y, groups)
        record, self.shrinkage_ = fit_learned_whitening(
            X, labels, self.n_components, shrinkage=self.shrinkage
        )
        return self._keep(record)

    def _labels(self, X, y, groups):
        given = y if groups is None else groups
        if given is None:
            raise ValueError(
                "SupervisedWhitening requires y to be passed, but the target y is None: give the "
                "class of each image, or `groups`. PowerLawWhitening needs neither."
            )
        given = column_or_1d(given, warn=True)
        check_consistent_length(X, given)
        return np.unique(given, return_inverse=True)[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class PowerLawWhitening(_Whitening):
    """Scale principal components by a power of their variance: between PCA and whitening.

    Whitening amplifies components of little variance, which are mostly noise where few images
    taught them; PCA alone lets the few of large variance outweigh the rest. Follow it by
    scikit-learn's `Normalizer`.

    Parameters
    ----------
    n_components : int or None, default=None
        Components to keep, clipped to what the vectors allow; None for all.
    power : float, default=0.5
        The exponent t of ``variance ** (-t / 2)``: 0 is PCA, 1 whitening.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The rows of the projection: principal directions, scaled.
    mean_ : ndarray of shape (n_features,)
        The mean of the training vectors.
    n_components_ : int
        Components that are kept.
    record_ : Whitening
        What `transform` computes with.
    n_features_in_ : int
        Width of the vectors.
    feature_names_in_ : ndarray of str
        Names of the columns, where a data frame was fitted.

    See Also
    --------
    SupervisedWhitening : Learns from classes what to whiten.

    References
    ----------
    .. [1] A. Mukundan, G. Tolias, A. Bursuc, H. Jégou, O. Chum, "Understanding and improving kernel
       local descriptors", IJCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc import PowerLawWhitening
    >>> vectors = np.random.default_rng(0).normal(size=(90, 4)) * [1, 4, 9, 16]
    >>> whitened = PowerLawWhitening(power=0.5).fit_transform(vectors)
    >>> np.allclose(whitened.std(axis=0, ddof=1), [4, 3, 2, 1], rtol=0.1)
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **_Whitening._parameter_constraints,
        "power": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, n_components: int | None = None, *, power: float = 0.5) -> None:
        self.n_components = n_components
        self.power = power

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn principal components and their variances.

        Parameters
        ----------
        X : array-like of shape (n_images, n_features)
            Vectors, as an encoder gives them.
        y : None
            Not used, present for scikit-learn's conventions.

        Returns
        -------
        PowerLawWhitening
            The fitted transformer.
        """
        X = self._check_vectors(X)
        return self._keep(fit_power_whitening(X, self.n_components, power=self.power))
