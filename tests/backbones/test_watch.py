"""Native code is waited for, until it ends, the time is up, or someone presses Ctrl-C."""

import _thread
import signal
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


@pytest.fixture
def listening():
    """Hear Ctrl-C, which a shell lets its background jobs ignore."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, kept)


def test_ctrl_c_ends_it(listening):
    ended = threading.Event()

    def run():
        _thread.interrupt_main()
        ended.wait(60)

    with pytest.raises(KeyboardInterrupt):
        watched(run, ended.set)
    assert ended.is_set()
