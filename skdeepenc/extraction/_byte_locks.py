"""Locks on single bytes of a file, as POSIX systems and Windows have them.

Both are dropped by the system when the process ends. Neither waits here: a lock is free, or it is
somebody else's.
"""

import contextlib
import errno
import os
from typing import Any

fcntl: Any
msvcrt: Any
try:
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None
try:
    import msvcrt
except ImportError:
    msvcrt = None

# What refuses a lock that somebody else holds; anything else means that there are no locks here.
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
# Windows keeps positions of locks in 31 bits. Of two images at one byte the later one waits.
_WINDOWS_BYTES = 1 << 30


def take(descriptor, number):
    """Lock a byte of an open file; False if somebody else has it."""
    try:
        if fcntl is not None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        elif msvcrt is not None:
            os.lseek(descriptor, number % _WINDOWS_BYTES, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        return error.errno not in _BUSY
    return True


def release(descriptor, number):
    """Unlock a byte, if it is locked."""
    with contextlib.suppress(OSError):
        if fcntl is not None:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, number)
        elif msvcrt is not None:
            os.lseek(descriptor, number % _WINDOWS_BYTES, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
