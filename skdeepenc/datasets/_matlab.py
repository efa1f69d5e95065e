"""Read a vector of whole numbers from a MATLAB file.

scipy's reader knows everything that such a file may hold, trusts the sizes it is told, and can end
the process on a damaged file. The splits of data sets are plain vectors: this reader passes over
all else, and takes no size on trust.

A file of version 5 is a header of 128 bytes and elements: a tag of type and number of bytes, then
those bytes, filled up to a multiple of 8. A matrix is an element of elements: flags, sides, name,
numbers; a compressed element is any other in zlib's form.
"""

import math
import struct
import zlib

import numpy as np

from skdeepenc.exceptions import DataSetError

_MOST_BYTES = 1 << 24
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC_CLASSES = range(6, 16)
_COMPLEX = 0x800


def read_vector(content, key):
    """Return the whole numbers of a matrix, column by column.

    Parameters
    ----------
    content : bytes
        The file.
    key : str
        Name of the matrix.

    Returns
    -------
    ndarray of int64
        Its numbers.

    Raises
    ------
    DataSetError
        If the file is damaged, lacks the matrix, or it holds anything but whole numbers.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise DataSetError("it is not a MATLAB file of version 5")
    for kind, data in _elements(content[128:], order):
        if kind == _COMPRESSED:
            (kind, data), *_ = _elements(_decompressed(data), order)
        if kind == _MATRIX:
            flags, sides, name, *numbers = _elements(data, order)
            if bytes(name[1]) == key.encode():
                return _whole_numbers(flags[1], sides[1], numbers, order)
    raise DataSetError(f"it holds no matrix {key!r}")


def _elements(data, order):
    """Yield the type and the bytes of each element."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise DataSetError("it ends within an element")
        kind, size = struct.unpack_from(order + "II", data, at)
        start, stop = at + 8, at + 8 + size
        if kind >> 16:  # a short element: both are in the first word, the bytes in the second
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            stop = start + min(size, 4)
        if stop > len(data):
            raise DataSetError("it ends within an element")
        yield kind, data[start:stop]
        at = stop if kind == _COMPRESSED else -(-stop // 8) * 8


def _decompressed(data):
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise DataSetError(f"it is damaged ({error})") from None
    if not unpacker.eof:
        raise DataSetError("one of its matrices is truncated, or larger than any split")
    return unpacked


def _whole_numbers(flags, sides, numbers, order):
    """Return the numbers of a matrix, if they are real, whole, and as many as its sides say."""
    if len(flags) != 8 or len(numbers) != 1 or len(sides) % 4 or numbers[0][0] not in _NUMBERS:
        raise DataSetError("the matrix does not hold numbers")
    bits = struct.unpack_from(order + "I", flags)[0]
    if bits & _COMPLEX or bits & 0xFF not in _NUMERIC_CLASSES:
        raise DataSetError("the matrix does not hold numbers")
    dtype = np.dtype(order + _NUMBERS[numbers[0][0]])
    n_values = math.prod(struct.unpack(f"{order}{len(sides) // 4}i", sides))
    if n_values * dtype.itemsize != len(numbers[0][1]):
        raise DataSetError("the matrix is not as large as it says")
    values = np.frombuffer(numbers[0][1], dtype)
    if not (np.abs(values.astype(np.float64)) < 2**53).all() or (values % 1).any():
        raise DataSetError("the matrix holds something that is not a whole number")
    return values.astype(np.int64)
