import contextlib
import errno
import gc
import json
import os
import pickle
import shutil
import threading
import time
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from skdeepenc._progress import progress_bar
from skdeepenc.exceptions import CacheWarning, ImageBatchError, StorageError
from skdeepenc.extraction import ActivationExtractor, _memory_check, backbone_runs
from skdeepenc.extraction import _entries as entries_module
from skdeepenc.extraction import _runner as runner_module
from skdeepenc.extraction import cache as cache_module
from skdeepenc.extraction import sources as sources_module
from skdeepenc.extraction._claims import Claims
from skdeepenc.extraction._entries import DamagedEntryError
from skdeepenc.extraction.recipe import as_json
from skdeepenc.images import Pyramid, Windows

VIEWS = Pyramid(n_scales=2)


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def extractor(model, memory):
    return ActivationExtractor(model, memory=memory, views=VIEWS, layers=["conv2", "rgb"])


@pytest.fixture
def expected(model, paths):
    extractor = ActivationExtractor(model, views=VIEWS, layers=["conv2", "rgb"])
    return extractor.fit_transform(paths)


def entries(memory):
    return sorted(Path(memory).glob("*/*/*.npz"))


def assert_same_maps(maps, expected):
    assert len(maps) == len(expected)
    assert maps.layers == expected.layers
    for layer in expected.layers:
        assert_array_equal(maps.grid(layer), expected.grid(layer))
        assert_array_equal(maps.values(layer), expected.values(layer))


def forbid_runs(extractor, monkeypatch):
    def run(pixels):
        raise AssertionError("the network ran")

    monkeypatch.setattr(extractor.backbone_, "run", run)


# --- What is remembered ----------------------------------------------------------------------


def test_a_view_of_the_cache_equals_the_maps_in_memory(extractor, paths, expected):
    maps = extractor.fit_transform(paths)
    assert not maps.in_memory
    assert_same_maps(maps, expected)
    assert_same_maps(maps[[5, 2, 2]], expected[[5, 2, 2]])
    assert_same_maps(maps.select(scales=[1], layers=["rgb"]), expected.select([*["rgb"]], [1]))
    for batch, original in zip(maps.iter_batches(), expected.iter_batches(), strict=True):
        assert batch.in_memory
        assert_same_maps(batch, original)


def test_a_second_pass_does_not_run_the_network(extractor, paths, expected, memory, monkeypatch):
    extractor.fit_transform(paths)
    assert backbone_runs(memory) == len(paths)
    forbid_runs(extractor, monkeypatch)
    assert_same_maps(extractor.transform(paths[::-1]), expected[::-1])
    assert backbone_runs(memory) == len(paths)


def test_images_are_known_by_their_content(
    extractor, paths, expected, memory, monkeypatch, tmp_path
):
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


# --- What a view costs to hand on ------------------------------------------------------------


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


# --- Damage ----------------------------------------------------------------------------------


def test_a_killed_run_goes_on_where_it_stopped(extractor, paths, expected, memory, monkeypatch):
    extractor.set_params(batch_size=2).fit(paths)
    run = extractor.backbone_.run
    calls = []

    def dies(pixels):
        calls.append(len(pixels))
        if len(calls) > 4:
            raise KeyboardInterrupt
        return run(pixels)

    monkeypatch.setattr(extractor.backbone_, "run", dies)
    with pytest.raises(KeyboardInterrupt):
        extractor.transform(paths)
    done = backbone_runs(memory)
    assert 0 < done < len(paths)
    monkeypatch.setattr(extractor.backbone_, "run", run)
    assert_same_maps(extractor.transform(paths), expected)
    assert backbone_runs(memory) == len(paths)


def test_nothing_is_left_behind(extractor, paths, memory):
    extractor.fit_transform(paths)
    assert not list(memory.glob("*/unfinished/*"))


def test_what_a_killed_run_was_writing_is_swept_away(extractor, paths, memory):
    extractor.fit_transform(paths)
    old, new = (next(memory.glob("*/unfinished")) / name for name in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"partly")
    os.utime(old, (0, 0))
    extractor.transform(paths)
    assert not old.exists()
    assert new.exists()  # another process may be writing it


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_full_disk_is_said_and_leaves_no_entry(extractor, paths, memory, monkeypatch, code):
    extractor.fit(paths)

    def fail(file, *arguments):
        file.write(b"PK")
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(entries_module, "_write_archive", fail)
        with pytest.raises(
            StorageError, match=rf"{memory}.* cannot be written \({os.strerror(code)}"
        ):
            extractor.transform(paths)
    assert not entries(memory)
    assert not list(memory.glob("*/unfinished/*"))
    extractor.transform(paths)


def damaged(entry, kind):
    content = entry.read_bytes()
    whole = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "zeros": bytes(len(content)),
        "text": b"no archive",
    }
    entry.write_bytes(whole[kind])


