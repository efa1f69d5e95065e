"""Files that tell whether they are what was written."""

import json
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.arrays.files import (
    open_array,
    read_array,
    read_description,
    write_array,
    write_description,
)

ARRAYS = [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array(3)]


@pytest.mark.parametrize("array", ARRAYS)
def test_arrays_come_back_as_they_were(array):
    file = BytesIO()
    np.save(file, array)
    size = file.tell()
    file.seek(0)
    assert_array_equal(read_array(file, size), array, strict=True)


@pytest.mark.parametrize("array", [*ARRAYS[:2], np.empty((0, 5), np.float16)])
def test_arrays_are_written_as_numpy_does_in_row_major_order(tmp_path, array):
    write_array(tmp_path / "ours.npy", array)
    assert_array_equal(np.load(tmp_path / "ours.npy"), array, strict=True)
    assert_array_equal(open_array(tmp_path / "ours.npy", "r"), array, strict=True)


def test_only_plain_values_in_row_major_order_are_mapped(tmp_path):
    np.save(tmp_path / "rows.npy", ARRAYS[0])
    assert_array_equal(open_array(tmp_path / "rows.npy", "r"), ARRAYS[0])
    for array in (ARRAYS[1], np.array([{}]), np.empty(3, dtype="V0")):
        np.save(tmp_path / "other.npy", array, allow_pickle=True)
        with pytest.raises(ValueError, match=r"order|not plain values|header"):
            open_array(tmp_path / "other.npy", "r")


def test_a_description_knows_whether_it_was_changed(tmp_path):
    path = tmp_path / "description.json"
    write_description(path, {"names": ["a", "b"], "size": 3})
    content, digest = read_description(path)
    assert content == {"names": ["a", "b"], "size": 3}
    write_description(path, content)
    assert read_description(path)[1] == digest
    for changed in ({**content, "digest": digest, "size": 4}, content, [], {}, "x"):
        path.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"changed since|not a description"):
            read_description(path)
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"nested|Expecting"):
        read_description(path)
