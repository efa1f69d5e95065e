"""What is damaged in a cache is found out, and only that is made again."""

import contextlib
import os
import shutil
import zipfile

import pytest
from extraction.cached_maps import assert_same_maps, descriptors_in_use, entries, needs_proc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skdeepenc.exceptions import StorageError
from skdeepenc.extraction import _entries as entries_module
from skdeepenc.extraction import backbone_runs
from skdeepenc.extraction._entries import DamagedEntryError


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
    with pytest.raises(StorageError, match=r"damaged.*call transform to"):
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
    with pytest.raises(StorageError, match=r"not the entry of.*call transform to"):
        maps.values("conv2")
    assert_same_maps(extractor.transform(paths), expected)


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


@needs_proc
def test_what_cannot_be_read_now_is_not_damaged(extractor, paths, expected, memory, no_descriptors):
    maps = extractor.fit_transform(paths)
    before = entries(memory)
    with no_descriptors(), pytest.raises(StorageError, match="cannot be read now"):
        maps.values("conv2")
    assert entries(memory) == before
    assert_same_maps(maps, expected)


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
