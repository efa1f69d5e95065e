"""Tell encoders apart by what decides their vectors, wherever and by whomever they are run.

A pipeline and the file that it was saved to are one encoder; so are pipelines that differ in
threads, batches, caches and where the model's file lies.
"""

import dataclasses
import hashlib

import joblib
from sklearn.base import BaseEstimator

from skdeepenc.exceptions import StorageError
from skdeepenc.extraction import ActivationExtractor

__all__ = ["digest_of", "digest_of_file"]

# Parameters that decide how something is computed, and where.
_MEANS = {
    *("n_jobs", "n_threads", "batch_size", "providers", "device"),
    *("memory", "verbose", "on_error", "copy"),
}


def digest_of(steps):
    """Return what changes when the vectors of fitted steps could.

    Parameters
    ----------
    steps : list of estimator
        Fitted transformers.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    StorageError
        If a step holds what cannot be compared, such as a function without a name.
    """
    try:
        content = joblib.hash(_plain(steps))
    except Exception as error:  # pickling raises whatever an object that it cannot take does
        raise StorageError(
            f"The encoder cannot be told from others, so its shards could not be either: {error}"
        ) from error
    return hashlib.sha256(content.encode()).hexdigest()


def digest_of_file(path):
    """Return the SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(thing):
    """Return what decides the results of a nest of estimators, in plain containers."""
    if isinstance(thing, ActivationExtractor):
        return thing.recipe().digest
    if isinstance(thing, BaseEstimator):
        return type(thing).__qualname__, _plain(_state_of(thing))
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {each.name: getattr(thing, each.name) for each in dataclasses.fields(thing)}
        return type(thing).__qualname__, _plain(fields)
    if isinstance(thing, dict):
        return [(name, _plain(thing[name])) for name in sorted(thing, key=str)]
    if isinstance(thing, list | tuple):
        return [_plain(part) for part in thing]
    return thing


def _state_of(estimator):
    return {
        name: value
        for name, value in vars(estimator).items()
        if name not in _MEANS and not name.startswith("_")
    }
