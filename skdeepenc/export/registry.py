"""Who writes the graph of an estimator: a converter, found by the estimator's type.

A converter is a function ``convert(g, estimator, inputs)`` that says in words of a graph what the
fitted estimator does with its input. `g` is the `GraphWriter` to write with. `inputs` stands for
what the estimator's `transform` is given, and what is returned for what it returns:

================  =============================  =================================================
estimator         inputs                         returns
================  =============================  =================================================
encoder           `Maps`: its layers and scales  `Tensor` (N, d), the vectors
what follows it   `Tensor` (N, d)                `Tensor` (N, d'), or, of a predictor, a dict of
                                                 them by the names of the graph's outputs
================  =============================  =================================================

A predictor that others may follow, since it transforms as well, adds ``"vector"``, a function
without arguments that writes that.

All images of a call to the graph have one grid at each scale, and that may be empty. A converter
asks ``inputs.of(encoder)`` for its maps, and takes the arrays from the encoder's `record_`, as
`transform` does, so that what was fitted is all that it needs; what it cannot say it refuses with
an `ExportError` that tells what to use instead.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from sklearn.utils.validation import check_is_fitted

from skdeepenc.exceptions import ExportError
from skdeepenc.export.foreign import may_be_foreign, write_foreign
from skdeepenc.export.maps import Maps
from skdeepenc.export.tensor import Tensor
from skdeepenc.export.writer import GraphWriter

__all__ = ["convert", "find_converter", "register", "vectors_of"]

#: ``converter(g, estimator, inputs)``, as said above.
Converter: TypeAlias = Callable[[GraphWriter, Any, Any], Any]

_CONVERTERS: dict[type, Converter] = {}
# A subclass that has one of these of its own computes something else than its base.
_COMPUTING = ("transform", "_encode", "record_", "predict", "decision_function", "kneighbors")


def register(estimator_type: type, converter: Converter | None = None) -> Any:
    """Say how estimators of a type are written as a graph.

    Parameters
    ----------
    estimator_type : type
        The estimator's class; subclasses that compute the same go with it.
    converter : callable or None, default=None
        ``converter(g, estimator, inputs)``, as `skdeepenc.export.registry` describes it; None makes
        a decorator.

    Returns
    -------
    callable
        The converter.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> from skdeepenc.export import register
    >>> class Doubler(TransformerMixin, BaseEstimator):
    ...     def transform(self, X):
    ...         return 2 * X
    >>> @register(Doubler)
    ... def double(g, doubler, vectors):
    ...     return 2.0 * vectors
    """
    if converter is None:
        return lambda function: register(estimator_type, function)
    _CONVERTERS[estimator_type] = converter
    return converter


def find_converter(estimator):
    """Return the converter of an estimator.

    Parameters
    ----------
    estimator : estimator
        What is to be written.

    Returns
    -------
    callable
        The converter of its class, or of the nearest base that computes the same.

    Raises
    ------
    ExportError
        If nobody registered one.
    """
    name = type(estimator).__name__
    for base in type(estimator).__mro__:
        if base in _CONVERTERS:
            return _CONVERTERS[base]
        if own := [method for method in _COMPUTING if method in vars(base)]:
            if may_be_foreign(estimator):
                return write_foreign
            raise ExportError(
                f"There is no converter for {name}, which defines {own[0]}: write one with "
                f"skdeepenc.export.register({base.__name__}, converter). Known are "
                f"{', '.join(sorted(known.__name__ for known in _CONVERTERS))}."
            )
    raise ExportError(f"{name} cannot be exported: give a fitted encoder or pipeline.")


def convert(g: GraphWriter, estimator: Any, inputs: Maps | Tensor) -> Any:
    """Write a fitted estimator.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    estimator : estimator
        What is to be written, fitted.
    inputs : Maps or Tensor
        What it is given.

    Returns
    -------
    Tensor or dict of str to Tensor
        What it returns.

    Raises
    ------
    ExportError
        If it is not fitted, nobody registered a converter, or that cannot say what was fitted.
    """
    converter = find_converter(estimator)
    try:
        check_is_fitted(estimator)
    except Exception as error:  # NotFittedError, or TypeError of what is not an estimator
        raise ExportError(f"{error} Only what is fitted can be exported.") from error
    with g.scope(type(estimator).__name__):
        return converter(g, estimator, inputs)


def vectors_of(made, name):
    """Return the vectors that a step hands on.

    Parameters
    ----------
    made : Tensor or dict
        What `convert` returned.
    name : str
        What the step is called.

    Returns
    -------
    Tensor
        The vectors.

    Raises
    ------
    ExportError
        If the step predicts and cannot do anything else.
    """
    if not isinstance(made, dict):
        return made
    if "vector" not in made:
        raise ExportError(
            f"The step {name!r} predicts and gives no vectors to hand on: let it end the pipeline."
        )
    return made["vector"]()
