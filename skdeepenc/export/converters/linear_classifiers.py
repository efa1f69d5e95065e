"""Linear classifiers: scores are products with the coefficients.

scores         x W^T + b
probabilities  softmax of them, or their sigmoids, by what the classifier was fitted for
class          the place of the largest score; of two classes, whether the one score is positive
"""

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.svm import LinearSVC

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import or_one
from skdeepenc.export.registry import register

__all__ = ["class_of", "linear_scores", "sigmoid", "two_sided"]


def linear_scores(g, classifier, x):
    """Return the scores: (N,) of two classes, (N, n_classes) of more, as `decision_function`."""
    coefficients = np.atleast_2d(classifier.coef_)
    scores = x @ coefficients.T + classifier.intercept_
    return scores.reshape(-1) if len(coefficients) == 1 else scores


def class_of(g, scores, n_classes):
    """Return the places of the classes with the largest scores."""
    if n_classes == 2:
        return g.cast(scores > 0.0, np.int64)
    return g.ArgMax(scores, axis=1, keepdims=0)


def two_sided(g, positive):
    """Return the probabilities of two classes from that (N,) of the second."""
    second = positive.reshape(-1, 1)
    return g.concat([1.0 - second, second], axis=1)


def _write(g, classifier, x, probabilities=None):
    if np.ndim(classifier.classes_[0]):
        raise ExportError(
            f"{type(classifier).__name__} was fitted on several labels per image: fit one "
            "for each label."
        )
    n_classes = len(classifier.classes_)
    scores = linear_scores(g, classifier, x)
    outputs = {"scores": scores, "class": class_of(g, scores, n_classes)}
    if probabilities is not None:
        outputs["probabilities"] = probabilities(g, scores, n_classes)
    return outputs


def sigmoid(g, x):
    """Return ``1 / (1 + exp(-x))``: onnxruntime's own is zero from -18 on."""
    return 1.0 / (g.Exp(-x) + 1.0)


def _softmax(g, scores, n_classes):
    return two_sided(g, sigmoid(g, scores)) if n_classes == 2 else g.Softmax(scores, axis=1)


def _two_logits(g, scores, n_classes):
    """Return the softmax of a score and its negative, of two classes."""
    return _softmax(g, scores * 2.0 if n_classes == 2 else scores, n_classes)


def _shares_of_sigmoids(g, scores, n_classes):
    return _shares(g, sigmoid(g, scores), n_classes)


def _shares_of_clipped(g, scores, n_classes):
    return _shares(g, (g.Clip(scores, -1.0, 1.0) + 1.0) / 2.0, n_classes)


def _shares(g, positive, n_classes):
    """Return each class's share; where none has any, all have the same."""
    if n_classes == 2:
        return two_sided(g, positive)
    sums = positive.sum(1, keepdims=True)
    return g.Where(sums > 0.0, positive / or_one(g, sums), 1 / n_classes)


for _type in (LinearSVC, RidgeClassifier, RidgeClassifierCV, Perceptron):
    register(_type, _write)


@register(LinearDiscriminantAnalysis)
def write_discriminant_analysis(g, classifier, x):
    """Return scores, classes and probabilities, or the directions that part the classes."""

    def vectors():
        origin = classifier.xbar_ if classifier.solver == "svd" else np.zeros(1)
        return (x - origin) @ classifier.scalings_[:, : classifier._max_components]

    return _write(g, classifier, x, _softmax) | {"vector": vectors}


@register(LogisticRegression)
def write_logistic_regression(g, classifier, x):
    """Return scores, classes, and probabilities as the loss was."""
    # Until 1.7 scikit-learn had the choice, and until then liblinear had none.
    way = getattr(classifier, "multi_class", None)
    if way == "ovr" or classifier.solver == "liblinear":
        return _write(g, classifier, x, _shares_of_sigmoids)
    return _write(g, classifier, x, _two_logits if way == "multinomial" else _softmax)


@register(SGDClassifier)
def write_sgd_classifier(g, classifier, x):
    """Return scores and classes, and probabilities where the loss has some."""
    losses = {"log_loss": _shares_of_sigmoids, "modified_huber": _shares_of_clipped}
    return _write(g, classifier, x, losses.get(classifier.loss))
