"""The only file that imports private helpers of scikit-learn.

What scikit-learn moves or renames between releases is evened out here, once.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._chunking import get_chunk_n_rows
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import validate_data

__all__ = [
    "HasMethods",
    "Hidden",
    "Interval",
    "Options",
    "StrOptions",
    "check_sample_weight",
    "fit_context",
    "get_chunk_n_rows",
    "output_container",
    "validate_data",
    "validate_params",
]


def output_container(estimator):
    """Return what an estimator's `transform` gives: "default" (arrays), "pandas" or "polars"."""
    return _get_output_config("transform", estimator)["dense"]
