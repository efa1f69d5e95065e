"""Refuse a run whose maps would not fit in memory, and announce large files, before it starts."""

import os
import shutil
import warnings
from pathlib import Path

from skdeepenc.exceptions import CacheWarning, NotEnoughMemoryError

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))
_MEMINFO = Path("/proc/meminfo")
_UNNOTICED_BYTES = 1e9


def check_room(n_bytes):
    """Raise if maps of so many bytes would not fit in the memory that is free.

    Parameters
    ----------
    n_bytes : int
        Estimated size of the maps.

    Raises
    ------
    NotEnoughMemoryError
        If they would not; the message gives the three ways out.
    """
    free = available_memory()
    if free is not None and n_bytes > free:
        raise NotEnoughMemoryError(
            f"The maps of this run need about {n_bytes / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB of memory are free. Three ways out: memory=FOLDER keeps them "
            'on disk, n_components=N projects the descriptors, dtype="float16" halves them.'
        )


def announce_files(n_bytes, folder):
    """Warn before so many bytes are written to a cache folder, if they are more than a gigabyte.

    Parameters
    ----------
    n_bytes : int
        Estimated size of the files.
    folder : path-like
        Where they are written.
    """
    if n_bytes <= _UNNOTICED_BYTES:
        return
    try:
        free = f"{shutil.disk_usage(folder).free / 1e9:.1f} GB are free there"
    except OSError:
        free = "nobody knows how much is free there"
    warnings.warn(
        f"This run writes up to {n_bytes / 1e9:.1f} GB of maps into {folder}; {free}. "
        'n_components=N and dtype="float16" make them smaller; `skdeepenc cache` lists and cleans.',
        CacheWarning,
        stacklevel=2,
    )


def available_memory():
    """Return how many bytes this process may still take, or None where nobody knows."""
    known = [size for size in (_free_of_system(), _free_of_group()) if size is not None]
    return min(known, default=None)


def _free_of_system():
    """Return what Linux calls available, elsewhere the memory that is installed."""
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _free_of_group():
    """Return what a container's limit leaves; None without a limit."""
    try:
        limit, used = (int(path.read_text(encoding="ascii")) for path in _LIMITS)
    except (OSError, ValueError):  # no control groups, or "max" for no limit
        return None
    return max(limit - used, 0)
