"""Agree, between threads and processes, on who computes which image.

Two workers of a grid search want the same images at the same moment. Each claims an image before
it runs the network on it, and leaves claimed ones for later, when they will be in the cache. A
claim is a lock on one byte of an empty file, at an offset that the image's digest gives: the
operating system drops it when its process ends, however it ends.
"""

import contextlib
import os
import threading

from skdeepenc.extraction import _byte_locks


class _LockFile:
    """The one descriptor of this process: closing any other would drop all its locks."""

    def __init__(self, path):
        self.path = path
        self.taken = set()
        self.lock = threading.Lock()
        self.n_users = 0
        self.descriptor = None
        with contextlib.suppress(OSError):  # in a folder that may only be read
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def close(self):
        """Give the descriptor back."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


_FILES: dict[str, _LockFile] = {}
_FILES_LOCK = threading.Lock()


def _forget_after_fork():
    """Locks belong to the process that took them; a child starts without any."""
    global _FILES_LOCK
    _FILES_LOCK = threading.Lock()
    for file in _FILES.values():
        file.close()
    _FILES.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class Claims:
    """The images that one call is computing; a context that gives them all back.

    Where the system or the file system knows no locks, or the folder may only be read, claims hold
    between the threads of the process alone: other processes may then do the same work again, but
    never harm.

    Parameters
    ----------
    path : path-like
        The empty file that stands for one cache.
    """

    def __init__(self, path):
        self._path = os.path.realpath(path)
        self._own = set()
        self._closed = True

    def __enter__(self):
        with _FILES_LOCK:
            if self._path not in _FILES:
                _FILES[self._path] = _LockFile(self._path)
            self._file = _FILES[self._path]
            self._file.n_users += 1
        self._closed = False
        return self

    def __exit__(self, *exception):
        file = self._file
        with file.lock:
            self._closed = True
            for digest in self._own:
                self._unlock(digest)
            self._own.clear()
        with _FILES_LOCK:
            file.n_users -= 1
            # A child that was forked meanwhile has closed and forgotten what its parent uses.
            if file.n_users == 0 and _FILES.get(self._path) is file:
                file.close()
                del _FILES[self._path]

    def take(self, digest):
        """Claim an image; False if somebody else has, or this call did before."""
        with self._file.lock:
            if self._closed or digest in self._file.taken or not self._lock(digest):
                return False
            self._file.taken.add(digest)
            self._own.add(digest)
            return True

    def release(self, digest):
        """Give an image back, once it is in the cache or found to be unreadable."""
        with self._file.lock:
            if digest in self._own:
                self._unlock(digest)
                self._own.discard(digest)

    def _lock(self, digest):
        return self._file.descriptor is None or _byte_locks.take(
            self._file.descriptor, _number(digest)
        )

    def _unlock(self, digest):
        self._file.taken.discard(digest)
        if self._file.descriptor is not None:
            _byte_locks.release(self._file.descriptor, _number(digest))


def _number(digest):
    """Return a number for an image: 60 bits of its digest."""
    return int(digest[:15], 16)
