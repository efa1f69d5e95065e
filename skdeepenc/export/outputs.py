"""What a graph returns, and what Python's pipeline returns in its place.

==================  =======  ==================================================================
output              type     of the pipeline's last step, but for the vector
==================  =======  ==================================================================
``vector``          float32  (N, d), what goes into a predictor, or comes out of the last step
``scores``          float32  `decision_function`, (N, n_classes), or (N,) of two classes; of a
                             ranker its similarities, (N, n_gallery)
``probabilities``   float32  `predict_proba`
``class``           int64    (N,), the places of `predict`'s labels among the classes
``neighbors``       int64    (N, k), the nearest first
==================  =======  ==================================================================
"""

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from skdeepenc.exceptions import ExportError

__all__ = ["OUTPUTS", "choose_outputs", "output_sides", "reference_outputs"]

OUTPUTS = {
    "vector": np.float32,
    "scores": np.float32,
    "probabilities": np.float32,
    "class": np.int64,
    "neighbors": np.int64,
}


def _is_predictor(step):
    """Tell whether the graph of a last step predicts, or ranks, rather than transforms."""
    if hasattr(step, "kneighbors") or is_classifier(step):
        return True
    return hasattr(step, "predict") and not hasattr(step, "transform")


def choose_outputs(available, outputs):
    """Return the names of the outputs to declare.

    Parameters
    ----------
    available : collection of str
        What the pipeline can give.
    outputs : sequence of str, str or None
        What is wanted, None for all.

    Returns
    -------
    list of str
        The names.

    Raises
    ------
    ExportError
        If the pipeline cannot give one.
    """
    if outputs is None:
        return [name for name in OUTPUTS if name in available]
    wanted = [outputs] if isinstance(outputs, str) else list(dict.fromkeys(outputs))
    unknown = [name for name in wanted if name not in available]
    if unknown or not wanted:
        raise ExportError(
            f"outputs={outputs!r}: this pipeline gives {', '.join(map(repr, sorted(available)))}."
        )
    return wanted


def output_sides(name, steps):
    """Return the shape to declare for an output: numbers, and names of what is free or not told.

    Parameters
    ----------
    name : str
        The output.
    steps : list of (str, estimator)
        The steps that the graph holds.

    Returns
    -------
    list of int or str
        The sides.
    """
    last = steps[-1][1]
    match name:
        case "vector" if _is_predictor(last):
            return ["N", getattr(last, "n_features_in_", "d")]
        case "vector":
            return ["N", _width(steps) or "d"]
        case "class":
            return ["N"]
        case "neighbors":
            n_rows = _n_gallery(last)
            return ["N", min(last.n_neighbors or n_rows, n_rows)]
        case "scores" if hasattr(last, "kneighbors"):
            return ["N", _n_gallery(last)]
    return ["N", *_n_scores(name, last)]


def _width(steps):
    """Return how many values the vectors have, or None where the steps do not say."""
    *before, (_, last) = steps
    if isinstance(last, Pipeline):
        return _width([*before, *last.steps])
    if isinstance(last, FeatureUnion):
        parts = [part for part in last.transformer_list if part[1] != "drop"]
        widths = [_width([*before, part]) for part in parts]
        return None if None in widths else sum(widths)
    if isinstance(last, FunctionTransformer) or last in (None, "passthrough"):
        return _width(before) if before else None  # those that export keep the width
    try:
        return len(last.get_feature_names_out())
    except (AttributeError, TypeError, ValueError):
        return None


def _n_gallery(index):
    return len(index.gallery_) if hasattr(index, "gallery_") else index.n_samples_fit_


def _n_scores(name, classifier):
    n_classes = len(classifier.classes_)
    if name == "scores":
        if n_classes == 2:
            return []
        if getattr(classifier, "decision_function_shape", None) == "ovo":
            return [n_classes * (n_classes - 1) // 2]
    return [n_classes]


def reference_outputs(steps, images, names):
    """Return what Python gives for each output of these names.

    Parameters
    ----------
    steps : list of (str, estimator)
        The steps that the graph holds.
    images : object
        What the first step takes.
    names : sequence of str
        Outputs.

    Returns
    -------
    dict of str to ndarray
        The arrays.
    """
    vectors, last = images, steps[-1][1]
    for _, step in steps[:-1] if _is_predictor(last) else steps:
        vectors = step.transform(vectors)
    return {name: _reference(name, last, vectors) for name in names}


def _reference(name, last, vectors):
    match name:
        case "vector":
            return np.asarray(vectors.toarray() if hasattr(vectors, "toarray") else vectors)
        case "scores":
            return (
                last.decision_function(vectors)
                if hasattr(last, "decision_function")
                else last.transform(vectors)
            )
        case "probabilities":
            return last.predict_proba(vectors)
        case "neighbors":
            return last.kneighbors(vectors, return_distance=False)
    return np.searchsorted(last.classes_, last.predict(vectors))
