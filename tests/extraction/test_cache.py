"""A cache gives what the network gave before, for the same images and the same way to extract."""

import json
import pickle
import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
from extraction.cached_maps import assert_same_maps, entries
from PIL import Image

from skdeepenc._progress import progress_bar
from skdeepenc.exceptions import ImageBatchError
from skdeepenc.extraction import ActivationExtractor, backbone_runs
from skdeepenc.extraction import _runner as runner_module
from skdeepenc.extraction import sources as sources_module
from skdeepenc.extraction.recipe import as_json
from skdeepenc.images import Pyramid, Windows


def forbid_runs(extractor, monkeypatch):
    def run(pixels):
        raise AssertionError("the network ran")

    monkeypatch.setattr(extractor.backbone_, "run", run)


def test_a_view_of_the_cache_equals_the_maps_in_memory(extractor, paths, expected):
    maps = extractor.fit_transform(paths)
    assert not maps.in_memory
    assert_same_maps(maps, expected)
    assert_same_maps(maps[[5, 2, 2]], expected[[5, 2, 2]])
    assert_same_maps(maps.select(scales=[1], layers=["rgb"]), expected.select(["rgb"], [1]))
    for batch, original in zip(maps.iter_batches(), expected.iter_batches(), strict=True):
        assert batch.in_memory
        assert_same_maps(batch, original)


def test_a_second_pass_does_not_run_the_network(extractor, paths, expected, memory, monkeypatch):
    extractor.fit_transform(paths)
    assert backbone_runs(memory) == len(paths)
    forbid_runs(extractor, monkeypatch)
    assert_same_maps(extractor.transform(paths[::-1]), expected[::-1])
    assert backbone_runs(memory) == len(paths)


def test_images_are_known_by_their_content(extractor, paths, expected, monkeypatch, tmp_path):
    extractor.fit_transform(paths)
    forbid_runs(extractor, monkeypatch)
    copies = tmp_path / "copies"
    copies.mkdir()
    copied = [shutil.copy(path, copies / f"{n}.jpg") for n, path in enumerate(paths)]
    assert_same_maps(extractor.transform(copied), expected)
    assert_same_maps(extractor.transform([Path(path).read_bytes() for path in paths]), expected)


def test_equal_images_in_one_call_run_once(extractor, paths, expected, memory):
    maps = extractor.fit_transform([paths[0], paths[1], paths[0]])
    assert_same_maps(maps, expected[[0, 1, 0]])
    assert backbone_runs(memory) == 2


def test_arrays_and_opened_images_are_remembered(extractor, images, memory, monkeypatch):
    mixed = [*images[:2], images[2] / 255, Image.fromarray(images[3])]
    extractor.fit_transform(mixed)
    assert backbone_runs(memory) == 4
    forbid_runs(extractor, monkeypatch)
    extractor.transform(mixed)


def test_a_file_that_changes_is_noticed(extractor, paths, images, expected, monkeypatch):
    monkeypatch.setattr(sources_module, "SETTLED_SECONDS", -1e9)  # trust every time stamp
    extractor.fit_transform(paths)
    Image.fromarray(images[1]).save(paths[0])
    assert_same_maps(extractor.transform(paths[:1]), expected[1:2])


def test_a_file_that_changed_just_now_is_not_trusted_to_stay(paths):
    assert sources_module.known_digest(paths[0]) is None
    sources_module.read_and_digest(paths[0])
    assert sources_module.known_digest(paths[0]) is None


def test_a_settled_file_is_hashed_once(paths, monkeypatch):
    monkeypatch.setattr(sources_module, "SETTLED_SECONDS", -1e9)
    _, digest = sources_module.read_and_digest(paths[0])
    assert sources_module.known_digest(paths[0]) == digest


