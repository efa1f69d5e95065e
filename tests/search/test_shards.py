"""Folders of shards are read one at a time, and damage is one error that names the file."""

import os

import numpy as np
import pytest
from search.conftest import N_FEATURES, N_IMAGES

from skdeepenc.exceptions import StorageError
from skdeepenc.search import encode, read_shards

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")


@pytest.fixture
def out(pipeline, photos, tmp_path):
    encode(pipeline, photos, tmp_path / "out", shard_size=3)
    return tmp_path / "out"


def test_a_folder_says_what_it_holds(out):
    shards = read_shards(out)
    assert len(shards) == N_IMAGES
    assert shards.sizes == (3, 3, 1)
    assert (shards.n_features, shards.dtype) == (N_FEATURES, np.float16)
    assert repr(shards) == f"7 images in 3 shards of {out}, vectors of 5 float16"
    assert shards.description["shard_size"] == 3
    assert shards.listing().num_rows == N_IMAGES
    assert not shards.vectors(0).flags.writeable


def test_missing_shards_are_counted(out):
    (out / "images-00001.parquet").unlink()
    with pytest.raises(StorageError, match=r"lacks 1 of 3 shards, such as number 1"):
        read_shards(out)


def test_a_folder_without_shards_is_said_to_be_one(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StorageError, match="holds no encoded images"):
            read_shards(folder)


def test_shards_of_two_runs_are_told_apart(out, pipeline, photos, tmp_path):
    encode(pipeline, sorted(photos.iterdir())[:6], tmp_path / "other", shard_size=3)
    os.replace(tmp_path / "other/images-00001.parquet", out / "images-00001.parquet")
    with pytest.raises(StorageError, match="number 1 is of another encoder or other images"):
        read_shards(out)


@pytest.mark.parametrize("name", ["images-00002.parquet", "vectors-00002.npy"])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_damaged_files_are_named(name, damage, out):
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[:-3] if damage is None else damage)
    with pytest.raises(StorageError, match=f"{name} in .* is damaged.* encode again"):
        read_shards(out).vectors(2)


def test_vectors_that_do_not_fit_their_table_are_refused(out):
    np.save(out / "vectors-00002.npy", np.zeros((2, N_FEATURES), np.float16))
    with pytest.raises(StorageError, match=r"has the shape \(2, 5\), not \(1, 5\)"):
        read_shards(out).vectors(2)


def test_tables_of_others_are_refused(out, pipeline, photos):
    pq.write_table(pa.table({"a": [1]}), out / "images-00000.parquet")
    for use in (lambda: read_shards(out), lambda: encode(pipeline, photos, out, shard_size=3)):
        with pytest.raises(StorageError, match="was not written by"):
            use()


def test_a_folder_that_may_not_be_written_to_is_one_error(pipeline, photos, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skdeepenc.search.shards.write_array", full)
    with pytest.raises(StorageError, match=r"vectors-00000\.npy cannot be written to .*out"):
        encode(pipeline, photos, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
