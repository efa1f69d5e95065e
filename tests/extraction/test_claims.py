import errno
import hashlib
import os
import subprocess
import sys

import pytest

from skdeepenc.extraction import _byte_locks
from skdeepenc.extraction._claims import Claims

FIRST, SECOND = (hashlib.sha256(name).hexdigest() for name in (b"first", b"second"))

# Tries to take two images in another process, without importing the package's friends.
TRY = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
for digest in sys.argv[2:]:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(digest[:15], 16))
    except OSError:
        print("busy")
    else:
        print("free")
"""

needs_locks = pytest.mark.skipif(_byte_locks.fcntl is None, reason="this system has no fcntl")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "claims"


def test_an_image_is_claimed_once(path):
    with Claims(path) as claims, Claims(path) as others:
        assert claims.take(FIRST)
        assert not claims.take(FIRST)
        assert not others.take(FIRST)
        assert others.take(SECOND)


def test_a_released_image_can_be_claimed(path):
    with Claims(path) as claims, Claims(path) as others:
        claims.take(FIRST)
        claims.release(FIRST)
        assert others.take(FIRST)


def test_leaving_gives_everything_back_and_takes_nothing_more(path):
    with Claims(path) as claims:
        claims.take(FIRST)
    assert not claims.take(SECOND)
    with Claims(path) as others:
        assert others.take(FIRST)


@needs_locks
def test_another_process_sees_the_claim(path):
    with Claims(path) as claims:
        claims.take(FIRST)
        command = [sys.executable, "-S", "-c", TRY, str(path), FIRST, SECOND]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert answer.split() == ["busy", "free"]


@needs_locks
def test_a_file_system_without_locks_does_no_harm(path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(_byte_locks.fcntl, "lockf", refuse)
    with Claims(path) as claims:
        assert claims.take(FIRST)
        claims.release(FIRST)


def test_claims_of_a_folder_share_a_descriptor_and_close_it(path):
    with Claims(path) as first, Claims(path) as second:
        assert first._file is second._file
        first.take(FIRST)
        descriptor = first._file.descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_only_the_owner_gives_back(path):
    with Claims(path) as claims, Claims(path) as others:
        claims.take(FIRST)
        others.release(FIRST)
        assert not others.take(FIRST)


def test_in_a_folder_that_may_only_be_read_claims_hold_between_threads(path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with Claims(path) as claims, Claims(path) as others:
        assert claims.take(FIRST)
        assert not others.take(FIRST)


class FakeWindows:
    """Locks as msvcrt has them, at the position of the file, for one other process."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self):
        self.locked = set()

    def locking(self, descriptor, mode, n_bytes):
        at = os.lseek(descriptor, 0, os.SEEK_CUR)
        assert at < 2**31
        if mode == self.LK_UNLCK:
            self.locked.discard(at)
        elif at in self.locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        else:
            self.locked.add(at)


def test_windows_locks_bytes_too(path, monkeypatch):
    monkeypatch.setattr(_byte_locks, "fcntl", None)
    monkeypatch.setattr(_byte_locks, "msvcrt", windows := FakeWindows())
    with Claims(path) as claims:
        assert claims.take(FIRST)
        locked = set(windows.locked)
        assert len(locked) == 1
        claims.release(FIRST)
        assert not windows.locked
        windows.locked |= locked  # by another process
        assert not claims.take(FIRST)
        assert claims.take(SECOND)
    assert windows.locked == locked
