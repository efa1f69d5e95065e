"""The only file that imports private helpers of scikit-learn.

What scikit-learn moves or renames between releases is evened out here, once.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.utils._chunking import get_chunk_n_rows
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
)
from sklearn.utils._param_validation import validate_params as _validate_params
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import available_if as _available_if
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import validate_data

__all__ = [
    "HasMethods",
    "Hidden",
    "Interval",
    "Options",
    "StrOptions",
    "available_if",
    "check_sample_weight",
    "fit_context",
    "get_chunk_n_rows",
    "output_container",
    "validate_data",
    "validate_params",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
# Decorated functions keep their types, which scikit-learn does not say.
fit_context: Callable[..., Callable[[_Function], _Function]] = _fit_context
validate_params: Callable[..., Callable[[_Function], _Function]] = _validate_params
available_if: Callable[..., Callable[[_Function], _Function]] = _available_if


def output_container(estimator: Any) -> Any:
    """Return what an estimator's `transform` gives: "default" (arrays), "pandas" or "polars"."""
    return _get_output_config("transform", estimator)["dense"]
