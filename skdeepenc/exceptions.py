"""Everything that skdeepenc raises or warns about on purpose.

::

    SkdeepencError
    ├── ImageError (ValueError)          an image that cannot be read
    │   └── ImageBatchError              every image of a run that could not be read, and why
    ├── ModelError (ValueError)          a file that is not a usable ONNX model
    │   └── LayerNotFoundError           a name that is not a tensor of the model
    ├── FeatureMapsError (ValueError)    maps that do not fit together, or not what was fitted
    │   └── NonFiniteError               NaN or infinity among the activations
    ├── StorageError (ValueError)        a saved folder or a cache entry that is not whole
    ├── DataSetError (ValueError)        a data set folder that is missing or incomplete
    ├── DegenerateDataError (ValueError) descriptors that allow no vocabulary at all
    ├── ClassifierError (ValueError)     a classifier that cannot score what an encoder gives
    ├── ExportError (ValueError)         a pipeline or a setting that a graph cannot express
    ├── DownloadError (OSError)          a file that could not be fetched or verified
    ├── NotEnoughMemoryError (MemoryError)   maps that would not fit, raised before work starts
    └── MissingDependencyError (ImportError) an optional package that is not installed

    SkdeepencWarning (UserWarning)
    ├── ImageWarning                     an image left out, or repaired
    │   └── ImageBatchWarning            every image of a run that was left out, and why
    ├── ModelWarning                     a model that nobody described, a provider that does not run
    ├── CacheWarning                     a run that writes much to the disk
    ├── StorageWarning                   a file that another version wrote
    └── DegenerateDataWarning            fewer samples than asked for, empty components

All errors but the last three are also `ValueError`, so code written against scikit-learn catches
them.
"""

from collections.abc import Mapping


class SkdeepencError(Exception):
    """Base class of every error that skdeepenc raises on purpose."""


class ImageError(SkdeepencError, ValueError):
    """An image could not be read; the message names it and says why."""


class _ListedFailures:
    """What an error and a warning about several images share."""

    _consequence = ""  # what became of them, or what to do

    def __init__(self, failures: Mapping[str, str]) -> None:
        self.failures = dict(failures)

    def __str__(self) -> str:
        """List every image and its reason, one per line."""
        count = f"{len(self.failures)} image{'s' * (len(self.failures) != 1)}"
        reasons = (f"  {name}: {reason}" for name, reason in self.failures.items())
        return "\n".join([f"{count} could not be read{self._consequence}:", *reasons])


class ImageBatchError(_ListedFailures, ImageError):
    """Several images of a run could not be read.

    Parameters
    ----------
    failures : dict of str to str
        Why each image failed, by its path or position.
    """

    _consequence = (
        ' (on_error="warn" leaves bad images out, memory=FOLDER keeps what was done for the others)'
    )


class ModelError(SkdeepencError, ValueError):
    """A file is not a usable ONNX model."""


class LayerNotFoundError(ModelError):
    """A name is not a tensor of the model; the message gives the nearest names."""


class FeatureMapsError(SkdeepencError, ValueError):
    """Feature maps do not fit together, or are not what an estimator was fitted on."""


class NonFiniteError(FeatureMapsError):
    """NaN or infinity among the activations; the message names image and layer."""


class StorageError(SkdeepencError, ValueError):
    """A saved folder or a cache entry is not whole."""


class DataSetError(SkdeepencError, ValueError):
    """A data set's folder is missing or incomplete; the message says what and where to get it."""


class DegenerateDataError(SkdeepencError, ValueError):
    """The descriptors allow no vocabulary at all, such as a mixture that collapsed."""


class ClassifierError(SkdeepencError, ValueError):
    """A classifier cannot score what an encoder gives: not linear, another width or class."""


class ExportError(SkdeepencError, ValueError):
    """A pipeline cannot be exported, or its graph computes something else; says what to do."""


class DownloadError(SkdeepencError, OSError):
    """A file could not be fetched, or is not the file that was promised."""


class NotEnoughMemoryError(SkdeepencError, MemoryError):
    """The maps of a run would not fit in memory; raised before the work starts."""


class MissingDependencyError(SkdeepencError, ImportError):
    """An optional package is needed and not installed; the message says how to install it."""


class SkdeepencWarning(UserWarning):
    """Base class of every warning that skdeepenc gives on purpose."""


class ImageWarning(SkdeepencWarning):
    """An image was left out or repaired."""


class ImageBatchWarning(_ListedFailures, ImageWarning):
    """Several images of a run were left out.

    Parameters
    ----------
    failures : dict of str to str
        Why each image failed, by its path or position.
    """

    _consequence = ", and have no descriptors"


class ModelWarning(SkdeepencWarning):
    """A model is not described, or does not run where it was asked to."""


class CacheWarning(SkdeepencWarning):
    """A run writes much to the disk."""


class StorageWarning(SkdeepencWarning):
    """A saved file was written by another version."""


class DegenerateDataWarning(SkdeepencWarning):
    """The data allow less than was asked for, and less was done."""
