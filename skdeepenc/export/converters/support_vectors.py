"""Support vector machines: a vote of one score for each pair of classes.

kernel         of a vector x and the support vectors s, k(x, s): x s, (gamma x s + c)^degree,
               tanh(gamma x s + c) or exp(-gamma |x - s|^2)
pairs          k(x, s) alpha + b, positive for the first class of a pair, or, of two classes in all,
               for the second
class          the one with most votes of pairs
probabilities  those that agree best with what Platt's sigmoids say of every pair
"""

from itertools import combinations

import numpy as np
from sklearn.svm import SVC, NuSVC

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.distances import dense, squared_distances
from skdeepenc.export.converters.linear_classifiers import class_of, sigmoid
from skdeepenc.export.converters.pairwise_coupling import couple
from skdeepenc.export.registry import register


@register(SVC)
@register(NuSVC)
def write_svc(g, classifier, x):
    """Return scores as `decision_function_shape` wants them, classes, perhaps probabilities."""
    if classifier.kernel not in _KERNELS:
        raise ExportError(
            f"{type(classifier).__name__} with kernel={_name(classifier.kernel)} has no graph: fit "
            f"it with one of {', '.join(map(repr, _KERNELS))}, or take LinearSVC."
        )
    pairs = _KERNELS[classifier.kernel](g, classifier, x) + classifier.intercept_
    n_classes = len(classifier.classes_)
    outputs = (_of_two if n_classes == 2 else _of_many)(g, classifier, pairs)
    if len(classifier._probA):
        outputs["probabilities"] = _probabilities(g, classifier, pairs)
    return outputs


def _name(kernel):
    return getattr(kernel, "__qualname__", repr(kernel))


def _linear(g, classifier, x):
    return x @ dense(classifier.coef_).T


def _by_vectors(kernel):
    """Return what adds up the support vectors of each pair."""

    def add_up(g, classifier, x):
        similarities = kernel(g, classifier, x, dense(classifier.support_vectors_))
        return similarities @ _pair_coefficients(classifier)

    return add_up


def _products(g, classifier, x, vectors):
    return x @ (vectors.T * classifier._gamma) + float(classifier.coef0)


def _poly(g, classifier, x, vectors):
    return g.Pow(_products(g, classifier, x, vectors), float(classifier.degree))


def _sigmoid(g, classifier, x, vectors):
    return g.Tanh(_products(g, classifier, x, vectors))


def _rbf(g, classifier, x, vectors):
    return g.Exp(squared_distances(g, x, vectors) * -float(classifier._gamma))


_KERNELS = {"linear": _linear}
_KERNELS |= {k: _by_vectors(f) for k, f in (("poly", _poly), ("rbf", _rbf), ("sigmoid", _sigmoid))}


def _pair_coefficients(classifier):
    """Return what each support vector gives to each pair, of shape (vectors, pairs).

    Vectors stand class by class. For a pair with class c those of the other class have row c of
    the dual coefficients, which leaves out the vectors' own class.
    """
    dual = dense(classifier.dual_coef_)
    if len(classifier.classes_) == 2:
        return dual.T
    ends = np.cumsum(classifier.n_support_)
    rows = [slice(*ends_) for ends_ in zip(ends - classifier.n_support_, ends, strict=True)]
    pairs = list(combinations(range(len(ends)), 2))
    coefficients = np.zeros((dual.shape[1], len(pairs)))
    for column, (first, second) in enumerate(pairs):
        coefficients[rows[first], column] = dual[second - 1, rows[first]]
        coefficients[rows[second], column] = dual[first, rows[second]]
    return coefficients


def _of_two(g, classifier, pairs):
    scores = pairs.reshape(-1)
    return {"scores": scores, "class": class_of(g, scores, 2)}


def _of_many(g, classifier, pairs):
    n_classes = len(classifier.classes_)
    signs = _signs(n_classes)
    first = g.cast(pairs > 0.0, np.float32)
    votes = first @ np.maximum(signs, 0) + (1.0 - first) @ np.maximum(-signs, 0)
    sums = pairs @ signs
    # Sums break ties, never more than a third of a vote.
    by_class = votes + sums / (g.Abs(sums) * 3.0 + 3.0)
    decide = by_class if classifier.break_ties else votes
    scores = by_class if classifier.decision_function_shape == "ovr" else pairs
    return {"scores": scores, "class": class_of(g, decide, n_classes)}


def _signs(n_classes):
    """Return for which class each pair speaks if its score is positive (1) and negative (-1)."""
    pairs = list(combinations(range(n_classes), 2))
    signs = np.zeros((len(pairs), n_classes), dtype=np.float32)
    for row, (first, second) in enumerate(pairs):
        signs[row, first], signs[row, second] = 1, -1
    return signs


def _probabilities(g, classifier, pairs):
    n_classes = len(classifier.classes_)
    # The sigmoids were fitted to scores that are positive for the first of two classes.
    slopes = classifier._probA * (-1 if n_classes == 2 else 1)
    return couple(g, sigmoid(g, -(pairs * slopes + classifier._probB)), n_classes)
