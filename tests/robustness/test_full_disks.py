"""A disk that is full is one clear error, and nothing of before is lost."""

import sys

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")
if sys.platform == "win32":
    pytest.skip("needs limits of the size of files", allow_module_level=True)

from robustness.full_disks import BYTES, full_disks
from robustness.watched import watched


def test_a_full_disk_is_one_error_and_loses_nothing(tmp_path):
    said = watched(full_disks, str(tmp_path))
    assert said.keys() == BYTES.keys()
    assert said["vectors"].startswith("vectors-00000.npy cannot be written to")
    assert said["tables"].startswith("images-00000.parquet cannot be written to")
    assert said["index"].endswith("It is as it was before.")
