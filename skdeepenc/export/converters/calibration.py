"""Calibrated probabilities: the mean of classifiers, each followed by curves that were fitted."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.linear_classifiers import sigmoid, two_sided
from skdeepenc.export.converters.normalize import or_one
from skdeepenc.export.registry import convert, register

# What scikit-learn adds before the logarithm.
_TINY = 1e-12


@register(CalibratedClassifierCV)
def write_calibrated(g, classifier, x):
    """Return the mean of the members' probabilities, and the class with the largest."""
    members = classifier.calibrated_classifiers_
    summed = _probabilities(g, members[0], x)
    for member in members[1:]:
        summed = summed + _probabilities(g, member, x)
    mean = summed / float(len(members))
    return {"probabilities": mean, "class": g.ArgMax(mean, axis=1, keepdims=0)}


def _probabilities(g, member, x):
    outputs = convert(g, member.estimator, x)
    has_scores = hasattr(member.estimator, "decision_function")
    if has_scores and "scores" not in outputs:
        raise ExportError(
            f"CalibratedClassifierCV calibrates scores of {type(member.estimator).__name__}, and "
            "its graph tells none: calibrate another classifier."
        )
    scores = outputs["scores" if has_scores else "probabilities"]
    n_classes = len(member.classes)
    if member.method == "temperature":
        return _tempered(g, member.calibrators[0], scores, has_scores, n_classes)
    if n_classes == 2:
        second = scores.reshape(-1) if has_scores else g.Gather(scores, np.array(1), axis=1)
        return two_sided(g, _calibrated(g, member.calibrators[0], second))
    _check_classes(member)
    columns = [
        _calibrated(g, calibrator, g.Gather(scores, np.array(number), axis=1)).reshape(-1, 1)
        for number, calibrator in enumerate(member.calibrators)
    ]
    curves = g.concat(columns, axis=1)
    sums = curves.sum(1, keepdims=True)
    return g.Where(sums > 0.0, curves / or_one(g, sums), 1 / n_classes)


def _check_classes(member):
    if len(member.estimator.classes_) != len(member.classes):
        raise ExportError(
            "A fold of CalibratedClassifierCV lacked some classes: give it more images per "
            "class, or fewer folds."
        )


def _tempered(g, calibrator, scores, has_scores, n_classes):
    """Return the softmax of scores, or of logarithms of probabilities, times a factor."""
    beta = float(calibrator.beta_)
    if has_scores and n_classes == 2:
        one = scores.reshape(-1, 1)
        return g.Softmax(g.concat([-one, one], axis=1) * beta, axis=1)
    logits = scores if has_scores else g.Log(scores + _TINY)
    return g.Softmax(logits * beta, axis=1)


def _calibrated(g, calibrator, scores):
    """Return the curve of a calibrator at scores (N,)."""
    if hasattr(calibrator, "a_"):
        return sigmoid(g, scores * -float(calibrator.a_) - float(calibrator.b_))
    return _interpolated(g, calibrator, scores)


def _interpolated(g, calibrator, scores):
    """Return an isotonic curve: straight lines between thresholds, constant beyond the last."""
    x, y = calibrator.X_thresholds_, calibrator.y_thresholds_
    if len(x) == 1:
        return scores * 0.0 + float(y[0])
    slopes = np.diff(y) / np.diff(x)
    within = g.Clip(scores, float(x[0]), float(x[-1]))
    passed = g.cast(within.reshape(-1, 1) > x[1:-1], np.int64).sum(1)
    starts, bases, rises = (g.Gather(values, passed, axis=0) for values in (x[:-1], y[:-1], slopes))
    return bases + (within - starts) * rises
