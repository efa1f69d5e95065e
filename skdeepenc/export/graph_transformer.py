"""What estimators that compute by a graph have in common: they wrap another, fitted or not."""

from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import fit_context

__all__ = ["GraphTransformer"]


class GraphTransformer(TransformerMixin, BaseEstimator):
    """Base of estimators that run the graph of the estimator that their first parameter is.

    A subclass names that parameter in `_wraps`, and implements `transform`. What `fit` fits is a
    clone, under the parameter's name with an underscore.
    """

    _wraps: str

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Fit a clone of what is wrapped.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            What that is fitted on.
        y : array-like or None, default=None
            Labels, where it learns from them.

        Returns
        -------
        GraphTransformer
            Itself.
        """
        setattr(self, f"{self._wraps}_", clone(getattr(self, self._wraps)).fit(X, y))
        return self

    @property
    def _fitted(self):
        """What `transform` uses: the clone, or what was given."""
        return getattr(self, f"{self._wraps}_", getattr(self, self._wraps))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Name the values of the vectors, as what is wrapped does.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Not used.

        Returns
        -------
        ndarray of str
            The names.
        """
        check_is_fitted(self)
        return self._fitted.get_feature_names_out(input_features)

    def __sklearn_is_fitted__(self):
        try:
            check_is_fitted(self._fitted)
        except ValueError:  # NotFittedError
            return False
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = getattr(self, self._wraps).__sklearn_tags__()
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
