"""Find a class of a classifier, and what it scores for it."""

from difflib import get_close_matches

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeepenc.exceptions import ClassifierError

__all__ = ["class_index", "score_class"]


def class_index(classifier, class_):
    """Return the position of a class among those of a fitted classifier, or name the nearest."""
    check_is_fitted(classifier)
    classes = list(getattr(classifier, "classes_", ()))
    if class_ in classes:
        return classes.index(class_)
    names = [str(known) for known in classes]
    shown = get_close_matches(str(class_), names, n=5) or names[:10]
    raise ClassifierError(
        f"{class_!r} is not a class of {type(classifier).__name__}, which knows {len(names)}, "
        f"such as {', '.join(shown)}."
    )


def score_class(classifier, X, class_):
    """Return how much a classifier takes each of `X` for the class: decisions, or probabilities."""
    index = class_index(classifier, class_)
    decide = getattr(classifier, "decision_function", None) or classifier.predict_proba
    scores = np.asarray(decide(X))
    if scores.ndim == 1:  # of two classes, the score is that of the second
        return scores if index == 1 else -scores
    return scores[:, index]
