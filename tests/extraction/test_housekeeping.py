"""A cache is as large as its files, and becomes smaller from the end that nobody used."""

import os
import time

import pytest

from skdeepenc.cli import main
from skdeepenc.exceptions import StorageError
from skdeepenc.extraction import ActivationExtractor, cache_info, clean_cache
from skdeepenc.extraction.housekeeping import parse_size


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def maps(model, paths, memory):
    return ActivationExtractor(model, memory=memory, layers=["conv2"]).fit_transform(paths)


def entries(memory):
    return sorted(memory.glob("*/*/*.npz"))


def size(memory):
    return sum(path.stat().st_size for path in entries(memory))


def test_info_counts_files(model, paths, maps, memory):
    ActivationExtractor(model, memory=memory, layers=["conv1", "rgb"]).fit_transform(paths[:3])
    larger, smaller = sorted(cache_info(memory), key=lambda recipe: -recipe.n_entries)
    assert (larger.layers, larger.n_entries) == (("conv2",), len(paths))
    assert (smaller.layers, smaller.n_entries) == (("conv1", "rgb"), 3)
    assert larger.n_bytes + smaller.n_bytes == size(memory)
    assert abs(larger.last_used - time.time()) < 1000


def test_the_longest_unused_go_first(maps, memory):
    for age, path in enumerate(entries(memory)):
        os.utime(path, (1e9 - age, 1e9 - age))
    newest = entries(memory)[:5]
    limit = sum(path.stat().st_size for path in newest)
    before = size(memory)
    assert clean_cache(memory, limit=limit) == before - limit
    assert entries(memory) == newest
    assert clean_cache(memory, limit=limit) == 0


def test_what_is_unused_for_long_goes(maps, paths, memory):
    first, *rest = entries(memory)
    os.utime(first, (time.time() - 40 * 86_400,) * 2)
    clean_cache(memory, max_age=50)
    assert len(entries(memory)) == len(paths)
    clean_cache(memory, max_age=30)
    assert entries(memory) == rest
    with pytest.raises(StorageError, match=r"removed from the cache; call transform to"):
        maps.values("conv2")


def test_only_our_files_are_removed(maps, memory):
    others = [memory / "notes.npz", memory / "other" / "ab" / "x.npz"]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text("mine")
    clean_cache(memory, limit=0)
    assert entries(memory) == [others[1]]
    assert others[0].exists()


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("50 GB", 5e10), ("1.5tb", 1.5e12), ("10k", 1e4), (7, 7), ("0", 0), ("3 MB", 3e6)],
)
def test_sizes(text, n_bytes):
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "-1", "many", "5 XB", "1e3 GB", None])
def test_what_is_not_a_size_is_said(text):
    with pytest.raises(ValueError, match="50 GB"):
        parse_size(text)


def test_the_command_line_shows_and_shrinks(maps, memory, capsys):
    assert main(["cache", "info", str(memory)]) == 0
    shown = capsys.readouterr().out
    assert "conv2" in shown
    assert "in all" in shown
    assert main(["cache", "clean", str(memory), "--limit", "0"]) == 0
    assert not entries(memory)
    assert main(["cache", "clean", str(memory)]) == 2
    assert main(["cache", "info", str(memory / "absent")]) == 2
    assert "is not a folder" in capsys.readouterr().err
