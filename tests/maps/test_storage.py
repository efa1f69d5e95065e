"""Saved maps come back the same, pickle as a reference, and are never half believed."""

import json
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import config_context

from skdeepenc.exceptions import StorageError
from skdeepenc.maps import FeatureMaps

MODES = ["r", "c", None]


@pytest.fixture
def saved(two_layers, tmp_path):
    two_layers.save(tmp_path / "maps")
    return tmp_path / "maps"


@pytest.fixture
def large(tmp_path):
    """Maps of 8 MB in a folder."""
    maps = FeatureMaps.from_arrays(np.random.RandomState(0).rand(500, 8, 8, 64).astype(np.float32))
    maps.save(tmp_path / "large")
    return FeatureMaps.load(tmp_path / "large")


def assert_same_maps(left, right):
    assert left.layers == right.layers
    for layer in left.layers:
        assert_array_equal(left.grid(layer), right.grid(layer))
        assert_array_equal(left.values(layer), right.values(layer))
        assert left.values(layer).dtype == right.values(layer).dtype


@pytest.mark.parametrize("mmap_mode", MODES)
def test_maps_come_back_the_same(saved, two_layers, mmap_mode):
    loaded = FeatureMaps.load(saved, mmap_mode)
    assert loaded.in_memory == (mmap_mode is None)
    assert_same_maps(loaded, two_layers)
    assert_same_maps(loaded[[4, 0]].select(scales=[1]), two_layers[[4, 0]].select(scales=[1]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("working_memory", [1e-6, 1000])
def test_float_types_and_batches(dtype, working_memory, tmp_path):
    maps = FeatureMaps.from_arrays(np.random.RandomState(0).rand(4, 2, 3, 5).astype(dtype))
    with config_context(working_memory=working_memory):
        maps.save(tmp_path)
    assert_same_maps(FeatureMaps.load(tmp_path), maps)


def test_views_are_saved_as_they_are_seen(saved, tmp_path):
    view = FeatureMaps.load(saved)[[3, 1]].select(layers=["conv5"], scales=[1])
    view.save(tmp_path / "view")
    assert_same_maps(FeatureMaps.load(tmp_path / "view"), view)


def test_maps_without_images_or_descriptors(two_layers, tmp_path):
    two_layers[[]].save(tmp_path / "none")
    assert len(FeatureMaps.load(tmp_path / "none")) == 0
    two_layers[[3]].save(tmp_path / "empty")
    assert FeatureMaps.load(tmp_path / "empty").values("conv4").shape == (0, 3)


def test_files_are_plain(saved):
    names = sorted(path.name for path in saved.iterdir())
    assert {path.rsplit(".")[-1] for path in names} == {"npy", "json"}
    assert np.load(saved / "layer_0_values.npy", allow_pickle=False).shape == (34, 3)


def test_views_pickle_as_a_reference(large):
    for view in (large, large[10:400], large[[7, 3]], large.select(scales=[0])):
        pickled = pickle.dumps(view)
        assert len(pickled) < 1_000 + 8 * len(view)
        assert_same_maps(pickle.loads(pickled), view)


def test_hashes_follow_the_content_without_reading_it(large, tmp_path):
    again = FeatureMaps.load(tmp_path / "large")
    assert joblib.hash(again) == joblib.hash(large)
    assert joblib.hash(large[:3]) != joblib.hash(large[1:4])
    (tmp_path / "large").rename(tmp_path / "old")
    hash_of_the_first = joblib.hash(large)
    values = FeatureMaps.load(tmp_path / "old", None)
    FeatureMaps.from_arrays(values.values("features") + 1).save(tmp_path / "large")
    assert joblib.hash(FeatureMaps.load(tmp_path / "large")) != hash_of_the_first


def test_another_folder_under_the_same_name_is_not_taken_for_the_first(large, tmp_path):
    pickled = pickle.dumps(large)
    (tmp_path / "large").rename(tmp_path / "old")
    FeatureMaps.from_arrays(np.ones((500, 2))).save(tmp_path / "large")
    with pytest.raises(StorageError, match="changed since"):
        pickle.loads(pickled)


def test_workers_open_the_folder_themselves(large):
    sums = joblib.Parallel(2)(joblib.delayed(sum_of_values)(large[i : i + 2]) for i in range(2))
    assert_array_equal(sums, [sum_of_values(large[i : i + 2]) for i in range(2)])


def sum_of_values(maps):
    return maps.values("features").sum()


def test_nothing_is_overwritten(saved, two_layers, tmp_path):
    with pytest.raises(StorageError, match="not empty"):
        two_layers.save(saved)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="not empty"):
        two_layers.save(tmp_path / "file")


def test_a_save_that_fails_leaves_nothing(two_layers, tmp_path):
    values = two_layers.values("conv4").copy()
    maps = FeatureMaps.from_values({"conv4": values}, {"conv4": two_layers.grid("conv4")})
    maps.iter_batches = None  # fails in the middle of the writing
    maps.select = lambda layers: maps
    with pytest.raises(TypeError):
        maps.save(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mmap_mode", MODES)
@pytest.mark.parametrize(
    "name", ["maps.json", "layer_0_values.npy", "layer_1_values.npy", "layer_0_grid.npy"]
)
def test_missing_and_truncated_files(saved, name, mmap_mode):
    content = (saved / name).read_bytes()
    for size in (0, 5, len(content) // 2, len(content) - 1):
        (saved / name).write_bytes(content[:size])
        with pytest.raises(StorageError, match=name.rpartition(".")[0]):
            FeatureMaps.load(saved, mmap_mode)
    (saved / name).unlink()
    with pytest.raises(StorageError):
        FeatureMaps.load(saved, mmap_mode)


def test_sizes_that_do_not_agree(saved):
    np.save(saved / "layer_1_values.npy", np.ones((3, 2), np.float32))
    with pytest.raises(StorageError, match=r"'conv5' have shape \(3, 2\)"):
        FeatureMaps.load(saved)


def test_other_folders(tmp_path):
    with pytest.raises(StorageError, match="no saved feature maps"):
        FeatureMaps.load(tmp_path)
    for content in ("[]", "{}", json.dumps({"format": "skdeepenc feature maps, version 99"})):
        (tmp_path / "maps.json").write_text(content)
        with pytest.raises(StorageError, match="does not describe"):
            FeatureMaps.load(tmp_path)
    with pytest.raises(StorageError, match="mmap_mode='w'"):
        FeatureMaps.load(tmp_path, "w")


def test_pickled_values_are_refused(saved):
    np.save(saved / "layer_0_values.npy", np.array([[{}]], dtype=object))
    with pytest.raises(StorageError, match="layer_0_values"):
        FeatureMaps.load(saved)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    name=st.sampled_from(["maps.json", "layer_0_grid.npy", "layer_1_values.npy"]),
    position=st.integers(0, 10_000),
    flip=st.integers(1, 255),
)
def test_flipped_bits_are_an_error_of_ours_or_other_values(saved, name, position, flip):
    content = (saved / name).read_bytes()
    damaged = bytearray(content)
    damaged[position % len(content)] ^= flip
    (saved / name).write_bytes(damaged)
    try:
        maps = FeatureMaps.load(saved)
        assert all(maps.values(layer).ndim == 2 for layer in maps.layers)
    except StorageError:
        pass
    finally:
        (saved / name).write_bytes(content)


# --- What is believed is what was saved --------------------------------------------------------


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def test_damaged_values_are_found_out_when_all_are_first_read(saved):
    flip(saved / "layer_0_values.npy", -2)
    with pytest.raises(StorageError, match=r"layer_0_values\.npy does not hold"):
        FeatureMaps.load(saved, mmap_mode=None)
    maps = FeatureMaps.load(saved)
    assert maps[:1].values("conv4").ndim == 2  # a part of mapped values is not compared
    with pytest.raises(StorageError, match=r"layer_0_values\.npy does not hold"):
        maps.values("conv4")


@pytest.mark.parametrize("mmap_mode", MODES)
def test_changed_descriptions_and_grids_are_found_out_at_once(saved, mmap_mode):
    path = saved / "maps.json"
    content = path.read_text()
    for old, new in (('"conv4"', '"conv9"'), ('"<f4"', '"<f2"'), (" 34", " 33")):
        assert old in content
        path.write_text(content.replace(old, new))
        with pytest.raises(StorageError, match="changed since it was written"):
            FeatureMaps.load(saved, mmap_mode)
    path.write_text(content)
    grid = np.load(saved / "layer_0_grid.npy")
    np.save(saved / "layer_0_grid.npy", grid[:, :, ::-1])
    with pytest.raises(StorageError, match=r"'conv4' .* are not those that were saved"):
        FeatureMaps.load(saved, mmap_mode)


@pytest.mark.parametrize("mmap_mode", MODES)
def test_files_of_two_layers_are_not_confused(tmp_path, mmap_mode):
    arrays = np.random.RandomState(0).rand(2, 5, 3, 4, 6).astype(np.float32)
    FeatureMaps.from_layers({"a": arrays[0], "b": arrays[1]}).save(tmp_path / "maps")
    first, second, third = (
        tmp_path / "maps" / name for name in ("layer_0_values.npy", "layer_1_values.npy", "x")
    )
    first.rename(third)
    second.rename(first)
    third.rename(second)
    with pytest.raises(StorageError, match="does not hold"):
        FeatureMaps.load(tmp_path / "maps", mmap_mode).values("a")


@pytest.mark.parametrize("mmap_mode", MODES)
def test_values_in_another_order_are_refused(saved, mmap_mode):
    path = saved / "layer_0_values.npy"
    np.save(path, np.asfortranarray(np.load(path)))
    with pytest.raises(StorageError, match=r"layer_0_values\.npy.*Fortran"):
        FeatureMaps.load(saved, mmap_mode)


def test_files_that_vanish_or_are_replaced_are_said(saved):
    maps = FeatureMaps.load(saved)
    path = saved / "layer_0_values.npy"
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(StorageError, match=r"layer_0_values\.npy"):
        maps.values("conv4")
    path.write_bytes(content)
    with pytest.raises(StorageError, match="load them again"):
        maps.values("conv4")
    assert FeatureMaps.load(saved).values("conv4").shape == (34, 3)


def test_a_header_cannot_ask_for_more_memory_than_the_file_has(saved):
    path = saved / "layer_0_grid.npy"
    content = path.read_bytes()
    huge = content.replace(b"(6, 2, 2), }" + b" " * 14, b"(6, 2, 200000000000000), }")
    assert len(huge) == len(content)
    assert huge != content
    path.write_bytes(huge)
    with pytest.raises(StorageError, match=r"layer_0_grid\.npy is not whole: it has"):
        FeatureMaps.load(saved)
