"""Pickled ground truth is data; whatever else a pickle asks for is refused."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.datasets._restricted_pickle import read_pickle
from skdeepenc.exceptions import DataSetError

PLAIN = {
    "names": ["all_souls_1", "église"],
    "box": (1.5, -2, 2**40),
    "flags": [True, None],
    "bytes": b"\x00\xff",
}
ARRAYS = {
    "whole": np.arange(5),
    "big_endian": np.arange(3, dtype=">i4"),
    "matrix": np.arange(6.0, dtype="f4").reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.array([]),
    "number": np.float32(2.5),
}


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "truth.pkl"
        path.write_bytes(content)
        return read_pickle(path)

    return read


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_come_back_as_they_were(read, protocol):
    loaded = read(pickle.dumps([PLAIN, ARRAYS], protocol=protocol))
    assert loaded[0] == PLAIN
    assert loaded[1].keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert_array_equal(loaded[1][name], array)
        assert np.asarray(loaded[1][name]).dtype.isnative


def test_an_object_that_is_used_twice_is_made_once(read):
    twice = [1, 2]
    first, second = read(pickle.dumps((twice, twice)))
    assert first is second


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_nothing_is_run(read, tmp_path):
    trace = tmp_path / "trace"
    with pytest.raises(DataSetError, match=r"truth\.pkl: it names pathlib.*not read"):
        read(pickle.dumps({"gnd": [Calls(Path.touch, trace)]}))
    assert not trace.exists()


# --- Files made by hand, for what pickle.dumps would not write ---------------------------------


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(module, name):
    return text(module) + text(name) + b"\x93"


def number(value):
    return b"J" + struct.pack("<i", value)


def number_type(name):
    return named("numpy", "dtype") + b"(" + text(name) + b"\x89\x88tR"


EIGHT_BYTES = b"C\x08AAAAAAAA"
FLAGS = b"(" + number(3) + text("|") + b"NNN" + number(8) + number(1) + number(0) + b"tb"
FROM_BUFFER = named("numpy._core.numeric", "_frombuffer")
ONE_OF = b"(" + number(1) + b"t" + text("C") + b"tR"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(FROM_BUFFER + b"(" + EIGHT_BYTES + kind + ONE_OF, id=name)
        for name, kind in {
            "pointers": number_type("O8"),
            "pointers without their flag": number_type("O8") + FLAGS,
            "text": number_type("S8"),
            "records": number_type("i4,i4"),
            "another size": number_type("i8") + FLAGS,
            "fewer bytes than numbers": number_type("f4"),
            "no type": b"N",
        }.items()
    ]
    + [
        pytest.param(named("numpy", "ndarray") + b"((" + number(1) + b"ttR", id="ndarray called"),
        pytest.param(named("numpy", "dtype") + b"}" + text("make") + b"Nsb", id="function changed"),
        pytest.param(named("numpy", "dtype"), id="function as data"),
        pytest.param(number_type("i4"), id="type as data"),
        pytest.param(b"Nr" + struct.pack("<I", 2**31 - 5), id="table of objects for 16 GB"),
        pytest.param(b"\x96" + struct.pack("<Q", 2**40), id="bytes that are not there"),
        pytest.param(b"]" * 10_000 + b"a" * 9_999, id="nested without end"),
        pytest.param(b"]q\x00h\x00a", id="a list in itself"),
    ],
)
def test_what_is_not_data_is_refused(read, body):
    with pytest.raises(DataSetError, match="truth"):
        read(b"\x80\x05" + body + b".")


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(PLAIN)[:-5]])
def test_damage_is_said(read, content):
    with pytest.raises(DataSetError, match=r"truth\.pkl is not a readable pickle"):
        read(content)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataSetError, match=r"absent\.pkl"):
        read_pickle(tmp_path / "absent.pkl")
