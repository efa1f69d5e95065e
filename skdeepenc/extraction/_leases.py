"""Say to other processes that this one uses a cache folder, and since when.

Whoever makes a cache smaller after a run must spare what other runs use. So every process has a
file in each cache folder that a run or maps of its need. It is locked as long as they live, and its
modification time is when that began: whatever was used since is spared. The operating system drops
the lock when the process ends, however it ends.
"""

import contextlib
import os
import time
import uuid
import weakref
from pathlib import Path

from skdeepenc.extraction import _byte_locks

FOLDER = "in-use"
# A file that is not locked may be one whose owner is about to.
LOCKED_WITHIN_SECONDS = 60.0


class Lease:
    """The file of this process, removed when nothing refers to this object any more.

    A folder that may only be read has none: nothing of it can be removed, either.

    Parameters
    ----------
    memory : path-like
        The cache folder.
    """

    def __init__(self, memory):
        self.path = Path(memory) / FOLDER / uuid.uuid4().hex
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            _byte_locks.take(descriptor, 0)
            weakref.finalize(self, _give_back, descriptor, self.path, os.getpid())


# By process: a child of a fork has none of its parent's.
_OWN: weakref.WeakValueDictionary[tuple[int, str], Lease] = weakref.WeakValueDictionary()


def lease(memory):
    """Return the lease of this process on a cache folder; it lasts as long as it is referred to."""
    key = os.getpid(), os.path.abspath(memory)
    return _OWN.get(key) or _OWN.setdefault(key, Lease(memory))


def in_use_since(memory):
    """Return the time of the oldest lease on a folder; infinity where there is none."""
    # Opening one of ours would drop its lock when it is closed.
    own = {held.path for held in list(_OWN.values())}
    begun = [float("inf")]
    for path in Path(memory).glob(f"{FOLDER}/*"):
        with contextlib.suppress(FileNotFoundError):  # given back meanwhile
            time_of_lease = path.stat().st_mtime
            young = time.time() - time_of_lease < LOCKED_WITHIN_SECONDS
            if path in own or young or not _is_abandoned(path):
                begun.append(time_of_lease)
    return min(begun)


def _is_abandoned(path):
    """Remove a lease whose process has ended; False for one that lives, or cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except PermissionError:  # another user's
        return False
    try:
        if not _byte_locks.take(descriptor, 0):
            return False
    finally:
        os.close(descriptor)
    with contextlib.suppress(OSError):
        path.unlink()
    return True


def _give_back(descriptor, path, owner):
    os.close(descriptor)
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            path.unlink()
