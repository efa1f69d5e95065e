"""Runs with a cache, in children that are killed, starved or locked out.

All of it happens in a watched process without threads or sessions of its own, so that it may fork.
"""

import contextlib
import os
import resource
import shutil
import signal
import threading
import time
import traceback
from pathlib import Path

import numpy as np
from extraction.conftest import tiny_network

from robustness.mutations import mutated
from skdeepenc.exceptions import StorageError
from skdeepenc.extraction import ActivationExtractor, CacheFolder, _leases, cache, cache_folder

IMAGES = [
    np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8) for seed in range(8)
]


def extract(memory, images=IMAGES):
    """Return the values of the images, through a cache."""
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], batch_size=1, memory=memory)
    return extractor.fit_transform(images).values("conv2")


def forked(function, *arguments):
    """Start a child that ends with 0 if a function returns true; return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = 0 if function(*arguments) else 2
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid, seconds=60):
    """Wait for a child; return its exit code, negative for a signal, or None if it hangs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def is_right(memory):
    """Say whether the values through a cache are those without one."""
    return np.array_equal(extract(memory), extract(None))


def entries(memory):
    """List the entries of a cache."""
    return sorted(Path(memory).glob("*/??/*.npz"))


def killed_runs(memory, n_kills, n_writers):
    """Kill writers at any moment; return how many died, and how a last run without kills ended."""
    rng = np.random.default_rng(n_writers)
    n_killed = 0
    for _ in range(n_kills):
        writers = [forked(is_right, memory) for _ in range(n_writers)]
        time.sleep(rng.uniform(0, 0.3))
        for pid in writers[: max(1, n_writers // 2)]:
            os.kill(pid, signal.SIGKILL)
        codes = [ended(pid) for pid in writers]
        n_killed += codes.count(-signal.SIGKILL)
        assert set(codes) <= {0, -signal.SIGKILL}, codes
        for path in entries(memory)[:: rng.integers(2, 5)]:
            path.unlink()
    return n_killed, ended(forked(is_right, memory))


def full_disk(memory):
    """Write to a disk that is full after some bytes; then with room."""

    def starved(n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))
        try:
            extract(memory)
        except StorageError as error:
            return str(memory) in str(error)
        return False

    codes = [ended(forked(starved, n_bytes)) for n_bytes in (0, 30, 300, 500)]
    return [*codes, ended(forked(is_right, memory))]


def small_disk(memory):
    """Write to a file system that is full, make room, and go on; say how each ended."""

    def refused():
        try:
            extract(memory)
        except StorageError as error:
            return "No space left" in str(error) and str(memory) in str(error)
        return False

    filler = Path(memory).parent / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate(filler, filler.stat().st_size - (1 << 15))  # room for folders and a few entries
    codes = [ended(forked(refused))]
    filler.unlink()
    return [*codes, ended(forked(is_right, memory))]


def read_only(memory):
    """Read a complete cache that may not be written, then ask it for what it lacks."""
    extract_in_child = ended(forked(is_right, memory))
    for path in [Path(memory), *Path(memory).rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)

    def locked_out(images, lacks):
        try:
            return np.array_equal(extract(memory, images), extract(None, images)) and not lacks
        except StorageError:
            return lacks

    codes = [
        ended(forked(locked_out, IMAGES, False)),
        ended(forked(locked_out, [IMAGES[0] // 2], True)),
    ]
    for path in [Path(memory), *Path(memory).rglob("*")]:
        path.chmod(0o755)
    return [extract_in_child, *codes]


def forks_amid_threads(memory, n_forks):
    """Fork while threads use the cache; each child uses it, too."""
    threads = [threading.Thread(target=extract, args=(memory,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(n_forks):
        codes.append(ended(forked(is_right, memory)))
        for path in entries(memory)[::3]:
            path.unlink(missing_ok=True)
    for thread in threads:
        thread.join(60)
    return codes, [thread.is_alive() for thread in threads]


def damaged_entries(memory, n_cases):
    """Damage entries in every way; return how often that was refused, and what was believed."""
    expected, refused, believed = extract(memory), 0, []
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], memory=memory)
    rng = np.random.default_rng(0)
    for case in range(n_cases):
        path, other = rng.choice(entries(memory), 2, replace=False)
        if case % 10:
            path.write_bytes(mutated(path.read_bytes(), rng))
        else:
            shutil.copy(other, path)
        try:
            values = extractor.fit_transform(IMAGES).values("conv2")
        except StorageError:
            refused += 1
            values = extractor.fit_transform(IMAGES).values("conv2")
        if not np.array_equal(values, expected):
            believed.append(case)
    return refused, believed


def neighbour_of_a_bounded_run(memory, is_killed):
    """Bound a cache while another process has maps of it, and after it ended.

    Return whether the other could still read them, and how many entries were left at last.
    """
    theirs, ours = os.pipe(), os.pipe()

    def keep_maps():
        maps = ActivationExtractor(tiny_network(), layers=["conv2"], memory=memory).transform(
            IMAGES
        )
        os.write(theirs[1], b"1")
        os.read(ours[0], 1)
        return maps.values("conv2").size > 0

    pid = forked(keep_maps)
    os.read(theirs[0], 1)
    extract_bounded(memory, 1)
    if is_killed:
        os.kill(pid, signal.SIGKILL)
    os.write(ours[1], b"1")
    code = ended(pid)
    extract_bounded(memory, 2)
    return code, len(entries(memory))


def extract_bounded(memory, seed):
    """Extract an image of its own through a cache that should hold nothing beside."""
    _leases.LOCKED_WITHIN_SECONDS = cache.NOTED_SECONDS = cache_folder.NOTED_SECONDS = 0
    image = np.full((20, 20, 3), seed, dtype=np.uint8)
    maps = extract(CacheFolder(memory, limit=0), [image])
    assert np.array_equal(maps, extract(None, [image]))
