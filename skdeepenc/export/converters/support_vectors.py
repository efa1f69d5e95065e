"""Support vector machines with a linear kernel: a vote of one score for each pair of classes."""

from itertools import combinations

import numpy as np
from sklearn.svm import SVC, NuSVC

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.linear_classifiers import class_of
from skdeepenc.export.registry import register


@register(SVC)
@register(NuSVC)
def write_svc(g, classifier, x):
    """Return scores as `decision_function_shape` wants them, and the class with most votes."""
    if classifier.kernel != "linear":
        raise ExportError(
            f"{type(classifier).__name__} with kernel={classifier.kernel!r} keeps its support "
            'vectors: export one with kernel="linear", or LinearSVC.'
        )
    n_classes = len(classifier.classes_)
    coefficients = classifier.coef_
    coefficients = coefficients.toarray() if hasattr(coefficients, "toarray") else coefficients
    pairs = x @ coefficients.T + classifier.intercept_
    if n_classes == 2:
        scores = pairs.reshape(-1)
        return {"scores": scores, "class": class_of(g, scores, 2)}
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
