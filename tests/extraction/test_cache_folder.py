"""A cache with bounds stays within them, and never loses what a run or living maps use."""

import gc
import os
import pickle
import time

import pytest
from sklearn.base import clone

import skdeepenc
from skdeepenc.exceptions import CacheWarning, StorageError
from skdeepenc.extraction import ActivationExtractor, CacheFolder, cache, cache_folder, cache_info


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder in which every use is noted at once."""
    monkeypatch.setattr(cache, "NOTED_SECONDS", 0.0)
    monkeypatch.setattr(cache_folder, "NOTED_SECONDS", 0.0)
    return tmp_path / "cache"


@pytest.fixture
def extract(model, folder):
    """Return what extracts images into the folder, with bounds."""

    def run(paths, layer="conv2", **bounds):
        memory = CacheFolder(folder, **bounds)
        return ActivationExtractor(model, layers=[layer], memory=memory).fit_transform(paths)

    return run


def entries(folder):
    return {path.stem: path for path in folder.glob("*/??/*.npz")}


def age(folder, seconds):
    """Make the entries older, each a second older than the one before; return them, oldest last."""
    paths = list(entries(folder).values())
    for extra, path in enumerate(paths):
        os.utime(path, (time.time() - seconds - extra,) * 2)
    return paths


def test_the_longest_unused_go_first_and_those_of_the_run_stay(extract, folder, paths):
    extract(paths[:8])
    n_bytes = next(iter(entries(folder).values())).stat().st_size
    newest_first = age(folder, 100)
    extract(paths[8:], limit=7.5 * n_bytes)
    assert [path.exists() for path in newest_first] == [True] * 3 + [False] * 5
    assert len(entries(folder)) == 3 + 4


def test_what_is_found_again_is_in_use(extract, folder, paths):
    extract(paths[:3])
    age(folder, 100)
    maps = extract(paths[:4], limit=0)
    assert len(entries(folder)) == 4
    assert maps.values("conv2").shape[0]


def test_what_was_unused_for_long_goes(extract, folder, paths):
    extract(paths[:2])
    age(folder, 40 * 86_400)
    extract(paths[2:4], max_age=50)
    assert len(entries(folder)) == 4
    extract(paths[4:5], max_age=30)
    assert len(entries(folder)) == 3


def test_living_maps_keep_their_entries_whatever_they_are_of(extract, folder, paths):
    maps = extract(paths[:3])
    extract(paths[:3], "conv1", limit=0)
    assert maps.values("conv2").shape[0]
    subset = maps[:1]
    del maps
    gc.collect()
    extract(paths[3:4], limit=0)
    assert subset.values("conv2").shape[0]
    del subset
    gc.collect()
    extract(paths[4:5], limit=0)
    assert sum(recipe.n_entries for recipe in cache_info(folder)) == 1
    assert not list((folder / "in-use").iterdir())


def test_bounds_outlive_clones_pickles_and_files(model, folder, tmp_path, images):
    memory = CacheFolder(folder, limit="2 MB", max_age=3)
    extractor = ActivationExtractor(model, layers=["conv2"], memory=memory).fit(images)
    skdeepenc.save(extractor, tmp_path / "extractor.skops")
    for again in (
        clone(extractor),
        pickle.loads(pickle.dumps(extractor)),
        skdeepenc.load(tmp_path / "extractor.skops"),
    ):
        assert again.memory == memory
    assert os.fspath(memory) == str(folder)


def test_what_is_not_a_size_is_said_at_once():
    with pytest.raises(ValueError, match="'many' is not a size"):
        CacheFolder("cache", limit="many")


def test_entries_that_cannot_be_removed_are_a_warning(extract, paths, monkeypatch):
    def refuse(*args, **kwargs):
        raise StorageError("x.npz cannot be removed")

    monkeypatch.setattr(cache_folder, "remove_unused", refuse)
    with pytest.warns(CacheWarning, match=r"stays larger than asked for: x\.npz cannot be removed"):
        extract(paths[:1], limit=0)