@pytest.mark.parametrize(
    "changed",
    [
        {"views": Pyramid(n_scales=3)},
        {"views": Windows(image_size=16, sizes=(16,))},
        {"layers": ["conv1"]},
        {"dtype": "float16"},
    ],
)
def test_another_way_to_extract_is_another_entry(extractor, paths, memory, changed):
    extractor.fit_transform(paths[:3])
    runs = backbone_runs(memory)
    extractor.set_params(**changed).fit(paths[:3]).transform(paths[:3])
    assert backbone_runs(memory) == runs + 3
    assert len(entries(memory)) == 6


def test_a_projection_is_learned_once(extractor, paths, memory):
    extractor.set_params(n_components=2, random_state=0)
    maps = extractor.fit_transform(paths)
    runs = backbone_runs(memory)
    assert runs == 2 * len(paths)  # to learn, and to project
    again = extractor.fit_transform(paths)
    assert backbone_runs(memory) == runs
    assert_same_maps(again, maps)
    assert extractor.fit(paths[:6]).transform(paths).n_channels("conv2") == 2
    assert backbone_runs(memory) == runs + 6 + len(paths)  # other images, another projection


def test_batch_and_thread_parameters_share_entries(extractor, paths, memory):
    extractor.fit_transform(paths)
    extractor.set_params(batch_size=2, n_jobs=2, verbose=0, n_threads=1).fit_transform(paths)
    assert backbone_runs(memory) == len(paths)


def test_a_view_pickles_as_names(extractor, paths, expected):
    maps = extractor.fit_transform(paths)
    content = pickle.dumps(maps)
    assert len(content) < maps.nbytes / 2
    assert_same_maps(pickle.loads(content), expected)
    assert len(pickle.dumps(maps[:2])) < len(content)
    assert_same_maps(pickle.loads(pickle.dumps(maps[3:5])), expected[3:5])


def test_views_of_equal_images_hash_equally(extractor, paths):
    maps = extractor.fit_transform(paths)
    assert joblib.hash(maps) == joblib.hash(extractor.transform(paths))
    assert joblib.hash(maps[:3]) != joblib.hash(maps[1:4])


def test_a_relative_folder_stays_where_it_was(extractor, paths, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extractor.set_params(memory="here").fit(paths)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    maps = pickle.loads(pickle.dumps(extractor)).transform(paths)
    monkeypatch.chdir("/")
    assert_same_maps(maps, expected)
    assert entries(tmp_path / "here")
    extractor.set_params(memory=tmp_path / "another").transform(paths)
    assert entries(tmp_path / "another")
    extractor.set_params(memory=None).transform(paths)


def test_long_parameters_of_views_tell_recipes_apart():
    """NumPy abbreviates arrays of more than 1,000 values."""
    texts = set()
    for middle in (0.0, 1.0):
        parameter = np.zeros(2001)
        parameter[1000] = middle
        texts.add(json.dumps([parameter, np.float32(1)], default=as_json))
    assert len(texts) == 2


def test_equal_images_that_cannot_be_read_are_all_reported(extractor, paths, tmp_path):
    twins = [tmp_path / name for name in ("first.jpg", "second.jpg")]
    for twin in twins:
        twin.write_bytes(b"")
    with pytest.raises(ImageBatchError) as error:
        extractor.fit(paths).transform([*map(str, twins), *paths])
    assert len(error.value.failures) == 2


def test_what_is_in_the_cache_is_shown_as_done(model, paths, tmp_path, capsys, monkeypatch):
    bars = []

    def remembered(**options):
        bars.append(progress_bar(**options))
        return bars[-1]

    monkeypatch.setattr(runner_module, "progress_bar", remembered)
    extractor = ActivationExtractor(model, memory=tmp_path / "cache", batch_size=2, verbose=2)
    extractor.fit_transform(paths[:6])
    extractor.fit_transform(paths)
    assert [(bar.initial, bar.n) for bar in bars] == [(0, 6), (6, len(paths))]
    assert f"{len(paths)}/{len(paths)}" in capsys.readouterr().err
