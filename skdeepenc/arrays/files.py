"""Arrays and descriptions in plain files, which tell whether they are what was written.

A file's size is compared with its header before anything is allocated. A description is JSON with a
digest of itself, which costs nothing to compare; with the digests of the arrays' bytes in it, it
speaks for all that was saved.
"""

import hashlib
import json
import math
import os
import tokenize
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import PathLike

__all__ = ["open_array", "read_array", "read_description", "write_array", "write_description"]

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DIGEST = "digest"
# Those of our arrays have 128 bytes. A longer literal could exhaust the stack that reads it.
_LONGEST_HEADER = 256
# What reads a damaged header raises these; it is a literal of Python's.
_DAMAGE = (ValueError, LookupError, TypeError, SyntaxError, AttributeError, tokenize.TokenError)


def read_array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read all of an ``.npy`` file of `size` bytes, in row-major or column-major order.

    Parameters
    ----------
    file : file object
        At its beginning.
    size : int
        Size of the file.

    Returns
    -------
    ndarray
        The array; it may not be written to.

    Raises
    ------
    ValueError
        If the file is not a whole one, or holds anything but plain values.
    """
    shape, fortran_order, dtype = _read_header(file, size)
    return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran_order else "C")


def open_array(path: PathLike, mmap_mode: Literal["r", "c"]) -> NDArray[Any]:
    """Map an ``.npy`` file in row-major order.

    Parameters
    ----------
    path : path-like
        The file.
    mmap_mode : {"r", "c"}
        How to map it, see `numpy.memmap`.

    Returns
    -------
    ndarray
        The values, mapped where there are any.

    Raises
    ------
    ValueError
        If the file is not a whole one, or is in column-major order.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        shape, fortran_order, dtype = _read_header(file, os.fstat(file.fileno()).st_size)
        if fortran_order:
            raise ValueError("its values are in Fortran order, in which they were not written")
        if not math.prod(shape):
            return np.empty(shape, dtype)
        return np.memmap(file, dtype, mmap_mode, offset=file.tell(), shape=shape)


def write_array(path: PathLike, array: NDArray[Any]) -> None:
    """Write an ``.npy`` file in row-major order, all of it or with an error.

    `numpy.save` hands its values to C, which may keep the last of them in a buffer; that a full
    disk took no more of it is then said by nobody.

    Parameters
    ----------
    path : path-like
        The file.
    array : ndarray
        Plain values.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    values = np.ascontiguousarray(array)
    with open(path, "wb") as file:
        header = np.lib.format.header_data_from_array_1_0(values)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(values.data)


def _read_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of an array that fills the file to its end."""
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran_order, dtype = _HEADERS[version](file, max_header_size=_LONGEST_HEADER)
    except _DAMAGE as error:
        raise ValueError(f"its header is damaged: {error}") from error
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError(f"it holds {dtype}, not plain values")
    expected = file.tell() + math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or expected != size:
        raise ValueError(f"it has {size} bytes, not the {expected} that its header says")
    return shape, fortran_order, dtype


def write_description(path: Path, content: dict[str, Any]) -> None:
    """Write a dict as JSON, with a digest of itself.

    Parameters
    ----------
    path : Path
        The file.
    content : dict
        What JSON can hold.
    """
    path.write_text(json.dumps({**content, _DIGEST: _digest(content)}, indent=1), encoding="utf-8")


def read_description(path: Path) -> tuple[dict[str, Any], str]:
    """Read what `write_description` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    content : dict
        What was written.
    digest : str
        Its digest.

    Raises
    ------
    ValueError
        If the file is not JSON, or not what was written.
    OSError
        If it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is not a description")
    digest = content.pop(_DIGEST, None)
    if digest != _digest(content):
        raise ValueError("it has been changed since it was written")
    return content, digest


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
