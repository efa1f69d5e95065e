"""Vectors of whole numbers in MATLAB files, as scipy and MATLAB write them."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat, savemat

from skdeepenc.datasets._matlab import read_vector
from skdeepenc.exceptions import DataSetError


def saved(**variables):
    """Return the content of a file that scipy writes."""
    file = BytesIO()
    savemat(file, variables)
    return file.getvalue()


def compressed(content):
    """Return the same file with its elements in one compressed element, as MATLAB writes them."""
    packed = zlib.compress(content[128:])
    return content[:128] + struct.pack("<II", 15, len(packed)) + packed


@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", "u2", "i4", "i8"])
@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (2, 3)])
def test_reads_what_scipy_reads(dtype, shape):
    values = np.arange(1, 7, dtype=dtype).reshape(shape)
    for content in (saved(other="text", ids=values), compressed(saved(ids=values))):
        expected = loadmat(BytesIO(content))["ids"].ravel(order="F")
        assert_array_equal(read_vector(content, "ids"), expected)


def test_reads_the_order_of_other_machines():
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    numbers = np.array([3.0, 1.0], dtype=">f8").tobytes()
    parts = (6, struct.pack(">II", 6, 0)), (5, struct.pack(">ii", 1, 2)), (1, b"ids"), (9, numbers)
    matrix = element(14, b"".join(element(*part) for part in parts))
    assert_array_equal(read_vector(bytes(126) + b"MI" + matrix, "ids"), [3, 1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a MATLAB file"),
        (b"MATLAB 7.3 MAT-file", "not a MATLAB file"),
        (saved(other=[[1]]), "no matrix 'ids'"),
        (saved(ids="text"), "does not hold numbers"),
        (saved(ids=[[1 + 1j]]), "does not hold numbers"),
        (saved(ids={"a": 1}), "does not hold numbers"),
        (saved(ids=[[1.5]]), "whole number"),
        (saved(ids=[[np.nan]]), "whole number"),
        (saved(ids=[[np.inf]]), "whole number"),
        (saved(ids=[[1.0, 2.0]])[:-4], "ends within"),
        (compressed(saved(ids=[[1.0, 2.0]]))[:-4], "ends within"),
        (compressed(saved(ids=np.zeros((1, 3_000_000)))), "larger than any split"),
    ],
)
def test_says_what_is_wrong(content, reason):
    with pytest.raises(DataSetError, match=reason):
        read_vector(content, "ids")


def test_sides_must_agree_with_the_numbers():
    content = saved(ids=[[1.0, 2.0]])
    many = content.replace(struct.pack("<ii", 1, 2), struct.pack("<ii", 2**30, 2**30))
    assert many != content
    with pytest.raises(DataSetError, match="not as large"):
        read_vector(many, "ids")
