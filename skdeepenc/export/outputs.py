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

from skdeepenc.exceptions import ExportError

__all__ = ["OUTPUTS", "choose_outputs", "is_predictor", "reference_outputs", "vector_width"]

OUTPUTS = {
    "vector": np.float32,
    "scores": np.float32,
    "probabilities": np.float32,
    "class": np.int64,
    "neighbors": np.int64,
}


def is_predictor(step):
    """Tell whether a step ends a pipeline: it predicts, or ranks."""
    return hasattr(step, "predict") or hasattr(step, "kneighbors")


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
    wanted = [outputs] if isinstance(outputs, str) else list(outputs)
    unknown = [name for name in wanted if name not in available]
    if unknown or not wanted:
        raise ExportError(
            f"outputs={outputs!r}: this pipeline gives {', '.join(map(repr, sorted(available)))}."
        )
    return wanted


def vector_width(steps):
    """Return how many values the vectors have, or a name where the steps do not say."""
    transforming = [step for _, step in steps if not is_predictor(step)]
    try:
        return len(transforming[-1].get_feature_names_out())
    except (AttributeError, IndexError, TypeError, ValueError):
        return "d"


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
    vectors = images
    for _, step in steps:
        if not is_predictor(step):
            vectors = step.transform(vectors)
    last = steps[-1][1]
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
