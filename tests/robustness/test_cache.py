"""A cache under kills, several writers, full and read-only disks, forks and damage."""

import os
import shutil
import signal
import subprocess

import pytest

from robustness import cached_runs
from robustness.watched import watched

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def memory(tmp_path):
    return str(tmp_path / "cache")


@pytest.mark.parametrize("n_writers", [1, 2, 4])
def test_killed_writers_harm_nobody(memory, n_writers, factor):
    n_kills = max(1, 50 * factor // (40 * n_writers))
    n_killed, last = watched(
        cached_runs.killed_runs, memory, n_kills, n_writers, seconds=60 + 5 * n_kills * n_writers
    )
    print(n_killed, "killed by", signal.SIGKILL.name)
    assert last == 0


def test_a_full_disk_is_one_error_and_loses_nothing(memory):
    assert watched(cached_runs.full_disk, memory) == [0] * 5


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_small_disk_that_is_full_loses_nothing(small_disk):
    assert watched(cached_runs.small_disk, str(small_disk / "cache")) == [0, 0]


@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may write anywhere")
def test_a_complete_cache_serves_from_a_read_only_folder(memory):
    assert watched(cached_runs.read_only, memory) == [0] * 3


def test_forks_amid_threads_end(memory, factor):
    codes, alive = watched(
        cached_runs.forks_amid_threads, memory, 2 * factor, seconds=60 + 2 * factor
    )
    assert set(codes) == {0}
    assert not any(alive)


def test_damaged_entries_are_never_believed(memory, factor):
    n_cases = 10 * factor
    refused, believed = watched(cached_runs.damaged_entries, memory, n_cases, seconds=60 + n_cases)
    print(f"{n_cases} damaged entries, {refused} refused, {len(believed)} believed")
    assert not believed


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_bounded_run_spares_what_another_process_uses_until_that_ends(memory, is_killed):
    code, n_left = watched(cached_runs.neighbour_of_a_bounded_run, memory, is_killed)
    assert code == (-signal.SIGKILL if is_killed else 0)
    assert n_left == 1
