"""A run that writes into a cache may be killed or refused at any time: no half entry stays."""

import errno
import os
import time
from pathlib import Path

import pytest
from extraction.cached_maps import assert_same_maps, entries

from skdeepenc.exceptions import CacheWarning, StorageError
from skdeepenc.extraction import _entries as entries_module
from skdeepenc.extraction import _memory_check, backbone_runs
from skdeepenc.extraction._claims import Claims


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


def test_a_large_run_is_announced(extractor, paths, memory, monkeypatch):
    monkeypatch.setattr(_memory_check, "_UNNOTICED_BYTES", 100)
    extractor.fit(paths)
    with pytest.warns(CacheWarning, match=rf"GB of maps into {memory}; .* are free"):
        extractor.transform(paths)
    extractor.transform(paths)  # nothing more to write, and nothing to say


def test_a_complete_cache_serves_without_being_written(extractor, paths, expected, monkeypatch):
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