@pytest.mark.parametrize("kind", ["empty", "cut", "zeros", "text"])
def test_a_partly_written_entry_is_made_again(extractor, paths, expected, memory, kind):
    extractor.fit_transform(paths)
    damaged(entries(memory)[0], kind)
    assert_same_maps(extractor.transform(paths), expected)
    assert backbone_runs(memory) == len(paths) + 1


def flip_a_value(entry, layer):
    """Change one byte in the middle of a layer's values; the sizes stay right."""
    content = bytearray(entry.read_bytes())
    with zipfile.ZipFile(entry) as archive:
        member = archive.getinfo(f"values/{layer}.npy")
    content[member.header_offset + member.file_size // 2 + 128] ^= 1
    entry.write_bytes(bytes(content))


def test_a_changed_value_is_found_out_and_made_again(extractor, paths, expected, memory):
    maps = extractor.fit_transform(paths)
    flip_a_value(entries(memory)[3], "conv2")
    with pytest.raises(StorageError, match=r"damaged.*call transform again"):
        maps.values("conv2")
    assert_same_maps(extractor.transform(paths), expected)
    assert_same_maps(maps, expected)


def test_a_removed_entry_is_named(extractor, paths, memory):
    maps = extractor.fit_transform(paths)
    entries(memory)[0].unlink()
    with pytest.raises(StorageError, match="removed from the cache"):
        maps.values("conv2")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7), cut=st.booleans())
def test_no_damage_is_believed(extractor, paths, expected, memory, position, bit, cut):
    """A flipped bit or a cut anywhere: made again, refused, or without effect."""
    maps = extractor.fit_transform(paths[:1])
    (entry,) = entries(memory)
    content = bytearray(entry.read_bytes())
    if cut:
        del content[position % len(content) :]
    else:
        content[position % len(content)] ^= 1 << bit
    entry.write_bytes(bytes(content))
    try:
        maps = extractor.transform(paths[:1])
        assert_same_maps(maps, expected[:1])
    except StorageError:
        assert_same_maps(extractor.transform(paths[:1]), expected[:1])
    entry.unlink(missing_ok=True)


def descriptors_in_use():
    gc.collect()  # maps that nobody has any more keep one open until then
    return len(os.listdir("/proc/self/fd"))


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")


