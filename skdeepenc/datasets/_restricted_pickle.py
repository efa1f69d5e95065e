"""Read ground truth that its authors pickled, without building anything that a pickle asks for.

Unpickling a file calls whatever functions the file names, and even numpy's own let a file make
pointers of its bytes. So nothing of numpy's is handed out: stand-ins of ours write down what type,
shape and bytes an array is said to have, and arrays of plain numbers are made of that afterwards.
"""

import math
import pickle
import pickletools
import re
from io import BytesIO

import numpy as np

from skdeepenc.exceptions import DataSetError

# The largest published ground truth has 2 MB.
_MOST_BYTES = 1 << 26
_DEEPEST = 20
_NUMBER_TYPE = re.compile(r"[<>|=]?([iu][1248]|f[248])")


def read_pickle(path):
    """Return the plain data and arrays of numbers of a pickle file, or refuse it.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    object
        Lists, tuples, dicts, text, bytes, numbers, and arrays of them.

    Raises
    ------
    DataSetError
        If the file cannot be read, is damaged, or holds anything else.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
        _check_numbering(content)
        # Files of Python 2 hold text as bytes.
        return _finished(_StandInUnpickler(BytesIO(content), encoding="latin1").load(), {})
    except DataSetError as error:
        raise DataSetError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DataSetError(f"{path} is not a readable pickle: {error}") from error


def _check_numbering(content):
    """Refuse a file that would make the reader's table of objects far larger than the file."""
    if len(content) > _MOST_BYTES:
        raise DataSetError("it is larger than any ground truth.")
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if "PUT" in opcode.name and argument is not None and int(argument) > count:
            raise DataSetError("its numbering of objects has gaps: it is not read.")


class _StandInUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        module = module.replace("numpy.core", "numpy._core")  # the name that older numpys had
        try:
            return _MAKERS[module, name]
        except KeyError:
            raise DataSetError(
                f"it names {module}.{name}, which is not plain data: it is not read."
            ) from None


class _Maker:
    """A function of ours under the name of numpy's; a file can call it, and change nothing."""

    __slots__ = ("_make",)

    def __init__(self, make):
        self._make = make

    def __call__(self, *arguments):
        return self._make(*arguments)

    def __setstate__(self, state):
        raise DataSetError("it sets the state of a function: it is not read.")


class _NumberType:
    """A numpy.dtype, written down; it becomes one only if it is a type of numbers."""

    __slots__ = ("_name", "_order")

    def __init__(self, name, align=False, copy=False):
        self._name, self._order = name, ""

    def __setstate__(self, state):
        # version, byte order, then what only types with fields or pointers have
        _, self._order, *rest = state
        if any(value not in (None, -1, 0) for value in rest):
            raise DataSetError("it gives a type of numbers a state of its own: it is not read.")

    def finished(self):
        """Return the type, with the byte order that was set apart."""
        order = {"<": "<", ">": ">"}.get(self._order, "")
        if not isinstance(self._name, str) or not _NUMBER_TYPE.fullmatch(self._name):
            raise DataSetError(f"{self._name!r:.40} is not a type of numbers: it is not read.")
        return np.dtype(order + self._name.lstrip("<>|=") if order else self._name)


class _Array:
    """A numpy.ndarray, written down."""

    __slots__ = ("_data", "_fortran", "_shape", "_type")

    def __init__(self, data=b"", number_type=None, shape=(0,), order="C"):
        self._data, self._type, self._shape, self._fortran = data, number_type, shape, order == "F"

    def __setstate__(self, state):
        _, self._shape, self._type, self._fortran, self._data = state

    def finished(self):
        """Return the array, a copy of the bytes, if they are as many as it is said to have."""
        if type(self._type) is not _NumberType:
            raise DataSetError("an array lacks its type.")
        dtype, data, shape = self._type.finished(), self._data, self._shape
        data = data.encode("latin1") if isinstance(data, str) else data
        data = bytes(data) if isinstance(data, bytearray) else data
        whole = type(shape) is tuple and all(type(side) is int and side >= 0 for side in shape)
        if not whole or type(data) is not bytes or len(data) != math.prod(shape) * dtype.itemsize:
            raise DataSetError("an array is not as large as it says.")
        values = np.frombuffer(data, dtype).reshape(shape, order="F" if self._fortran else "C")
        return values.astype(dtype.newbyteorder("="))


class _Scalar(_Array):
    """One number of numpy's."""

    __slots__ = ()

    def finished(self):
        """Return the number as Python has it."""
        return super().finished().item()


def _encode(text, encoding):
    """Turn text into the bytes that Python 2 and protocols below 3 wrote as text."""
    if encoding != "latin1":
        raise DataSetError(f"it encodes text in {encoding!r:.20}: it is not read.")
    return text.encode("latin1")


_MAKERS = {
    ("numpy", "ndarray"): None,  # only the first argument of the next
    ("numpy._core.multiarray", "_reconstruct"): _Maker(lambda *ignored: _Array()),
    ("numpy._core.multiarray", "scalar"): _Maker(lambda kind, data: _Scalar(data, kind, ())),
    ("numpy._core.numeric", "_frombuffer"): _Maker(_Array),
    ("numpy", "dtype"): _Maker(_NumberType),
    ("_codecs", "encode"): _Maker(_encode),
    ("builtins", "bytes"): _Maker(lambda: b""),
    ("__builtin__", "bytes"): _Maker(lambda: b""),
}


def _finished(value, seen, depth=0):
    """Return plain data with arrays in the place of stand-ins; each object once."""
    if isinstance(value, _Array):
        return value.finished()
    if isinstance(value, _Maker | _NumberType):
        raise DataSetError("it holds something that is neither data nor an array.")
    if not isinstance(value, list | tuple | dict):
        return value
    if id(value) not in seen:
        if depth > _DEEPEST:
            raise DataSetError("it is nested deeper than any ground truth.")
        seen[id(value)] = _finished_parts(value, seen, depth + 1)
    return seen[id(value)]


def _finished_parts(value, seen, depth):
    if isinstance(value, dict):
        return {key: _finished(part, seen, depth) for key, part in value.items()}
    return type(value)(_finished(part, seen, depth) for part in value)
