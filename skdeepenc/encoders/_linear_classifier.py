"""Read the weights of a fitted linear classifier, to score parts of what it scores."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeepenc.exceptions import ClassifierError

__all__ = ["linear_weights"]


def linear_weights(classifier, n_features):
    """Return what a linear classifier multiplies with and adds, one row per class.

    Parameters
    ----------
    classifier : estimator
        Fitted and linear: ``decision_function(X) == X @ coef_.T + intercept_``. A search is asked
        for its best estimator, `OneVsRestClassifier` for its parts.
    n_features : int
        Width of the vectors to be scored.

    Returns
    -------
    coefficients : ndarray of shape (n_classes, n_features)
        Of two classes, the first has the opposite of the second.
    intercepts : ndarray of shape (n_classes,)
        What is added.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ClassifierError
        If it is not linear, or was fitted on vectors of another width.
    """
    check_is_fitted(classifier)
    classifier = getattr(classifier, "best_estimator_", classifier)
    coefficients, intercepts = _coefficients(classifier)
    if coefficients.shape[1] != n_features:
        raise ClassifierError(
            f"{type(classifier).__name__} was fitted on vectors of {coefficients.shape[1]} values, "
            f"the encoder gives {n_features}: fit it on what this encoder's transform returns."
        )
    _check_linear(classifier, coefficients, intercepts)
    if len(coefficients) == 1:
        coefficients, intercepts = (np.concatenate([-x, x]) for x in (coefficients, intercepts))
    return coefficients, intercepts


def _coefficients(classifier):
    """Return `coef_` and `intercept_` with one row for each column of the decision function."""
    parts = getattr(classifier, "estimators_", [classifier])
    try:
        rows = [np.atleast_2d(part.coef_) for part in parts]
        added = [
            np.broadcast_to(part.intercept_, len(row))
            for part, row in zip(parts, rows, strict=True)
        ]
    except AttributeError:
        raise _not_linear(classifier) from None
    return np.concatenate(rows), np.concatenate(added)


def _check_linear(classifier, coefficients, intercepts):
    """Compare the decision function with the weights on one vector: kernels have `coef_` too."""
    probe = np.random.RandomState(0).standard_normal((1, coefficients.shape[1]))
    expected = (probe @ coefficients.T + intercepts).ravel()
    decide = getattr(classifier, "decision_function", np.zeros_like)
    decisions = np.ravel(decide(probe))
    if decisions.shape != expected.shape or not np.allclose(decisions, expected, 1e-3, 1e-3):
        raise _not_linear(classifier)


def _not_linear(classifier):
    return ClassifierError(
        f"{type(classifier).__name__} is not linear, so its score is not a sum over the parts of "
        "an image. Fit LinearSVC, LogisticRegression, SGDClassifier or RidgeClassifier instead, or "
        "OneVsRestClassifier of one of those."
    )
