"""Read ground truth that its authors pickled, without running what a pickle may hold.

Unpickling a file calls whatever functions the file names. This reader knows lists, dicts, numbers,
text and numpy arrays, and refuses everything else.
"""

import pickle
from importlib import import_module

import numpy as np

from skdeepenc.exceptions import DataSetError

_NUMPY = {
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.numeric": ("_frombuffer",),
}


def _allowed():
    """Return the few functions that numpy's arrays, and bytes, are pickled with."""
    allowed = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
        ("builtins", "bytes"): bytes,
        ("__builtin__", "bytes"): bytes,
    }
    for module, names in _NUMPY.items():
        # The name without underscore is that of older numpys, and warns in newer ones.
        implementation = import_module(module.replace("numpy.core", "numpy._core"))
        allowed |= {(module, name): getattr(implementation, name) for name in names}
    return allowed


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _allowed()[module, name]
        except KeyError:
            raise DataSetError(
                f"The file names {module}.{name}, which is no plain data: it is not read."
            ) from None


def read_pickle(path):
    """Return the plain data and arrays of a pickle file, or refuse it."""
    with open(path, "rb") as file:
        try:
            # Files of Python 2 hold text as bytes.
            return _RestrictedUnpickler(file, encoding="latin1").load()
        except DataSetError as error:
            raise DataSetError(f"{path}: {error}") from None
        except Exception as error:  # a damaged pickle raises nearly anything
            raise DataSetError(f"{path} is no readable pickle: {error}") from error
