"""Native code is waited for, until it ends, the time is up, or someone presses Ctrl-C."""

import _thread
import threading

import pytest

from skdeepenc.backbones.running.watch import watched


def fail():
    raise OSError("the run's own")


def test_results_and_errors_come_through():
    assert watched(lambda: 42, None, seconds=60) == 42
    with pytest.raises(OSError, match="the run's own"):
        watched(fail, None)


def test_what_takes_too_long_is_ended():
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        watched(ended.wait, ended.set, seconds=0.01)
    assert ended.is_set()


def test_ctrl_c_ends_it():
    ended = threading.Event()

    def run():
        _thread.interrupt_main()
        ended.wait()

    with pytest.raises(KeyboardInterrupt):
        watched(run, ended.set)
    assert ended.is_set()