@pytest.fixture
def no_descriptors():
    """Return a context in which nothing more can be opened."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def without():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_in_use(), hard))
        held = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            yield
        finally:
            for descriptor in held:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return without


@pytest.mark.parametrize("error", [ImportError("no module"), RecursionError(), MemoryError()])
def test_what_is_not_the_fault_of_an_entry_removes_none(
    extractor, paths, expected, memory, monkeypatch, error
):
    def fail(file, size):
        raise error

    maps = extractor.fit_transform(paths)
    with monkeypatch.context() as context:
        context.setattr(entries_module, "read_array", fail)
        with pytest.raises(type(error)):
            maps.values("conv2")
    assert len(entries(memory)) == len(paths)
    assert_same_maps(maps, expected)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_compressed_entry_is_made_again(extractor, paths, expected, memory, method):
    extractor.fit_transform(paths)
    path = entries(memory)[0]
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        comment = archive.comment
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment
    assert_same_maps(extractor.fit_transform(paths), expected)


@needs_proc
def test_what_cannot_be_read_now_is_not_damaged(extractor, paths, expected, memory, no_descriptors):
    maps = extractor.fit_transform(paths)
    before = entries(memory)
    with no_descriptors(), pytest.raises(StorageError, match="cannot be read now"):
        maps.values("conv2")
    assert entries(memory) == before
    assert_same_maps(maps, expected)


@pytest.mark.parametrize("in_another_recipe", [False, True])
def test_the_entry_of_another_image_or_recipe_is_made_again(
    extractor, paths, expected, memory, in_another_recipe
):
    extractor.fit_transform(paths)
    first, second, *_ = entries(memory)
    if in_another_recipe:
        extractor.set_params(dtype="float16").fit_transform(paths)
        second = next(path for path in memory.glob(f"*/*/{first.name}") if path != first)
        extractor.set_params(dtype="float32")
    shutil.copy(second, first)
    assert_same_maps(extractor.fit_transform(paths), expected)


def test_a_swap_behind_a_view_is_found_out(extractor, paths, expected, memory):
    maps = extractor.fit_transform(paths)
    first, second, *_ = entries(memory)
    shutil.copy(first, second)
    with pytest.raises(StorageError, match=r"not the entry of.*call transform again"):
        maps.values("conv2")
    assert_same_maps(extractor.transform(paths), expected)


def test_a_replaced_entry_is_not_removed_for_the_damage_of_its_predecessor(
    extractor, paths, memory
):
    extractor.fit_transform(paths)
    entry = entries(memory)[0]
    whole = entry.read_bytes()
    entry.write_bytes(b"damaged")
    owner = f"{entry.parent.parent.name} {entry.stem}"
    with pytest.raises(DamagedEntryError) as damage:
        entries_module.Entry(entry, owner)
    entry.unlink()
    entry.write_bytes(whole)
    damage.value.remove()
    assert entry.read_bytes() == whole


def test_a_complete_cache_serves_without_being_written(
    extractor, paths, expected, memory, monkeypatch
):
    """Root may write anywhere: the system is replaced by one that refuses."""
    extractor.fit_transform(paths)

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for name in ("mkdir", "write_text", "unlink", "touch"):
        monkeypatch.setattr(Path, name, refuse)
    for name in ("open", "utime", "replace"):
        monkeypatch.setattr(os, name, refuse)
    assert_same_maps(extractor.transform([Path(path).read_bytes() for path in paths]), expected)


def test_use_is_noted_once_a_day(extractor, paths, memory):
    extractor.fit_transform(paths)
    entry, *_ = entries(memory)
    for age, noted in ((100, False), (100_000, True)):
        then = time.time() - age
        os.utime(entry, (then, then))
        extractor.transform(paths)
        assert (entry.stat().st_mtime > then + 1) == noted


def test_a_clock_that_is_ahead_does_not_kill_writers(extractor, paths, memory, monkeypatch):
    extractor.fit_transform(paths)
    writing = next(memory.glob("*/unfinished")) / f"{'0' * 64}.being-written"
    writing.write_bytes(b"partly")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    extractor.transform(paths)
    assert writing.exists()


def test_who_holds_a_claim_is_alive(extractor, paths, memory):
    extractor.fit_transform(paths)
    folder = next(memory.glob("*/unfinished"))
    writing = folder / f"{'0' * 64}.being-written"
    writing.write_bytes(b"partly")
    os.utime(writing, (0, 0))
    with Claims(folder.parent / "claims") as claims:
        claims.take("0" * 64)
        extractor.transform(paths)
        assert writing.exists()
    extractor.transform(paths)
    assert not writing.exists()


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


def test_a_large_run_is_announced(extractor, paths, memory, monkeypatch):
    monkeypatch.setattr(_memory_check, "_UNNOTICED_BYTES", 100)
    extractor.fit(paths)
    with pytest.warns(CacheWarning, match=rf"GB of maps into {memory}; .* are free"):
        extractor.transform(paths)
    extractor.transform(paths)  # nothing more to write, and nothing to say


# --- Several at once -------------------------------------------------------------------------


def test_two_processes_share_the_work(extractor, paths, expected, memory):
    extractor.set_params(batch_size=1)
    results = joblib.Parallel(n_jobs=2)(
        joblib.delayed(extractor.fit_transform)(order) for order in (paths, paths[::-1])
    )
    assert backbone_runs(memory) == len(paths)
    assert_same_maps(results[0], expected)
    assert_same_maps(results[1], expected[::-1])


def test_threads_share_the_work(extractor, paths, expected, memory):
    extractor.set_params(batch_size=1).fit(paths)
    results = {}

    def work(number):
        results[number] = extractor.transform(paths)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backbone_runs(memory) == len(paths)
    for maps in results.values():
        assert_same_maps(maps, expected)


def test_claims_of_a_failed_run_are_given_back(extractor, paths, expected, monkeypatch):
    extractor.fit(paths)
    with monkeypatch.context() as patch:
        patch.setattr(extractor.backbone_, "run", None)
        with pytest.raises(TypeError):
            extractor.transform(paths)
    assert_same_maps(extractor.transform(paths), expected)


def test_claims_of_an_interrupted_run_are_given_back(extractor, paths, expected, monkeypatch):
    """Its traceback, which a notebook keeps, keeps all its generators."""
    extractor.set_params(batch_size=1).fit(paths)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module.Cache, "log_run", None)
        with pytest.raises(TypeError) as kept:
            extractor.transform(paths)
    assert_same_maps(extractor.transform(paths), expected)
    del kept


def test_equal_images_that_cannot_be_read_are_all_reported(extractor, paths, tmp_path):
    twins = [tmp_path / name for name in ("first.jpg", "second.jpg")]
    for twin in twins:
        twin.write_bytes(b"")
    with pytest.raises(ImageBatchError) as error:
        extractor.fit(paths).transform([*map(str, twins), *paths])
    assert len(error.value.failures) == 2


@needs_proc
def test_no_descriptor_stays_open_for_a_folder(extractor, paths, tmp_path):
    extractor.fit(paths)
    before = descriptors_in_use()
    for number in range(5):
        extractor.set_params(memory=tmp_path / str(number)).transform(paths[:1])
    assert descriptors_in_use() == before


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
