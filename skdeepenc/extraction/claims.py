"""Agree, between threads and processes, on who computes which image.

Two workers of a grid search want the same images at the same moment. Each claims an image before
it runs the network on it, and leaves claimed ones for later, when they will be in the cache. A
claim is a lock on one byte of an empty file, at an offset that the image's digest gives: the
operating system drops it when its process ends, however it ends.
"""

import contextlib
import errno
import os
import threading
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None

_BUSY = {errno.EACCES, errno.EAGAIN}


class _LockFile:
    """The one descriptor of this process: closing any other would drop all its locks."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.taken = set()
        self.lock = threading.Lock()


_FILES: dict[str, _LockFile] = {}
_FILES_LOCK = threading.Lock()


def _forget_after_fork():
    """Locks belong to the process that took them; a child starts without any."""
    global _FILES_LOCK
    _FILES_LOCK = threading.Lock()
    for file in _FILES.values():
        os.close(file.descriptor)
    _FILES.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class Claims:
    """The images that one call is computing; a context that gives them all back.

    Where the system or the file system knows no locks, claims hold between the threads of the
    process alone: other processes may then do the same work again, but never harm.

    Parameters
    ----------
    path : path-like
        The empty file that stands for one cache.
    """

    def __init__(self, path):
        key = os.path.abspath(path)
        with _FILES_LOCK:
            if key not in _FILES:
                _FILES[key] = _LockFile(key)
            self._file = _FILES[key]
        self._own = set()
        self._closed = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with self._file.lock:
            self._closed = True
            for digest in self._own:
                self._unlock(digest)
            self._own.clear()

    def take(self, digest):
        """Claim an image; False if somebody else has, or this call did before."""
        with self._file.lock:
            if self._closed or digest in self._file.taken or not self._lock(digest):
                return False
            self._file.taken.add(digest)
            self._own.add(digest)
            return True

    def release(self, digest):
        """Give an image back, once it is in the cache."""
        with self._file.lock:
            self._unlock(digest)
            self._own.discard(digest)

    def _lock(self, digest):
        if fcntl is None:  # pragma: no cover
            return True
        try:
            fcntl.lockf(self._file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(digest))
        except OSError as error:
            return error.errno not in _BUSY
        return True

    def _unlock(self, digest):
        self._file.taken.discard(digest)
        if fcntl is None:  # pragma: no cover
            return
        with contextlib.suppress(OSError):  # there may be none to drop, see _lock
            fcntl.lockf(self._file.descriptor, fcntl.LOCK_UN, 1, _offset(digest))


def _offset(digest):
    """Return a byte of the file for an image: 60 bits of its digest."""
    return int(digest[:15], 16)
