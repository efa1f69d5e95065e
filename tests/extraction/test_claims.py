import errno
import hashlib
import os
import subprocess
import sys

import pytest

from skdeepenc.extraction import claims as claims_module
from skdeepenc.extraction.claims import Claims

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

needs_locks = pytest.mark.skipif(claims_module.fcntl is None, reason="this system has no fcntl")


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

    monkeypatch.setattr(claims_module.fcntl, "lockf", refuse)
    with Claims(path) as claims:
        assert claims.take(FIRST)
        claims.release(FIRST)
